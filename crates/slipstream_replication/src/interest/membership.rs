//! Slots in groups: which groups a slot is in, and which slots a group has, at a cost in proportion to what changes.

use core::hash::Hash;

use bevy::platform::collections::HashMap;

/// Any number of groups a slot, any number of slots a group.
#[derive(Debug)]
pub(super) struct Memberships<K> {
    /// By slot: each group it is in, with its position in that group's list.
    groups: Vec<Vec<(K, u32)>>,
    slots: HashMap<K, Vec<u32>>,
}

impl<K> Default for Memberships<K> {
    fn default() -> Self {
        Self { groups: Vec::new(), slots: HashMap::default() }
    }
}

impl<K: Copy + Eq + Hash> Memberships<K> {
    /// The groups of a slot.
    pub(super) fn groups(&self, slot: u32) -> impl Iterator<Item = K> {
        self.groups.get(slot as usize).into_iter().flatten().map(|(group, _)| *group)
    }

    /// The slots of a group.
    pub(super) fn slots(&self, group: K) -> &[u32] {
        self.slots.get(&group).map(Vec::as_slice).unwrap_or_default()
    }

    /// Puts a slot into exactly these groups, each named once; whether that is news.
    pub(super) fn set(&mut self, slot: u32, groups: &[K]) -> bool {
        if self.groups(slot).eq(groups.iter().copied()) {
            return false;
        }
        let index = slot as usize;
        if self.groups.len() <= index {
            self.groups.resize_with(index + 1, Vec::new);
        }
        for (group, position) in core::mem::take(&mut self.groups[index]) {
            self.take_out(group, position);
        }
        for group in groups {
            let slots = self.slots.entry(*group).or_default();
            self.groups[index].push((*group, slots.len() as u32));
            slots.push(slot);
        }
        true
    }

    fn take_out(&mut self, group: K, position: u32) {
        let Some(slots) = self.slots.get_mut(&group) else { return };
        slots.swap_remove(position as usize);
        if let Some(moved) = slots.get(position as usize)
            && let Some(entry) = self.groups[*moved as usize].iter_mut().find(|(other, _)| *other == group)
        {
            entry.1 = position;
        }
        if slots.is_empty() {
            self.slots.remove(&group);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn both_sides_agree_on_who_is_where() {
        for seed in 0..20_u64 {
            println!("seed {seed}");
            let mut random = fastrand::Rng::with_seed(seed);
            let mut memberships = Memberships::default();
            let mut model: Vec<BTreeSet<u32>> = vec![BTreeSet::new(); 50];
            for _ in 0..1000 {
                let slot = random.u32(..50);
                let groups: BTreeSet<u32> = (0..random.u32(..4)).map(|_| random.u32(..6)).collect();
                let list: Vec<u32> = groups.iter().copied().collect();
                assert_eq!(memberships.set(slot, &list), model[slot as usize] != groups, "seed {seed}");
                model[slot as usize] = groups;
            }
            for (slot, groups) in model.iter().enumerate() {
                assert!(memberships.groups(slot as u32).eq(groups.iter().copied()), "seed {seed}");
            }
            for group in 0..6 {
                let mut slots = memberships.slots(group).to_vec();
                slots.sort_unstable();
                let expected: Vec<u32> = (0..50).filter(|slot| model[*slot as usize].contains(&group)).collect();
                assert_eq!(slots, expected, "seed {seed}");
            }
            for slot in 0..50 {
                memberships.set(slot, &[]);
            }
            assert!(memberships.slots.is_empty(), "nothing is kept for a group without slots");
        }
    }
}
