//! Interest: which of the replicated entities a connection should see.
//!
//! An entity is in a connection's sight when every rule says yes:
//!
//! | rule | says no to | changes when |
//! |---|---|---|
//! | [`VisibleTo`](crate::VisibleTo) | whom the entity's component leaves out | the component, the owner or a [`Team`] changes |
//! | [`InRooms`] | connections that share no room with the entity | either side changes rooms |
//! | [`SpatialInterest`] | what is far from all of the connection's [`Viewpoint`]s | something moves; looked at every few ticks |
//! | filters of [`AppInterestExt`] | what the game's own function refuses | asked anew every few ticks |
//!
//! Coming into sight is a spawn to the client and going out of it a despawn, or a standstill with [`OnLeave::Freeze`].
//! Of what is in sight, an [`Audience`] may keep single components back.
//!
//! ```text
//! FixedPostUpdate, ReplicationSystems::Interest (after Journal, before Pack), on a server or host
//!   lay_grid          SpatialInterest came, went or has other cells
//!   note_entities     rooms, teams, families and options of what was changed since the last tick
//!   move_entities     Changed<Transform> of roots with a slot -> Grid
//!   look_around       per connection, every few ticks: Grid around its viewpoints -> Sight
//!   judge_candidates  per connection: the game's filters, where there are any
//! ```
//!
//! The result is a list of slots to review: those of all connections in `Slots::reviewed`, those of one connection in
//! `Interest::reviewed`. For each of them the view asks `Surroundings::sees`, and enters or leaves. A slot in neither list
//! is as visible as it was.
//!
//! **Cost.** What does not change costs nothing: options are noted by observers, moves by change detection. A connection
//! whose neighbourhood stands still compares one number a look; otherwise a look costs in proportion to the cells around its
//! viewpoints and the entities in them. Memory is one grid entry an entity, and one entry for each entity in a connection's
//! sight.

mod audience;
mod family;
mod filter;
mod grid;
mod leave;
mod membership;
mod note;
mod room;
mod sight;
mod slot_map;
mod spatial;
mod surroundings;
mod team;
mod viewpoint;

pub use self::audience::{Audience, Reveal};
pub use self::filter::AppInterestExt;
pub use self::grid::Axes;
pub use self::leave::{Frozen, OnLeave};
pub use self::room::{InRooms, Room};
pub use self::team::Team;
pub use self::viewpoint::{AlwaysRelevant, SpatialInterest, Vicinity, Viewpoint};

pub(crate) use self::audience::{LaneAudiences, Relation};
pub(crate) use self::surroundings::Surroundings;

use bevy::prelude::*;
use slipstream_connection::is_server;

use self::filter::{InterestFilters, judge_candidates};
use self::note::{note_entities, note_inserted, note_removed, vacate_slot};
use self::room::{empty_room, leave_rooms};
use self::sight::Sight;
use self::slot_map::SlotMap;
use self::spatial::{lay_grid, look_around, move_entities};
use crate::systems::ReplicationSystems;

/// One connection's side of interest. It is on every connection that has a view.
#[derive(Component, Default)]
pub(crate) struct Interest {
    /// Slots whose visibility to this connection may have changed in this tick, besides those of `Slots::reviewed`.
    pub(crate) reviewed: Vec<u32>,
    rooms: Vec<Entity>,
    team: Option<Team>,
    sight: Sight,
    /// What the game's filters said of each candidate; `None` without filters.
    verdicts: Option<SlotMap<bool>>,
    /// Spreads the connections' looks over the ticks. `None` until the connection is noted.
    phase: Option<u32>,
}

impl Interest {
    /// Whether the game's filters let the connection see the slot.
    fn passes(&self, slot: u32) -> bool {
        self.verdicts.as_ref().is_none_or(|verdicts| verdicts.get(slot) == Some(true))
    }
}

/// Decides what each connection should see.
pub(crate) struct InterestPlugin;

impl Plugin for InterestPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Surroundings>()
            .add_systems(
                FixedPostUpdate,
                (
                    lay_grid,
                    note_entities,
                    move_entities,
                    look_around,
                    judge_candidates.run_if(resource_exists::<InterestFilters>),
                )
                    .chain()
                    .in_set(ReplicationSystems::Interest)
                    .run_if(is_server),
            )
            .add_observer(note_inserted)
            .add_observer(note_removed)
            .add_observer(vacate_slot)
            .add_observer(empty_room)
            .add_observer(leave_rooms);
    }
}
