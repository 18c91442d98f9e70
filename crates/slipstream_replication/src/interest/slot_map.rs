//! Values by slot for the slots that one connection has to do with: dense to walk, paged to look up.

const PAGE: usize = 64;

/// A map from slots to small values. Memory is in proportion to its entries, but for one pointer per 64 slots of the world.
#[derive(Debug)]
pub(super) struct SlotMap<T> {
    entries: Vec<(u32, T)>,
    pages: Vec<Option<Box<Page>>>,
}

#[derive(Debug)]
struct Page {
    used: u32,
    /// Indices into `entries` plus one; 0 where the slot is not in the map.
    positions: [u32; PAGE],
}

impl<T> Default for SlotMap<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), pages: Vec::new() }
    }
}

impl<T: Copy> SlotMap<T> {
    pub(super) fn contains(&self, slot: u32) -> bool {
        self.position(slot).is_some()
    }

    pub(super) fn get(&self, slot: u32) -> Option<T> {
        self.position(slot).map(|position| self.entries[position].1)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.position(slot).map(|position| &mut self.entries[position].1)
    }

    pub(super) fn insert(&mut self, slot: u32, value: T) {
        if let Some(known) = self.get_mut(slot) {
            *known = value;
            return;
        }
        self.entries.push((slot, value));
        let page = slot as usize / PAGE;
        if self.pages.len() <= page {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new(Page { used: 0, positions: [0; PAGE] }));
        page.used += 1;
        page.positions[slot as usize % PAGE] = self.entries.len() as u32;
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(position) = self.position(slot) {
            self.remove_at(position);
        }
    }

    /// Drops the entries that `keep` says no to.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(u32, &mut T) -> bool) {
        // Backwards: what moves into a gap has had its turn.
        for position in (0..self.entries.len()).rev() {
            let (slot, value) = &mut self.entries[position];
            if !keep(*slot, value) {
                self.remove_at(position);
            }
        }
    }

    fn position(&self, slot: u32) -> Option<usize> {
        let page = self.pages.get(slot as usize / PAGE)?.as_ref()?;
        (page.positions[slot as usize % PAGE] as usize).checked_sub(1)
    }

    fn remove_at(&mut self, position: usize) {
        let (slot, _) = self.entries.swap_remove(position);
        if let Some((moved, _)) = self.entries.get(position)
            && let Some(page) = &mut self.pages[*moved as usize / PAGE]
        {
            page.positions[*moved as usize % PAGE] = position as u32 + 1;
        }
        let place = &mut self.pages[slot as usize / PAGE];
        if let Some(page) = place {
            page.positions[slot as usize % PAGE] = 0;
            page.used -= 1;
            if page.used == 0 {
                *place = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_slot_map_is_a_map() {
        for seed in 0..20_u64 {
            println!("seed {seed}");
            let mut random = fastrand::Rng::with_seed(seed);
            let mut map = SlotMap::default();
            let mut model = BTreeMap::new();
            for step in 0..3000_u32 {
                let slot = random.u32(..500) * 7;
                match random.u32(..6) {
                    0..=2 => {
                        map.insert(slot, step);
                        model.insert(slot, step);
                    }
                    3..=4 => {
                        map.remove(slot);
                        model.remove(&slot);
                    }
                    _ => assert_eq!(map.get(slot), model.get(&slot).copied(), "seed {seed}"),
                }
                if random.u32(..200) == 0 {
                    let drop = random.u32(2..5);
                    map.retain(|slot, value| {
                        *value += 1;
                        slot % drop != 0
                    });
                    model.retain(|slot, value| {
                        *value += 1;
                        slot % drop != 0
                    });
                }
            }
            let mut entries = map.entries.clone();
            entries.sort_unstable();
            assert_eq!(entries, model.clone().into_iter().collect::<Vec<_>>(), "seed {seed}");
            for slot in 0..3500 {
                assert_eq!(map.contains(slot), model.contains_key(&slot), "seed {seed}");
            }
            for slot in model.keys() {
                map.remove(*slot);
            }
            assert!(map.pages.iter().all(Option::is_none), "no page is kept for nothing");
        }
    }
}
