//! Families: replicated entities that hang on one root come into sight and leave it together.

use bevy::platform::collections::HashMap;

const ITSELF: u32 = u32::MAX;

/// Which slot is the root of each slot, and which slots hang on a root.
#[derive(Debug, Default)]
pub(super) struct Families {
    /// By slot.
    roots: Vec<u32>,
    /// The slots below each root that has any, without the root.
    members: HashMap<u32, Vec<u32>>,
}

impl Families {
    /// The root of a slot: itself where it hangs on nothing.
    pub(super) fn root(&self, slot: u32) -> u32 {
        self.roots.get(slot as usize).copied().filter(|root| *root != ITSELF).unwrap_or(slot)
    }

    /// What hangs on a root.
    pub(super) fn members(&self, root: u32) -> &[u32] {
        self.members.get(&root).map(Vec::as_slice).unwrap_or_default()
    }

    /// Hangs a slot on a root, or on nothing where that is itself; whether that is news.
    pub(super) fn join(&mut self, slot: u32, root: u32) -> bool {
        let before = self.root(slot);
        if before == root {
            return false;
        }
        if before != slot {
            self.take_from(before, slot);
        }
        if self.roots.len() <= slot as usize {
            self.roots.resize(slot as usize + 1, ITSELF);
        }
        if root == slot {
            self.roots[slot as usize] = ITSELF;
        } else {
            self.roots[slot as usize] = root;
            self.members.entry(root).or_default().push(slot);
        }
        true
    }

    /// The root is gone: what hung on it hangs on nothing.
    pub(super) fn disband(&mut self, root: u32) -> Vec<u32> {
        let members = self.members.remove(&root).unwrap_or_default();
        for member in &members {
            self.roots[*member as usize] = ITSELF;
        }
        members
    }

    fn take_from(&mut self, root: u32, slot: u32) {
        let Some(members) = self.members.get_mut(&root) else { return };
        members.retain(|member| *member != slot);
        if members.is_empty() {
            self.members.remove(&root);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_hangs_on_one_root_at_a_time() {
        let mut families = Families::default();
        assert_eq!(families.root(9), 9);
        assert!(!families.join(3, 3), "it hung on nothing before");
        assert!(families.join(3, 1) && families.join(4, 1) && !families.join(4, 1));
        assert_eq!((families.root(3), families.members(1)), (1, &[3, 4][..]));
        assert!(families.join(3, 2));
        assert_eq!((families.members(1), families.members(2)), (&[4][..], &[3][..]));
        assert!(families.join(3, 3));
        assert_eq!((families.root(3), families.members(2)), (3, &[][..]));
        assert!(!families.members.contains_key(&2), "nothing is kept for who has no family");
    }

    #[test]
    fn what_hung_on_a_root_that_is_gone_hangs_on_nothing() {
        let mut families = Families::default();
        for slot in 5..8 {
            families.join(slot, 2);
        }
        assert_eq!(families.disband(2), [5, 6, 7]);
        assert!((5..8).all(|slot| families.root(slot) == slot));
        assert!(families.disband(2).is_empty());
    }
}
