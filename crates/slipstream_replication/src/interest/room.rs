//! Rooms: who is in the same one sees each other.

use bevy::platform::collections::HashMap;
use bevy::prelude::*;

use super::membership::Memberships;
use super::{Interest, Surroundings};

/// A room: an arena, a match, a storey, a dungeon for one party.
///
/// Any entity can be one, and what it says of itself is up to the game: a name, a score, rules. It is not replicated unless
/// it is [`Replicated`](crate::Replicated); with [`InRooms::one`] of itself it is then told to those in it.
///
/// Despawning it empties it: connections are in it no longer, and what else was in it is out of everybody's sight until it
/// is despawned or put into another room.
#[derive(Component, Debug, Clone, Copy, Default)]
pub struct Room;

/// The rooms that a replicated entity, or a connection, is in.
///
/// An entity in rooms is seen only by connections that share one of them. An entity in no room is for everybody, and a
/// connection in no room sees only such entities. An entity without a room of its own is in those of the root of its
/// hierarchy. The owner is no exception: put it into the room too.
///
/// To change rooms, insert the component anew; to leave all, remove it. A change costs in proportion to the entities and
/// connections of the rooms it is about.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::{InRooms, Replicated, Room};
///
/// fn open_match(world: &mut World, players: &[Entity]) {
///     let arena = world.spawn(Room).id();
///     world.spawn((Replicated, InRooms::one(arena)));
///     for player in players {
///         world.entity_mut(*player).insert(InRooms::one(arena));
///     }
/// }
/// ```
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
#[component(immutable)]
pub struct InRooms(Vec<Entity>);

impl InRooms {
    /// In one room.
    #[must_use]
    pub fn one(room: Entity) -> Self {
        Self(vec![room])
    }

    /// The rooms, in the order of their entities and each once.
    #[must_use]
    pub fn rooms(&self) -> &[Entity] {
        &self.0
    }

    /// The same and one more.
    #[must_use]
    pub fn with(self, room: Entity) -> Self {
        self.0.into_iter().chain([room]).collect()
    }

    /// The same without one.
    #[must_use]
    pub fn without(mut self, room: Entity) -> Self {
        self.0.retain(|other| *other != room);
        self
    }
}

impl FromIterator<Entity> for InRooms {
    fn from_iter<I: IntoIterator<Item = Entity>>(rooms: I) -> Self {
        let mut rooms: Vec<Entity> = rooms.into_iter().collect();
        rooms.sort_unstable();
        rooms.dedup();
        Self(rooms)
    }
}

/// Who is in which room.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    entities: Memberships<Entity>,
    connections: HashMap<Entity, Vec<Entity>>,
}

impl Rooms {
    /// Whether a connection in `rooms` may see a slot, which is in the rooms of `root` where it is in none itself.
    pub(super) fn share(&self, slot: u32, root: u32, rooms: &[Entity]) -> bool {
        let own = self.entities.groups(slot).next().is_some();
        let mut theirs = self.entities.groups(if own { slot } else { root }).peekable();
        theirs.peek().is_none() || theirs.any(|room| rooms.contains(&room))
    }

    pub(super) fn slots(&self, room: Entity) -> &[u32] {
        self.entities.slots(room)
    }

    pub(super) fn connections(&self, room: Entity) -> &[Entity] {
        self.connections.get(&room).map(Vec::as_slice).unwrap_or_default()
    }

    /// Puts a slot into these rooms. The rooms it was in before, where that is news.
    pub(super) fn move_slot(&mut self, slot: u32, rooms: &[Entity]) -> Option<Vec<Entity>> {
        if self.entities.groups(slot).eq(rooms.iter().copied()) {
            return None;
        }
        let before = self.entities.groups(slot).collect();
        self.entities.set(slot, rooms);
        Some(before)
    }

    /// Moves a connection between rooms. Those that it is now in and was not, or the other way round.
    pub(super) fn move_connection(&mut self, connection: Entity, before: &[Entity], after: &[Entity]) -> Vec<Entity> {
        let left = before.iter().filter(|room| !after.contains(room));
        let entered = after.iter().filter(|room| !before.contains(room));
        for room in left.clone() {
            if let Some(connections) = self.connections.get_mut(room) {
                connections.retain(|other| *other != connection);
                if connections.is_empty() {
                    self.connections.remove(room);
                }
            }
        }
        for room in entered.clone() {
            self.connections.entry(*room).or_default().push(connection);
        }
        left.chain(entered).copied().collect()
    }
}

/// A room is gone: no connection is in it any more.
pub(super) fn empty_room(
    removed: On<Remove, Room>,
    surroundings: Res<Surroundings>,
    members: Query<&InRooms>,
    mut commands: Commands,
) {
    for connection in surroundings.rooms.connections(removed.entity) {
        if let Ok(rooms) = members.get(*connection) {
            commands.entity(*connection).try_insert(rooms.clone().without(removed.entity));
        }
    }
}

/// A connection is gone: it is in no room any more.
pub(super) fn leave_rooms(
    removed: On<Remove, Interest>,
    interests: Query<&Interest>,
    mut surroundings: ResMut<Surroundings>,
) {
    if let Ok(interest) = interests.get(removed.entity) {
        surroundings.rooms.move_connection(removed.entity, &interest.rooms, &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms() -> [Entity; 3] {
        let mut world = World::new();
        [(); 3].map(|()| world.spawn_empty().id())
    }

    #[test]
    fn a_room_is_named_once_however_often_it_is_given() {
        let [a, b, _] = rooms();
        assert_eq!(InRooms::from_iter([a, b, a]), InRooms::from_iter([b, a]));
        assert_eq!(InRooms::one(a).with(b).with(b).without(a), InRooms::one(b));
    }

    #[test]
    fn those_who_share_a_room_see_each_other_and_no_room_is_for_everybody() {
        let [a, b, c] = rooms();
        let mut rooms = Rooms::default();
        assert!(rooms.share(0, 0, &[]) && rooms.share(0, 0, &[a]));
        assert_eq!(rooms.move_slot(0, &[a, b]), Some(vec![]));
        assert!(!rooms.share(0, 0, &[]) && !rooms.share(0, 0, &[c]) && rooms.share(0, 0, &[b, c]));
        assert_eq!(rooms.move_slot(0, &[a, b]), None);
        assert_eq!(rooms.move_slot(0, &[]), Some(vec![a, b]));
        assert!(rooms.share(0, 0, &[]));
    }

    #[test]
    fn who_is_in_no_room_is_in_those_of_its_root() {
        let [a, b, _] = rooms();
        let mut rooms = Rooms::default();
        rooms.move_slot(0, &[a]);
        assert!(rooms.share(5, 0, &[a]) && !rooms.share(5, 0, &[b]));
        rooms.move_slot(5, &[b]);
        assert!(!rooms.share(5, 0, &[a]) && rooms.share(5, 0, &[b]));
    }

    #[test]
    fn a_move_is_about_the_rooms_on_one_side_of_it_only() {
        let [a, b, c] = rooms();
        let mut rooms = Rooms::default();
        let connection = c;
        assert_eq!(rooms.move_connection(connection, &[], &[a, b]), [a, b]);
        assert_eq!(rooms.move_connection(connection, &[a, b], &[b, c]), [a, c]);
        assert_eq!(rooms.connections(b), [connection]);
        assert!(rooms.connections(a).is_empty());
        rooms.move_connection(connection, &[b, c], &[]);
        assert!(rooms.connections.is_empty(), "nothing is kept for an empty room");
    }
}
