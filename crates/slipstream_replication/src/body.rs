//! Rigid bodies: a pose and a velocity in two components, which travel as one value.
//!
//! The velocity tells where the pose should be by now, so that only what it does not tell is sent: see [`KinematicCodec`].

use core::any::TypeId;
use std::sync::{Arc, Mutex, PoisonError};

use bevy::ecs::component::Mutable;
use bevy::ecs::query::QueryState;
use bevy::ecs::system::SystemChangeTick;
use bevy::prelude::*;
use slipstream_connection::{NetworkId, NetworkRole, Role};
use slipstream_simulation::Controlled;
use slipstream_wire::{Baseline, BitReader, BitWriter, BodyState, KinematicCodec};

use crate::batch::Batch;
use crate::changes::visit_changed;
use crate::error::RecordError;
use crate::journal::Journal;
use crate::kind::{forget_first, is_of_a_kind, put_first};
use crate::registry::{Direction, ErasedComponent, References, Registry};
use crate::replicated::Slot;

/// Names the two components that a game keeps a rigid body's pose and velocity in.
///
/// ```
/// use bevy::prelude::*;
/// use slipstream_replication::{AppReplicateExt, BodyState, KinematicBody, KinematicCodec};
///
/// #[derive(Component)]
/// struct Velocity {
///     linear: Vec3,
///     angular: Vec3,
/// }
///
/// struct Vehicle;
///
/// impl KinematicBody for Vehicle {
///     type Pose = Transform;
///     type Motion = Velocity;
///
///     fn body(pose: &Transform, motion: &Velocity) -> BodyState {
///         BodyState {
///             position: pose.translation.to_array(),
///             rotation: pose.rotation.to_array(),
///             linear: motion.linear.to_array(),
///             angular: motion.angular.to_array(),
///         }
///     }
///
///     fn pose(body: &BodyState) -> Transform {
///         Transform::from_translation(body.position.into()).with_rotation(Quat::from_array(body.rotation))
///     }
///
///     fn motion(body: &BodyState) -> Velocity {
///         Velocity { linear: body.linear.into(), angular: body.angular.into() }
///     }
/// }
///
/// fn register(app: &mut App) {
///     app.replicate_body::<Vehicle>(KinematicCodec::new(-512.0..512.0, 0.001));
/// }
/// ```
pub trait KinematicBody: Send + Sync + 'static {
    /// Position and rotation, such as Bevy's `Transform`.
    type Pose: Component<Mutability = Mutable>;
    /// Linear and angular velocity, in m/s and rad/s, both in the world's axes.
    type Motion: Component<Mutability = Mutable>;

    /// Reads both.
    fn body(pose: &Self::Pose, motion: &Self::Motion) -> BodyState;

    /// The pose of a body that has none yet.
    fn pose(body: &BodyState) -> Self::Pose;

    /// The velocity of a body that has none yet.
    fn motion(body: &BodyState) -> Self::Motion;

    /// Writes both over what the entity has. Override it where a component holds more than travels, such as a scale.
    fn set(body: &BodyState, pose: &mut Self::Pose, motion: &mut Self::Motion) {
        *pose = Self::pose(body);
        *motion = Self::motion(body);
    }
}

/// A body behind `dyn`.
pub(crate) struct BodyComponent<B: KinematicBody> {
    codec: KinematicCodec,
    parts: Mutex<Option<Parts<B>>>,
}

type Parts<B> = QueryState<(&'static mut <B as KinematicBody>::Pose, &'static mut <B as KinematicBody>::Motion)>;

/// The codec and number of the body `B`, for its journal system.
#[derive(Resource)]
pub(crate) struct BodyCodec<B: KinematicBody> {
    pub(crate) codec: KinematicCodec,
    component: usize,
    direction: Direction,
    body: core::marker::PhantomData<fn(B)>,
}

impl<B: KinematicBody> BodyComponent<B> {
    pub(crate) fn new(codec: KinematicCodec) -> Arc<Self> {
        Arc::new(Self { codec, parts: Mutex::default() })
    }

    fn put(world: &mut World, entity: Entity, body: &BodyState) {
        // An entity that the game despawned by itself takes no more state.
        let Ok(mut entity) = world.get_entity_mut(entity) else { return };
        match entity.get_components_mut::<(&mut B::Pose, &mut B::Motion)>() {
            Ok((mut pose, mut motion)) => B::set(body, &mut pose, &mut motion),
            Err(_) => {
                entity.insert((B::pose(body), B::motion(body)));
            }
        }
    }

    /// Puts bodies on entities that lack a part of theirs, at once or with others of their kind.
    fn put_lacking(world: &mut World, lacking: Vec<(Entity, BodyState)>) {
        if lacking.is_empty() {
            return;
        }
        if is_of_a_kind::<B::Pose>(world) && is_of_a_kind::<B::Motion>(world) {
            put_first(world, lacking.iter().map(|(entity, body)| (*entity, B::pose(body))).collect());
            put_first(world, lacking.iter().map(|(entity, body)| (*entity, B::motion(body))).collect());
            return;
        }
        for (entity, body) in lacking {
            Self::put(world, entity, &body);
        }
    }
}

impl<B: KinematicBody> ErasedComponent for BodyComponent<B> {
    fn describe(&self) -> String {
        self.codec.describe()
    }

    fn continues_motion(&self) -> bool {
        true
    }

    fn dense(&self) -> Option<&KinematicCodec> {
        Some(&self.codec)
    }

    fn puts(&self) -> Vec<TypeId> {
        vec![TypeId::of::<B::Pose>(), TypeId::of::<B::Motion>()]
    }

    #[inline]
    fn write(&self, baseline: Option<Baseline>, words: &[u32], writer: &mut BitWriter) {
        self.codec.write(baseline, words, writer);
    }

    #[inline]
    fn read(
        &self,
        baseline: Option<Baseline>,
        reader: &mut BitReader,
        words: &mut Vec<u32>,
    ) -> Result<(), RecordError> {
        Ok(self.codec.read(baseline, reader, words)?)
    }

    fn quantize(&self, world: &World, entity: Entity, words: &mut Vec<u32>) -> Option<bool> {
        let (Some(pose), Some(motion)) = (world.get::<B::Pose>(entity), world.get::<B::Motion>(entity)) else {
            return Some(false);
        };
        self.codec.quantize(&B::body(pose, motion), words);
        Some(true)
    }

    fn apply(&self, world: &mut World, entity: Entity, words: &[u32]) -> Result<References, RecordError> {
        Self::put(world, entity, &self.codec.dequantize(words)?);
        Ok(References { resolved: true, found: Vec::new() })
    }

    fn apply_batch(&self, world: &mut World, batch: &mut Batch) {
        let mut refused = None;
        let mut lacking = Vec::new();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut present = parts.get_or_insert_with(|| world.query()).query_mut(world);
        for (entity, _, words) in batch.iter() {
            match self.codec.dequantize(words) {
                Ok(body) => match present.get_mut(entity) {
                    Ok((mut pose, mut motion)) => B::set(&body, &mut pose, &mut motion),
                    Err(_) => lacking.push((entity, body)),
                },
                Err(error) => refused = Some(error.into()),
            }
        }
        drop(parts);
        batch.refused = refused;
        Self::put_lacking(world, lacking);
    }

    fn detach(&self, _: &mut World, _: Entity, _: &[u32], _: NetworkId) {}

    fn remove(&self, world: &mut World, entity: Entity) {
        forget_first::<B::Pose>(world, entity);
        forget_first::<B::Motion>(world, entity);
        if let Ok(mut entity) = world.get_entity_mut(entity) {
            entity.remove::<(B::Pose, B::Motion)>();
        }
    }

    fn carry(&self, world: &mut World, from: Entity, to: Entity) {
        let body = world.get_entity_mut(from).ok().and_then(|mut entity| entity.take::<(B::Pose, B::Motion)>());
        if let (Some(body), Ok(mut entity)) = (body, world.get_entity_mut(to)) {
            entity.insert(body);
        }
    }

    fn number(&self, world: &mut World, component: usize) {
        let direction = world.resource::<Registry>().components.get(component).map(|entry| entry.options.direction);
        world.insert_resource(BodyCodec::<B> {
            codec: self.codec,
            component,
            direction: direction.unwrap_or_default(),
            body: core::marker::PhantomData,
        });
    }
}

/// Quantises every body of which a part changed since the last tick, and all of entities that are new.
pub(crate) fn journal_bodies<B: KinematicBody>(
    changed: Query<(&Slot, &B::Pose, &B::Motion, Has<Controlled>), Or<(Changed<B::Pose>, Changed<B::Motion>)>>,
    tables: Query<(&Slot, Ref<B::Pose>, Ref<B::Motion>)>,
    bodies: Query<(&Slot, &B::Pose, &B::Motion, Has<Controlled>)>,
    since: SystemChangeTick,
    codec: Option<Res<BodyCodec<B>>>,
    role: Res<NetworkRole>,
    mut words: Local<Vec<u32>>,
    mut journal: ResMut<Journal>,
) {
    let Some(codec) = codec else { return };
    // A client is the source of only what it owns and may send.
    let client = role.0 == Role::Client;
    if client && codec.direction != Direction::FromOwner {
        return;
    }
    let fresh = core::mem::take(&mut journal.fresh);
    let mut note = |slot: &Slot, pose: &B::Pose, motion: &B::Motion| {
        words.clear();
        codec.codec.quantize(&B::body(pose, motion), &mut words);
        journal.note(slot.index, codec.component, Some(&words));
    };
    match tables.contiguous_iter() {
        Ok(tables) if !client => {
            for (slots, poses, motions) in tables {
                let ticks = [poses.changed_ticks_slice(), motions.changed_ticks_slice()];
                let (poses, motions) = (poses.into_inner(), motions.into_inner());
                visit_changed(ticks, &since, |row| note(&slots[row], &poses[row], &motions[row]));
            }
        }
        // Not in tables, or few of many.
        _ => {
            for (slot, pose, motion, controlled) in &changed {
                if !client || controlled {
                    note(slot, pose, motion);
                }
            }
        }
    }
    for (slot, pose, motion, controlled) in fresh.iter().filter_map(|entity| bodies.get(*entity).ok()) {
        if !client || controlled {
            note(slot, pose, motion);
        }
    }
    journal.fresh = fresh;
}

/// A part was taken off a replicated body: it is none any more.
pub(crate) fn journal_body_removal<B: KinematicBody, Part: Component>(
    removed: On<Remove, Part>,
    slots: Query<&Slot>,
    codec: Option<Res<BodyCodec<B>>>,
    role: Option<Res<NetworkRole>>,
    mut journal: ResMut<Journal>,
) {
    let (Ok(slot), Some(codec), Some(role)) = (slots.get(removed.entity), codec, role) else { return };
    if role.0 != Role::Client || codec.direction == Direction::FromOwner {
        journal.note(slot.index, codec.component, None);
    }
}
