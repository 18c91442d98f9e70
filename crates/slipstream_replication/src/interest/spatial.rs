//! Distance: what moves is kept in the grid, and connections look around in it.

use bevy::prelude::*;
use slipstream_simulation::{Owned, SimulationTick};

use super::grid::Grid;
use super::note::root_of;
use super::sight::{Eye, update_sight};
use super::{AlwaysRelevant, Interest, SpatialInterest, Surroundings, Vicinity, Viewpoint};
use crate::replicated::Slot;
use crate::slots::Slots;

/// What has a position of its own.
type Roots = (Without<ChildOf>, Without<AlwaysRelevant>);

/// Makes the grid where [`SpatialInterest`] came, another where it has other cells, and none where it went.
pub(super) fn lay_grid(
    spatial: Option<Res<SpatialInterest>>,
    roots: Query<(&Slot, &Transform), Roots>,
    mut surroundings: ResMut<Surroundings>,
    mut slots: ResMut<Slots>,
) {
    let fits = match (&spatial, &surroundings.grid) {
        (None, None) => true,
        (Some(spatial), Some(grid)) => !spatial.is_changed() || grid.has_cells_of(spatial.cell, spatial.axes),
        _ => false,
    };
    if fits {
        return;
    }
    let surroundings = &mut *surroundings;
    let before = surroundings.grid.take();
    if let Some(grid) = &before {
        for slot in grid.slots() {
            surroundings.vanished.push(slot);
            surroundings.review(slot, &mut slots);
        }
    }
    let Some(spatial) = spatial else { return };
    let clock = before.map_or(0, |grid| grid.clock());
    surroundings.grid = Some(Grid::new(spatial.cell, spatial.axes, clock + 1));
    for (slot, transform) in &roots {
        surroundings.place(slot.index(), Some(transform.translation));
        surroundings.review(slot.index(), &mut slots);
    }
}

/// Keeps the grid true to what moved. What stands still costs nothing.
pub(super) fn move_entities(
    moved: Query<(&Slot, &Transform), (Changed<Transform>, Roots)>,
    mut surroundings: ResMut<Surroundings>,
    mut slots: ResMut<Slots>,
) {
    if surroundings.grid.is_none() {
        return;
    }
    for (slot, transform) in &moved {
        if surroundings.place(slot.index(), Some(transform.translation)) {
            surroundings.review(slot.index(), &mut slots);
        }
    }
}

/// Brings each connection's sight up to date: what is new in the grid at once, the rest when it is the connection's turn.
pub(super) fn look_around(
    mut connections: Query<(Entity, &mut Interest, Option<&Owned>)>,
    viewpoints: Query<Option<&Vicinity>, With<Viewpoint>>,
    transforms: Query<&Transform>,
    parents: Query<&ChildOf>,
    spatial: Option<Res<SpatialInterest>>,
    tick: Res<SimulationTick>,
    mut surroundings: ResMut<Surroundings>,
    mut eyes: Local<Vec<Eye>>,
) {
    let surroundings = &mut *surroundings;
    for (connection, mut interest, owned) in &mut connections {
        let Interest { sight, reviewed, phase, .. } = &mut *interest;
        let (Some(grid), Some(spatial)) = (&surroundings.grid, &spatial) else {
            sight.close();
            continue;
        };
        sight.begin(&surroundings.vanished);
        let turn = tick.0.get().wrapping_add(phase.unwrap_or_default());
        if sight.is_blind() || turn.is_multiple_of(spatial.every_ticks.max(1)) {
            eyes.clear();
            let owned = owned.map(Owned::entities).unwrap_or_default();
            for entity in core::iter::once(&connection).chain(owned) {
                if let Ok(vicinity) = viewpoints.get(*entity)
                    && let Ok(transform) = transforms.get(root_of(*entity, &parents))
                {
                    eyes.push(Eye::new(transform.translation, vicinity.copied().unwrap_or(spatial.vicinity())));
                }
            }
            update_sight(sight, grid, &eyes);
        }
        for slot in &surroundings.appeared {
            sight.notice(*slot, grid);
        }
        for root in sight.entered.iter().chain(&sight.left) {
            reviewed.push(*root);
            reviewed.extend_from_slice(surroundings.families.members(*root));
        }
    }
    surroundings.appeared.clear();
    surroundings.vanished.clear();
}
