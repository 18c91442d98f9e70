//! What happens at random: on the server anything, on a client what an owner may say.
//!
//! Every write has a stamp of its own, so that a value tells which write it is of.

use std::collections::HashSet;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;
use fastrand::Rng;

use super::components::{Left, Place, Right};
use super::glimpse::Glimpses;
use super::sight::ancestors;
use crate::scene::{Burning, Health, Secret, Steer, Target};

const MOST_ENTITIES: usize = 40;
/// Half of what happens, happens to so many entities: news of them meets older news on its way.
const BUSY_ENTITIES: usize = 4;

pub struct Actions {
    random: Rng,
    stamp: u32,
    /// What the server itself said of what owners tell.
    pub server_words: HashSet<i32>,
    connections: Vec<Entity>,
    rooms: [Entity; 2],
    entities: QueryState<Entity, With<Replicated>>,
    /// Everything that has a place moves in each step, for a while.
    all_move: bool,
}

impl Actions {
    pub fn new(seed: u64, connections: Vec<Entity>, server: &mut World) -> Self {
        let rooms = [(); 2].map(|()| server.spawn(Room).id());
        let entities = server.query_filtered();
        Self {
            random: Rng::with_seed(seed),
            stamp: 0,
            server_words: HashSet::new(),
            connections,
            rooms,
            entities,
            all_move: false,
        }
    }

    /// Up to three things happen on the server, besides what moves.
    pub fn act(&mut self, world: &mut World) {
        self.all_move ^= self.random.u32(..60) == 0;
        if self.all_move {
            self.move_all(world);
        }
        for _ in 0..self.random.u32(..4) {
            let mut entities: Vec<Entity> = self.entities.iter(world).collect();
            entities.sort_unstable();
            let some = if self.random.bool() { BUSY_ENTITIES } else { MOST_ENTITIES };
            let entity = self.random.choice(entities.iter().take(some)).copied();
            let other = self.random.choice(&entities).copied();
            let spawns = entities.len() < MOST_ENTITIES && self.random.u32(..8) == 0;
            match entity.zip(other) {
                Some((entity, other)) if !spawns => self.change(world, entity, other),
                _ => self.spawn(world),
            }
        }
    }

    /// Now and then, a client says something of an entity that it controls: of which, and what.
    pub fn speak(&mut self, world: &mut World, seen: &Glimpses) -> Option<(NetworkId, i32)> {
        if self.random.u32(..4) > 0 {
            return None;
        }
        let own = seen.iter().filter(|(_, glimpse)| glimpse.controlled && glimpse.steer.is_some());
        let own: Vec<(NetworkId, Entity)> = own.map(|(id, glimpse)| (*id, glimpse.entity)).collect();
        let (id, entity) = self.random.choice(own)?;
        let word = self.next_stamp().cast_signed();
        world.entity_mut(entity).insert(Steer(word));
        Some((id, word))
    }

    /// The server says something of what owners tell.
    fn server_word(&mut self) -> Steer {
        let word = self.next_stamp().cast_signed();
        self.server_words.insert(word);
        Steer(word)
    }

    fn next_stamp(&mut self) -> u32 {
        self.stamp += 1;
        self.stamp
    }

    fn move_all(&mut self, world: &mut World) {
        let entities: Vec<Entity> = self.entities.iter(world).collect();
        for entity in entities {
            if let Some(mut place) = world.get_mut::<Place>(entity) {
                *place = Place::of(self.next_stamp());
            }
        }
    }

    fn spawn(&mut self, world: &mut World) {
        let mut entity = world.spawn((Replicated, Importance(0.25 + 4.0 * self.random.f32())));
        if self.random.bool() {
            entity.insert(self.server_word());
        }
        for _ in 0..self.random.u32(..6) {
            self.write(&mut entity);
        }
        let entity = entity.id();
        for _ in 0..self.random.u32(..3) {
            self.assign(world, entity);
        }
    }

    fn change(&mut self, world: &mut World, entity: Entity, other: Entity) {
        match self.random.u32(..100) {
            0..58 => self.write(&mut world.entity_mut(entity)),
            58..66 => self.take_off(&mut world.entity_mut(entity)),
            66..78 => self.relate(world, entity, other),
            78..95 => self.assign(world, entity),
            95 => self.move_player(world),
            _ => {
                // Its children go with it.
                world.despawn(entity);
            }
        }
    }

    /// Inserts a component, or changes it.
    fn write(&mut self, entity: &mut EntityWorldMut) {
        let stamp = self.next_stamp();
        match self.random.u32(..22) {
            0..8 => entity.insert(Place::of(stamp)),
            8..10 => entity.insert(Health(stamp)),
            10..14 => entity.insert((Left(stamp), Right(stamp))),
            14..16 => entity.insert(Left(stamp)),
            16..19 => entity.insert(Secret(stamp)),
            19..21 => entity.insert(self.server_word()),
            _ => entity.insert(Burning),
        };
    }

    fn take_off(&mut self, entity: &mut EntityWorldMut) {
        match self.random.u32(..6) {
            0 => entity.remove::<Place>(),
            1 => entity.remove::<Health>(),
            2 => entity.remove::<(Left, Right)>(),
            3 => entity.remove::<Right>(),
            4 => entity.remove::<Secret>(),
            _ => entity.remove::<Burning>(),
        };
    }

    /// Refers to another entity, becomes its child or is grouped with it; or no longer.
    fn relate(&mut self, world: &mut World, entity: Entity, other: Entity) {
        let makes_ring = ancestors(world, other).any(|ancestor| ancestor == entity);
        let mut entity = world.entity_mut(entity);
        match self.random.u32(..16) {
            0..6 if !makes_ring => entity.insert(ChildOf(other)),
            0..8 => entity.remove::<ChildOf>(),
            8..11 => entity.insert(Target(other)),
            11 => entity.remove::<Target>(),
            12..15 if entity.id() != other => entity.insert(Together(other)),
            _ => entity.remove::<Together>(),
        };
    }

    /// Another owner, or others who see it.
    fn assign(&mut self, world: &mut World, entity: Entity) {
        let Some(connection) = self.random.choice(&self.connections).copied() else { return };
        let mut entity = world.entity_mut(entity);
        match self.random.u32(..19) {
            0..7 => entity.insert(Owner(connection)),
            7 => entity.remove::<Owner>(),
            8 => entity.insert(VisibleTo::Nobody),
            9 => entity.insert(VisibleTo::Owner),
            10 => entity.insert(VisibleTo::Only(vec![connection])),
            11 => entity.insert(VisibleTo::AllBut(vec![connection])),
            12..15 => entity.insert(VisibleTo::Everyone),
            15..17 => entity.insert(self.random_rooms()),
            _ => entity.remove::<InRooms>(),
        };
    }

    /// A player goes elsewhere: all that is in a room comes or goes at once.
    fn move_player(&mut self, world: &mut World) {
        let rooms = self.random_rooms();
        if let Some(connection) = self.random.choice(&self.connections) {
            world.entity_mut(*connection).insert(rooms);
        }
    }

    fn random_rooms(&mut self) -> InRooms {
        let [lobby, arena] = self.rooms;
        match self.random.u32(..5) {
            0 => InRooms::one(lobby).with(arena),
            1 | 2 => InRooms::one(lobby),
            _ => InRooms::one(arena),
        }
    }
}
