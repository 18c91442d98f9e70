//! Groups: entities of which a client never sees one without the others.
//!
//! [`Together`] says of an entity that it belongs to another. What hangs together that way is, in here, a **convoy**: a
//! number that its slots have in common. (A group in `view` is something else: slots of a page that are alike to a
//! connection.) It exists where there are two slots at least. On a server only: to a client a convoy is nothing but
//! what came in one chunk.
//!
//! A slot whose entity is despawned stays in its convoy until the slot is used again, so that clients see it go in the
//! tick in which it went.

use bevy::ecs::entity::EntityHashSet;
use bevy::ecs::lifecycle::Discard;
use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use slipstream_connection::NetworkRole;

use crate::replicated::Slot;
use crate::slots::Slots;
use crate::view::PAGE;

/// The longest chain of [`Together`] whose root is found. Whatever is longer, or a ring, has some root too.
const LONGEST_CHAIN: usize = 64;

/// This entity belongs to another: a wheel to its vehicle, one body to the other that a joint ties it to. A client
/// never sees one of them without the other, or older than the other.
///
/// The entity that is named is the group's **root** and a member like any other; name it from all others. A root that
/// itself belongs to something brings its members along. Only a server heeds this, on [`Replicated`](crate::Replicated)
/// entities; the component is not replicated.
///
/// * What a client shows of a group is what the server had in one tick, whatever is lost or overtaken on the way. That
///   counts from the first time that the group is sent as such, and for what the client may see: members that are out
///   of its sight are left out, and so are components that are not for it.
/// * Members that come into sight together appear together, and one that goes is gone from the tick in which it went.
///   When the root goes the group dissolves, and nothing is promised of that tick.
/// * Where bandwidth is short the group waits, or goes, as a whole: it matters as much as the member that matters most.
/// * A lane that is registered with `send_every` keeps its rate, in the same ticks for all members. When anything of
///   the group goes, everything that the client may not have yet goes with it, whatever its rate: put what is slow on
///   purpose on an entity outside of the group.
///
/// It costs: until a value is acknowledged it is sent again with whatever else changes, and a group's records are
/// copied for each connection one by one. Group what is joined, not what drives the same way. A group that takes more
/// than about 4 kB at once is sent in parts, with a warning, and nothing of the above is promised of it.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::{Replicated, Together};
///
/// fn spawn_tank(mut commands: Commands) {
///     let hull = commands.spawn((Replicated, Transform::default())).id();
///     commands.spawn((Replicated, Together(hull), Transform::from_xyz(0.0, 1.5, 0.0)));
/// }
/// ```
#[derive(Component, Debug, Clone, Copy, PartialEq, Eq)]
#[relationship(relationship_target = Companions)]
pub struct Together(pub Entity);

/// What belongs to an entity; kept by Bevy from [`Together`].
#[derive(Component, Debug, Default, PartialEq, Eq)]
#[relationship_target(relationship = Together)]
pub struct Companions(Vec<Entity>);

impl Companions {
    /// The entities that name this one, in the order in which they came.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.0
    }
}

/// The slots of each group.
#[derive(Debug, Default)]
pub(crate) struct Convoys {
    /// Entities whose group may be another now.
    noted: Vec<Entity>,
    /// By a convoy's number less one, for 0 is none.
    convoys: Vec<Convoy>,
    /// Numbers to be used again.
    free: Vec<u32>,
    /// By root.
    numbers: HashMap<Entity, u32>,
    /// By page, a bit for each slot that is in a convoy.
    masks: Vec<u32>,
}

#[derive(Debug)]
struct Convoy {
    root: Entity,
    /// Ascending.
    slots: Vec<u32>,
}

impl Convoys {
    /// The slots of a convoy, ascending.
    #[inline]
    pub(crate) fn slots(&self, convoy: u32) -> &[u32] {
        let index = (convoy as usize).wrapping_sub(1);
        self.convoys.get(index).map(|convoy| convoy.slots.as_slice()).unwrap_or_default()
    }

    /// A bit for each slot of a page that is in a convoy.
    #[inline]
    pub(crate) fn mask(&self, page: u32) -> u32 {
        self.masks.get(page as usize).copied().unwrap_or_default()
    }

    /// The convoy of a root, which it gets where it has none.
    fn number(&mut self, root: Entity) -> u32 {
        if let Some(number) = self.numbers.get(&root) {
            return *number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.convoys.push(Convoy { root, slots: Vec::new() });
            self.convoys.len() as u32
        });
        self.convoys[number as usize - 1].root = root;
        self.numbers.insert(root, number);
        number
    }

    fn add(&mut self, slot: u32, convoy: u32) {
        let slots = &mut self.convoys[convoy as usize - 1].slots;
        if let Err(place) = slots.binary_search(&slot) {
            slots.insert(place, slot);
        }
        let page = (slot / PAGE) as usize;
        if self.masks.len() <= page {
            self.masks.resize(page + 1, 0);
        }
        self.masks[page] |= 1 << (slot % PAGE);
    }

    fn take(&mut self, slot: u32, convoy: u32) {
        let Some(left) = self.convoys.get_mut((convoy as usize).wrapping_sub(1)) else { return };
        left.slots.retain(|other| *other != slot);
        if left.slots.is_empty() {
            self.numbers.remove(&left.root);
            self.free.push(convoy);
        }
        if let Some(mask) = self.masks.get_mut((slot / PAGE) as usize) {
            *mask &= !(1 << (slot % PAGE));
        }
    }
}

impl Slots {
    /// Puts a slot into a convoy, or into none where that is 0.
    fn join_convoy(&mut self, slot: u32, convoy: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize) else { return };
        let before = core::mem::replace(&mut entry.convoy, convoy);
        if before == convoy {
            return;
        }
        if before != 0 {
            self.convoys.take(slot, before);
        }
        if convoy != 0 {
            self.convoys.add(slot, convoy);
        }
    }

    /// The slot is about to be used again: what it left behind alone is no convoy any more.
    pub(crate) fn leave_convoy(&mut self, slot: u32) {
        let convoy = self.entries.get(slot as usize).map_or(0, |entry| entry.convoy);
        if convoy == 0 {
            return;
        }
        self.join_convoy(slot, 0);
        if let [last] = *self.convoys.slots(convoy) {
            self.join_convoy(last, 0);
        }
    }

    /// Entities that hang together, and those of the root's convoy that are despawned, are a convoy from here on.
    fn form_convoy(&mut self, root: Entity, slots: &[u32]) {
        let known = self.convoys.numbers.get(&root).copied().unwrap_or_default();
        let is_gone = |slot: &u32| self.get(*slot).is_some_and(|entry| entry.entity.is_none());
        let gone = self.convoys.slots(known).iter().filter(|slot| is_gone(slot)).count();
        let convoy = if slots.len() + gone < 2 { 0 } else { self.convoys.number(root) };
        for slot in slots {
            self.join_convoy(*slot, convoy);
        }
    }
}

/// An entity says to what it belongs, or something in a group got a slot.
pub(crate) fn note_together(
    inserted: On<Insert, (Together, Slot)>,
    members: Query<(), Or<(With<Together>, With<Companions>)>>,
    role: Option<Res<NetworkRole>>,
    mut slots: ResMut<Slots>,
) {
    if role.is_some_and(|role| role.serves()) && members.contains(inserted.entity) {
        slots.convoys.noted.push(inserted.entity);
    }
}

/// An entity belongs to something no longer, or to something else.
pub(crate) fn note_apart(
    discarded: On<Discard, Together>,
    members: Query<&Together>,
    role: Option<Res<NetworkRole>>,
    mut slots: ResMut<Slots>,
) {
    if role.is_some_and(|role| role.serves())
        && let Ok(together) = members.get(discarded.entity)
    {
        slots.convoys.noted.extend([discarded.entity, together.0]);
    }
}

/// Forms the groups anew that something was noted of since the last tick.
pub(crate) fn form_convoys(
    entities: Query<(Option<&Slot>, Option<&Together>, Option<&Companions>)>,
    mut slots: ResMut<Slots>,
) {
    if slots.convoys.noted.is_empty() {
        return;
    }
    let slots = &mut *slots;
    let (mut roots, mut convoys) = (Vec::new(), Vec::new());
    let mut noted = core::mem::take(&mut slots.convoys.noted);
    noted.sort_unstable();
    noted.dedup();
    for entity in noted {
        let Ok((slot, ..)) = entities.get(entity) else { continue };
        roots.push(root_of(entity, &entities));
        convoys.push(slot.and_then(|slot| slots.get(slot.index())).map_or(0, |entry| entry.convoy));
    }
    convoys.sort_unstable();
    convoys.dedup();
    for convoy in convoys {
        // Those that were together until now.
        let before = slots.convoys.slots(convoy).iter();
        let before = before.filter_map(|slot| slots.get(*slot).and_then(|entry| entry.entity));
        roots.extend(before.map(|entity| root_of(entity, &entities)));
    }
    roots.sort_unstable();
    roots.dedup();
    let mut together = Vec::new();
    for root in roots {
        together.clear();
        list_slots(root, &entities, &mut together);
        slots.form_convoy(root, &together);
    }
}

/// What an entity belongs to in the end: itself where it belongs to nothing. In a ring, the least of its entities.
fn root_of(entity: Entity, entities: &Query<(Option<&Slot>, Option<&Together>, Option<&Companions>)>) -> Entity {
    let named = |entity: Entity| entities.get(entity).ok().and_then(|(_, together, _)| together).map(|named| named.0);
    let mut root = entity;
    for _ in 0..LONGEST_CHAIN {
        match named(root) {
            Some(next) => root = next,
            None => return root,
        }
    }
    // By now it goes round in the ring.
    let ring = core::iter::successors(Some(root), |at| named(*at)).take(LONGEST_CHAIN);
    ring.min().unwrap_or(root)
}

/// The slots of an entity and of all that belongs to it.
fn list_slots(
    root: Entity,
    entities: &Query<(Option<&Slot>, Option<&Together>, Option<&Companions>)>,
    slots: &mut Vec<u32>,
) {
    let mut visited = EntityHashSet::default();
    let mut next = vec![root];
    while let Some(entity) = next.pop() {
        if !visited.insert(entity) {
            continue;
        }
        let Ok((slot, _, companions)) = entities.get(entity) else { continue };
        slots.extend(slot.map(|slot| slot.index()));
        next.extend(companions.map(Companions::entities).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use bevy::ecs::system::RunSystemOnce;
    use slipstream_connection::Role;

    use super::*;
    use crate::slots::SlotEntry;

    /// A server's world with as many entities as slots.
    fn world<const N: usize>() -> (World, [Entity; N]) {
        let mut world = World::new();
        world.insert_resource(NetworkRole(Role::Server));
        world.insert_resource(Slots::default());
        world.add_observer(note_together);
        world.add_observer(note_apart);
        let mut index = 0;
        let entities = [(); N].map(|()| {
            let entity = world.spawn(Slot { index, generation: 0 }).id();
            let entry = SlotEntry { entity: Some(entity), ..default() };
            world.resource_mut::<Slots>().entries.push(entry);
            index += 1;
            entity
        });
        (world, entities)
    }

    /// The slots of each convoy that there is.
    fn convoys(world: &mut World) -> Vec<Vec<u32>> {
        world.run_system_once(form_convoys).expect("it takes what there is");
        let slots = world.resource::<Slots>();
        let convoys: Vec<Vec<u32>> =
            slots.convoys.convoys.iter().map(|convoy| convoy.slots.clone()).filter(|slots| !slots.is_empty()).collect();
        for (slot, entry) in slots.entries.iter().enumerate() {
            let slot = slot as u32;
            assert_eq!(entry.convoy != 0, slots.convoys.mask(slot / PAGE) & (1 << (slot % PAGE)) != 0, "slot {slot}");
            assert_eq!(slots.convoys.slots(entry.convoy).contains(&slot), entry.convoy != 0, "slot {slot}");
        }
        convoys
    }

    #[test]
    fn what_belongs_to_one_root_is_one_convoy() {
        let (mut world, [hull, turret, gun, other]) = world();
        assert!(convoys(&mut world).is_empty());
        world.entity_mut(turret).insert(Together(hull));
        world.entity_mut(gun).insert(Together(turret));
        assert_eq!(convoys(&mut world), [[0, 1, 2]]);
        world.entity_mut(turret).insert(Together(other));
        assert_eq!(convoys(&mut world), [[1, 2, 3]]);
        world.entity_mut(gun).remove::<Together>();
        assert_eq!(convoys(&mut world), [[1, 3]]);
        world.entity_mut(turret).remove::<Together>();
        assert!(convoys(&mut world).is_empty());
        assert!(world.resource::<Slots>().convoys.numbers.is_empty(), "nothing is kept of what has dissolved");
    }

    #[test]
    fn a_convoy_dissolves_with_its_root() {
        let (mut world, [hull, left, right]) = world();
        world.entity_mut(left).insert(Together(hull));
        world.entity_mut(right).insert(Together(hull));
        assert_eq!(convoys(&mut world), [[0, 1, 2]]);
        world.resource_mut::<Slots>().entries[0].entity = None;
        world.despawn(hull);
        assert_eq!(convoys(&mut world), [[0]], "its slot alone, until that is used again");
        world.resource_mut::<Slots>().leave_convoy(0);
        assert!(convoys(&mut world).is_empty());
    }

    #[test]
    fn who_is_despawned_stays_until_its_slot_is_used_again() {
        let (mut world, [hull, turret]) = world();
        world.entity_mut(turret).insert(Together(hull));
        assert_eq!(convoys(&mut world), [[0, 1]]);
        world.resource_mut::<Slots>().entries[1].entity = None;
        world.despawn(turret);
        assert_eq!(convoys(&mut world), [[0, 1]]);
        world.resource_mut::<Slots>().leave_convoy(1);
        assert!(convoys(&mut world).is_empty(), "one alone is no convoy");
    }

    #[test]
    fn who_names_each_other_in_a_ring_is_a_convoy_too() {
        let (mut world, [a, b, c, tail]) = world();
        for (entity, named) in [(a, b), (b, c), (c, a), (tail, b)] {
            world.entity_mut(entity).insert(Together(named));
        }
        assert_eq!(convoys(&mut world), [[0, 1, 2, 3]]);
    }

    #[test]
    fn a_member_without_a_slot_ties_those_with_one() {
        let (mut world, [a, b]) = world();
        let joint = world.spawn_empty().id();
        world.entity_mut(a).insert(Together(joint));
        world.entity_mut(b).insert(Together(joint));
        assert_eq!(convoys(&mut world), [[0, 1]]);
        world.despawn(joint);
        assert!(convoys(&mut world).is_empty());
    }
}
