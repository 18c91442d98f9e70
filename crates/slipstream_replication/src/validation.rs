//! What an owner may say: a check before a value reaches the world.

use core::marker::PhantomData;
use std::sync::Arc;

use bevy::prelude::*;
use slipstream_wire::BodyState;

use crate::body::{BodyCodec, KinematicBody};
use crate::codec::{NameEntities, ResolveEntities};
use crate::error::RecordError;
use crate::registration::Registration;
use crate::registry::ComponentCodec;

/// What the owner of an entity says that a component is, for the server to judge: see [`Registration::validate`].
pub struct Claim<'a, C> {
    /// What it says.
    pub value: &'a C,
    /// What the server has; `None` where the entity has no such component.
    pub current: Option<&'a C>,
    /// The entity, in the server's world.
    pub entity: Entity,
    /// The connection of its owner, in the server's world.
    pub connection: Entity,
    /// The server's ticks since it last took a value here, or said one itself. An honest owner on an uneven line is
    /// late in one tick and has two to say in the next, of which only the newest is judged.
    pub ticks: u32,
    /// The server's world, to look up what the answer depends on.
    pub world: &'a World,
}

impl<C> Claim<'_, C> {
    /// Another component of the entity.
    #[must_use]
    pub fn get<T: Component>(&self) -> Option<&T> {
        self.world.get::<T>(self.entity)
    }
}

/// What a server makes of a [`Claim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<C> {
    /// It is so.
    Accept,
    /// It is this instead, and the owner is told so.
    Correct(C),
    /// It stays as it was, and the owner is told so. An honest owner may say such a thing, on a bad line or by bad
    /// luck: it costs nothing. Why, for the log.
    Refuse(&'static str),
    /// The same, and it counts toward the connection's budget of errors, over which the connection ends: what only a
    /// cheat says. Why, for the log.
    Violation(&'static str),
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ruling {
    Accepted,
    Corrected,
    Refused { reason: &'static str, is_violation: bool },
}

/// A claim before its value is known.
pub(crate) struct Asked<'a> {
    pub(crate) world: &'a World,
    pub(crate) entity: Entity,
    pub(crate) connection: Entity,
    pub(crate) ticks: u32,
}

impl<'a> Asked<'a> {
    fn claim<C>(&self, value: &'a C, current: Option<&'a C>) -> Claim<'a, C> {
        let Self { world, entity, connection, ticks } = *self;
        Claim { value, current, entity, connection, ticks, world }
    }
}

/// The check of one component type, behind `dyn`.
pub(crate) trait Validate: Send + Sync {
    /// Judges what an owner said in words, and appends the words that shall be taken.
    ///
    /// # Errors
    /// When the words stand for no value.
    fn judge(&self, asked: &Asked, said: &[u32], taken: &mut Vec<u32>) -> Result<Ruling, RecordError>;
}

/// A correction that cannot travel is a mistake of the game: the owner pays nothing for it.
const NOT_REPRESENTABLE: Ruling =
    Ruling::Refused { reason: "what it is corrected to cannot be represented by its codec", is_violation: false };

struct ComponentCheck<C, F> {
    check: F,
    component: PhantomData<fn(C)>,
}

impl<C, F> Validate for ComponentCheck<C, F>
where
    C: Component,
    F: Fn(&Claim<'_, C>) -> Verdict<C> + Send + Sync + 'static,
{
    fn judge(&self, asked: &Asked, said: &[u32], taken: &mut Vec<u32>) -> Result<Ruling, RecordError> {
        let codec = &asked.world.resource::<ComponentCodec<C>>().codec;
        let mut resolve = ResolveEntities::new(asked.world.resource());
        let value = codec.dequantize(said, &mut resolve)?;
        let verdict = (self.check)(&asked.claim(&value, asked.world.get::<C>(asked.entity)));
        Ok(rule(verdict, said, taken, |corrected, taken| {
            let mut names = NameEntities::new(asked.world.resource());
            codec.quantize(&corrected, &mut names, taken).is_ok()
        }))
    }
}

struct BodyCheck<B, F> {
    check: F,
    body: PhantomData<fn(B)>,
}

impl<B, F> Validate for BodyCheck<B, F>
where
    B: KinematicBody,
    F: Fn(&Claim<'_, BodyState>) -> Verdict<BodyState> + Send + Sync + 'static,
{
    fn judge(&self, asked: &Asked, said: &[u32], taken: &mut Vec<u32>) -> Result<Ruling, RecordError> {
        let codec = asked.world.resource::<BodyCodec<B>>().codec;
        let value = codec.dequantize(said)?;
        let (pose, motion) = (asked.world.get::<B::Pose>(asked.entity), asked.world.get::<B::Motion>(asked.entity));
        let current = pose.zip(motion).map(|(pose, motion)| B::body(pose, motion));
        let verdict = (self.check)(&asked.claim(&value, current.as_ref()));
        Ok(rule(verdict, said, taken, |corrected, taken| {
            codec.quantize(&corrected, taken);
            true
        }))
    }
}

/// Appends what is taken under a verdict; `quantize` makes words of a correction, and whether it could.
fn rule<C>(
    verdict: Verdict<C>,
    said: &[u32],
    taken: &mut Vec<u32>,
    quantize: impl FnOnce(C, &mut Vec<u32>) -> bool,
) -> Ruling {
    match verdict {
        Verdict::Accept => {
            taken.extend_from_slice(said);
            Ruling::Accepted
        }
        Verdict::Correct(corrected) => {
            if quantize(corrected, taken) {
                Ruling::Corrected
            } else {
                NOT_REPRESENTABLE
            }
        }
        Verdict::Refuse(reason) => Ruling::Refused { reason, is_violation: false },
        Verdict::Violation(reason) => Ruling::Refused { reason, is_violation: true },
    }
}

impl<C: Component> Registration<'_, C> {
    /// The server asks `check` before it takes what an owner says that the component is. It goes with
    /// [`from_owner`](Self::from_owner).
    ///
    /// What is refused is never seen in the server's world, nor passed on; what is corrected is seen as corrected.
    /// Either way the owner is told at once what the server has, and shows that: the rule of
    /// [`from_owner`](Self::from_owner) makes it win over all that the owner said without knowing of it. What its
    /// systems write afterwards is judged anew. Both are counted in [`ReplicationStats`](crate::ReplicationStats).
    ///
    /// `check` is asked only about values that differ from what the server has, at most once an entity and frame, and
    /// must be cheap. An owner cannot take off a component that has one. Components of one [`lane`](Self::lane) are
    /// taken together or not at all.
    ///
    /// ```
    /// use bevy::prelude::*;
    /// use serde::{Deserialize, Serialize};
    /// use slipstream_replication::{AppReplicateExt, Claim, Verdict};
    ///
    /// #[derive(Component, Clone, Serialize, Deserialize)]
    /// struct Throttle(f32);
    ///
    /// #[derive(Component)]
    /// struct OutOfFuel;
    ///
    /// fn register(app: &mut App) {
    ///     app.replicate::<Throttle>().from_owner().validate(may_open);
    /// }
    ///
    /// fn may_open(claim: &Claim<Throttle>) -> Verdict<Throttle> {
    ///     if !claim.value.0.is_finite() {
    ///         return Verdict::Violation("no client of ours sends this");
    ///     }
    ///     if claim.get::<OutOfFuel>().is_some() && claim.value.0 > 0.0 {
    ///         // It may not have heard of it yet.
    ///         return Verdict::Refuse("there is no fuel");
    ///     }
    ///     match claim.value.0 {
    ///         0.0..=1.0 => Verdict::Accept,
    ///         other => Verdict::Correct(Throttle(other.clamp(0.0, 1.0))),
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    /// When the app is finished, where the component is not registered [`from_owner`](Self::from_owner).
    pub fn validate(self, check: impl Fn(&Claim<'_, C>) -> Verdict<C> + Send + Sync + 'static) -> Self {
        self.validator(Arc::new(ComponentCheck::<C, _> { check, component: PhantomData }))
    }
}

impl<B: KinematicBody> Registration<'_, B> {
    /// The same for a rigid body, whose pose and velocity are judged as one: see [`validate`](Registration::validate).
    ///
    /// ```
    /// use bevy::math::Vec3;
    /// use slipstream_replication::{BodyState, Claim, Verdict};
    ///
    /// /// At most 30 m/s, at 60 ticks a second, and room for an uneven line.
    /// fn may_move(claim: &Claim<BodyState>) -> Verdict<BodyState> {
    ///     let Some(current) = claim.current else { return Verdict::Accept };
    ///     let moved = Vec3::from(claim.value.position).distance(current.position.into());
    ///     if moved > (claim.ticks + 4) as f32 * 0.5 { Verdict::Refuse("it is too fast") } else { Verdict::Accept }
    /// }
    /// ```
    pub fn validate_body(
        self,
        check: impl Fn(&Claim<'_, BodyState>) -> Verdict<BodyState> + Send + Sync + 'static,
    ) -> Self {
        self.validator(Arc::new(BodyCheck::<B, _> { check, body: PhantomData }))
    }
}
