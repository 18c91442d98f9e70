//! What a world shows of its entities, under names that mean the same on every peer.

use std::collections::BTreeMap;

use bevy::prelude::*;
use bevy_slipstream::prelude::*;

use super::components::{Left, Place, Right};
use crate::scene::{Burning, Health, Secret, Steer, Target};

/// One entity at one tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glimpse {
    /// The local entity.
    pub entity: Entity,
    pub health: Option<u32>,
    pub burning: bool,
    /// Both, for they share a lane.
    pub hands: (Option<u32>, Option<u32>),
    pub place: Option<Place>,
    pub secret: Option<u32>,
    pub steer: Option<i32>,
    /// The inner `None` is a reference to what is not here.
    pub target: Option<Option<NetworkId>>,
    pub parent: Option<NetworkId>,
    pub owner: Option<PeerId>,
    pub controlled: bool,
}

pub type Glimpses = BTreeMap<NetworkId, Glimpse>;

type Parts = (
    Entity,
    Option<&'static Health>,
    Has<Burning>,
    Option<&'static Left>,
    Option<&'static Right>,
    Option<&'static Place>,
    Option<&'static Secret>,
    Option<&'static Steer>,
    Option<&'static Target>,
    Option<&'static ChildOf>,
    Option<&'static OwnedBy>,
    Has<Controlled>,
);

/// Looks at all entities of one world that have the marker `M`.
pub struct Eye<M: Component>(QueryState<Parts, With<M>>);

impl<M: Component> Eye<M> {
    pub fn of(world: &mut World) -> Self {
        Self(world.query_filtered())
    }

    /// Everything, as `name` calls it. An error where it has no name.
    pub fn look(&mut self, world: &World, name: impl Fn(Entity) -> Option<NetworkId>) -> Result<Glimpses, String> {
        let mut glimpses = Glimpses::new();
        for parts in self.0.iter(world) {
            let (entity, health, burning, left, right, place, secret, steer, target, parent, owner, controlled) = parts;
            let id = name(entity).ok_or_else(|| format!("{entity} is there and has no name"))?;
            let glimpse = Glimpse {
                entity,
                health: health.map(|health| health.0),
                burning,
                hands: (left.map(|left| left.0), right.map(|right| right.0)),
                place: place.copied(),
                secret: secret.map(|secret| secret.0),
                steer: steer.map(|steer| steer.0),
                target: target.map(|target| name(target.0)),
                parent: parent.and_then(|parent| name(parent.parent())),
                owner: owner.map(|owner| owner.peer),
                controlled,
            };
            glimpses.insert(id, glimpse);
        }
        Ok(glimpses)
    }
}
