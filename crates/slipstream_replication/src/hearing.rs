//! On a server: what owners tell of their entities reaches the world, or does not.
//!
//! ```text
//! value of a lane ── counts? ── has the server changed it meanwhile? ── validators ──► components, journal
//!                      │ no       │ yes                                    │ no
//!                      ▼          ▼                                        ▼
//!                    nowhere    the server says what it has, and that word wins (see `precedence`)
//! ```
//!
//! Owners tell little, one entity at a time; so it goes onto entities one by one, where a client takes in whole columns.

use std::sync::Arc;

use bevy::prelude::*;
use slipstream_connection::Endpoint;
use slipstream_wire::Tick;

use crate::error::RecordError;
use crate::incoming::{Change, Incoming, LaneNews};
use crate::journal::Journal;
use crate::record::parts;
use crate::registry::{ErasedComponent, Registry};
use crate::slots::Slots;
use crate::validation::{Asked, Ruling, Validate};
use crate::view::View;

/// How values get onto entities, and memory that is used again for each.
#[derive(Resource, Default)]
pub(crate) struct Hearing {
    components: Vec<HeardComponent>,
    /// The components of each lane.
    lanes: Vec<Vec<usize>>,
    taken: Vec<Taken>,
    /// The words of what is taken.
    words: Vec<u32>,
    scratch: Vec<u32>,
}

struct HeardComponent {
    name: String,
    erased: Arc<dyn ErasedComponent>,
    validator: Option<Arc<dyn Validate>>,
}

/// One component that changes: its words, or that it goes.
#[derive(Debug, Clone, Copy)]
struct Taken {
    component: usize,
    is_present: bool,
    start: usize,
    end: usize,
}

/// A value that an owner told of one lane.
#[derive(Debug, Clone, Copy)]
struct Told {
    slot: u32,
    epoch: u8,
    lane: usize,
    value: Tick,
}

/// What the validators made of all of it.
enum Outcome {
    Passed { is_corrected: bool },
    Refused { component: usize, reason: &'static str, is_violation: bool },
    Malformed(RecordError),
}

/// Takes in what an owner told.
pub(crate) fn hear_owner(world: &mut World, connection: Entity, incoming: &mut Incoming, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    note_server_words(world);
    let told = || changes.iter().filter_map(Told::from_change);
    let mut slots = world.resource_mut::<Slots>();
    for told in told() {
        slots.precedence.note_claim(told.slot, told.lane, told.value);
    }
    world.resource_scope(|world, mut hearing: Mut<Hearing>| {
        for told in told() {
            hearing.hear(world, connection, incoming, told);
        }
    });
}

/// What the server said since it was last looked through: no word of an owner that has come counts any more.
fn note_server_words(world: &mut World) {
    let mut spoken = core::mem::take(&mut world.resource_mut::<Journal>().spoken);
    world.resource_mut::<Slots>().precedence.take_in(&mut spoken);
    // Empty now; its memory is used again.
    world.resource_mut::<Journal>().spoken = spoken;
}

impl Told {
    fn from_change(change: &Change) -> Option<Self> {
        match *change {
            Change::Lane { slot, epoch, lane, value } => Some(Self { slot, epoch, lane, value }),
            // Owners announce nothing.
            Change::Appear { .. } | Change::Vanish { .. } => None,
        }
    }
}

impl Hearing {
    pub(crate) fn of(registry: &Registry) -> Self {
        let components = registry.components.iter().map(|entry| HeardComponent {
            name: entry.name.clone(),
            erased: Arc::clone(&entry.erased),
            validator: entry.validator.clone(),
        });
        let lanes = registry.lanes.iter().map(|lane| lane.components.clone());
        Self { components: components.collect(), lanes: lanes.collect(), ..Self::default() }
    }

    fn hear(&mut self, world: &mut World, connection: Entity, incoming: &mut Incoming, told: Told) {
        let Told { slot, epoch, lane, value } = told;
        let Some(LaneNews { entity, .. }) = incoming.news(slot, epoch, lane, value) else { return };
        if !counts(world, told) || world.get_entity(entity).is_err() {
            return;
        }
        self.note_present(world, entity, told);
        if !counts(world, told) {
            // The server has changed it since the last tick, and the owner cannot know.
            return;
        }
        let Some(said) = incoming.value(slot, lane, value) else { return };
        let outcome = self.judge(world, (entity, connection), told, said);
        match outcome {
            Outcome::Passed { is_corrected } => {
                incoming.show(slot, lane, value);
                let failed = self.take(world, entity, told);
                let now = world.resource::<Journal>().tick;
                world.resource_mut::<Slots>().precedence.settle(told.slot, told.lane, now);
                if is_corrected || failed.is_some() {
                    say_again(world, told);
                }
                if is_corrected && let Some(mut view) = world.get_mut::<View>(connection) {
                    view.count_correction();
                }
                if failed.is_some() {
                    incoming.refused = failed;
                }
            }
            Outcome::Refused { component, reason, is_violation } => {
                say_again(world, told);
                if let Some(mut view) = world.get_mut::<View>(connection) {
                    view.count_refusal();
                }
                trace!("a claim of {connection} about {entity} is refused: {reason}");
                if is_violation && let Some(mut endpoint) = world.get_mut::<Endpoint>(connection) {
                    let name = self.components.get(component).map_or("", |component| component.name.as_str());
                    endpoint.report_violation(format!("a `{name}` that the game does not allow: {reason}"));
                }
            }
            Outcome::Malformed(error) => {
                say_again(world, told);
                incoming.refused = Some(error);
            }
        }
    }

    /// Journals what the entity has, so that what the server changed in this frame is known for its own word.
    fn note_present(&mut self, world: &mut World, entity: Entity, told: Told) {
        let Self { components, lanes, scratch, .. } = self;
        for component in lanes.get(told.lane).into_iter().flatten() {
            let Some(HeardComponent { erased, .. }) = components.get(*component) else { continue };
            scratch.clear();
            if let Some(is_present) = erased.quantize(world, entity, scratch) {
                let words = is_present.then_some(scratch.as_slice());
                world.resource_mut::<Journal>().note(told.slot, *component, words);
            }
        }
        note_server_words(world);
    }

    /// Takes down what changes in a lane, as far as it passes.
    fn judge(&mut self, world: &World, (entity, connection): (Entity, Entity), told: Told, said: &[u32]) -> Outcome {
        let Self { components, lanes, taken, words, .. } = self;
        taken.clear();
        words.clear();
        let journal = world.resource::<Journal>();
        let precedence = &world.resource::<Slots>().precedence;
        let ticks = precedence.ticks_since_settled(told.slot, told.lane, journal.tick);
        let asked = Asked { world, entity, connection, ticks };
        let mut is_corrected = false;
        for (component, new) in lanes.get(told.lane).into_iter().flatten().zip(parts(said)) {
            let component = *component;
            let present = journal.part(told.slot, component);
            if new == present {
                continue;
            }
            let start = words.len();
            let validator = components.get(component).and_then(|component| component.validator.as_ref());
            let ruling = match (validator, new) {
                (Some(validator), Some(new)) => match validator.judge(&asked, new, words) {
                    Ok(ruling) => ruling,
                    Err(error) => return Outcome::Malformed(error),
                },
                (Some(_), None) => {
                    Ruling::Refused { reason: "an owner cannot take off what has a validator", is_violation: false }
                }
                (None, new) => {
                    words.extend_from_slice(new.unwrap_or_default());
                    Ruling::Accepted
                }
            };
            match ruling {
                Ruling::Accepted => {}
                Ruling::Corrected => is_corrected = true,
                Ruling::Refused { reason, is_violation } => {
                    return Outcome::Refused { component, reason, is_violation };
                }
            }
            // It may have been corrected to what is there.
            if new.is_none() || words.get(start..) != present {
                taken.push(Taken { component, is_present: new.is_some(), start, end: words.len() });
            }
        }
        Outcome::Passed { is_corrected }
    }

    /// Puts what was taken down on the entity. The error of what stands for no value.
    fn take(&mut self, world: &mut World, entity: Entity, told: Told) -> Option<RecordError> {
        let Self { components, taken, words, scratch, .. } = self;
        let mut failed = None;
        for Taken { component, is_present, start, end } in taken.iter().copied() {
            let Some(HeardComponent { erased, .. }) = components.get(component) else { continue };
            let new = words.get(start..end).filter(|_| is_present);
            let mut journal = world.resource_mut::<Journal>();
            scratch.clear();
            let before = journal.part(told.slot, component);
            let had = before.is_some();
            scratch.extend_from_slice(before.unwrap_or_default());
            // Before it is there: what an observer of it changes is the server's word, and is told from this one.
            journal.note_claim(told.slot, component, new);
            let Some(new) = new else {
                erased.remove(world, entity);
                continue;
            };
            if let Err(error) = erased.apply(world, entity, new) {
                let before = had.then_some(scratch.as_slice());
                world.resource_mut::<Journal>().note_claim(told.slot, component, before);
                failed = Some(error);
            }
        }
        failed
    }
}

fn counts(world: &World, told: Told) -> bool {
    world.resource::<Slots>().precedence.counts(told.slot, told.lane, told.value)
}

/// The owner, who thinks otherwise, is told what the server has.
fn say_again(world: &mut World, told: Told) {
    world.resource_mut::<Journal>().say_again(told.slot, told.lane);
    note_server_words(world);
}
