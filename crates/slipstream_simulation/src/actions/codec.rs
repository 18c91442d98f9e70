//! The levels of actions, packed into a few bits.

use core::marker::PhantomData;

use bevy::prelude::*;
use leafwing_input_manager::InputControlKind;
use leafwing_input_manager::action_state::ActionState;
use leafwing_input_manager::buttonlike::ButtonState;
use slipstream_wire::{BitReader, BitWriter};

use crate::actions::NetworkActions;
use crate::actions::levels::Levels;
use crate::input::{InputCodec, InputError, MAX_SAMPLE_BYTES, SampleSize};

/// The values an axis may have, and how finely they travel: `-limit` to `limit`, both and zero
/// exactly, in `2^bits - 2` steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AxisRange {
    limit: f32,
    bits: u32,
}

impl Default for AxisRange {
    /// -1 to 1 in 10 bits: steps of 0.002.
    fn default() -> Self {
        Self { limit: 1.0, bits: 10 }
    }
}

impl AxisRange {
    /// Values from `-limit` to `limit` in so many bits, from 2 to 20. What is beyond is cut off.
    ///
    /// # Panics
    ///
    /// Panics unless `limit` is positive and finite and `bits` is from 2 to 20.
    pub const fn new(limit: f32, bits: u32) -> Self {
        assert!(limit > 0.0 && limit.is_finite(), "the limit of an axis must be positive and finite");
        // With more, the rounding of `f32` would reach the next step.
        assert!(matches!(bits, 2..=20), "an axis takes 2 to 20 bits");
        Self { limit, bits }
    }

    /// The largest difference between a value in the range and what arrives.
    pub fn max_error(self) -> f32 {
        self.limit / self.steps() as f32 / 2.0
    }

    /// Steps from zero to the limit. There are as many below zero, so zero is one of the values.
    fn steps(self) -> i32 {
        (1 << (self.bits - 1)) - 1
    }

    fn quantize(self, value: f32) -> u32 {
        let steps = self.steps();
        let value = if value.is_nan() { 0.0 } else { value };
        let scaled = value.clamp(-self.limit, self.limit) / self.limit * steps as f32;
        (scaled.round() as i32 + steps) as u32
    }

    /// Takes any number; what is over the range becomes the limit.
    fn dequantize(self, quantized: u32) -> f32 {
        let steps = self.steps();
        let step = quantized.min(2 * steps as u32) as i32 - steps;
        step as f32 / steps as f32 * self.limit
    }
}

/// How one action is packed.
#[derive(Clone, Copy, Debug)]
enum Packing {
    Button,
    /// So many axes of the same range.
    Axes(usize, AxisRange),
}

impl Packing {
    fn of<A: NetworkActions>(action: &A) -> Self {
        let axes = match action.input_control_kind() {
            InputControlKind::Button => return Self::Button,
            InputControlKind::Axis => 1,
            InputControlKind::DualAxis => 2,
            InputControlKind::TripleAxis => 3,
        };
        Self::Axes(axes, action.axis_range())
    }

    fn values(self) -> usize {
        match self {
            Self::Button => 1,
            Self::Axes(axes, _) => axes,
        }
    }

    fn bits_per_value(self) -> u32 {
        match self {
            Self::Button => 1,
            Self::Axes(_, range) => range.bits,
        }
    }
}

/// The levels of all actions at one tick: 1 or 0 for a button, quantised values for axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedActions(Levels);

/// The [`InputCodec`] of `ActionState<A>`.
pub struct ActionCodec<A: NetworkActions> {
    packings: Vec<Packing>,
    actions: PhantomData<fn() -> A>,
}

impl<A: NetworkActions> Default for ActionCodec<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: NetworkActions> ActionCodec<A> {
    /// Reads the list of actions and their ranges.
    ///
    /// # Panics
    ///
    /// Panics if all actions together take more than [`MAX_SAMPLE_BYTES`].
    pub fn new() -> Self {
        let codec = Self { packings: A::actions().iter().map(Packing::of).collect(), actions: PhantomData };
        assert!(
            codec.bits() <= MAX_SAMPLE_BYTES as u32 * 8,
            "the actions of `{}` take {} bits, at most {} are allowed; list fewer actions or give \
             their axes fewer bits",
            A::type_path(),
            codec.bits(),
            MAX_SAMPLE_BYTES * 8,
        );
        codec
    }

    fn bits(&self) -> u32 {
        self.packings.iter().map(|packing| packing.values() as u32 * packing.bits_per_value()).sum()
    }

    /// Each action with its packing and its values in a state.
    fn unpack<'a>(&'a self, state: &'a PackedActions) -> impl Iterator<Item = (&'static A, Packing, &'a [u32])> {
        let mut rest = state.0.as_slice();
        A::actions().iter().zip(&self.packings).map(move |(action, packing)| {
            let (values, after) = rest.split_at_checked(packing.values()).unwrap_or((&[], &[]));
            rest = after;
            (action, *packing, values)
        })
    }
}

impl<A: NetworkActions> InputCodec<ActionState<A>> for ActionCodec<A> {
    type State = PackedActions;

    fn size(&self) -> SampleSize {
        SampleSize::Bits(self.bits())
    }

    fn parameters(&self) -> String {
        let mut parameters = String::from("actions");
        for (action, packing) in A::actions().iter().zip(&self.packings) {
            parameters.push_str(&match packing {
                Packing::Button => format!(" {action:?}:button"),
                Packing::Axes(axes, range) => {
                    format!(" {action:?}:{axes}x{}bit±{}", range.bits, range.limit)
                }
            });
        }
        parameters
    }

    fn neutral(&self) -> PackedActions {
        let mut values = Levels::NONE;
        for packing in &self.packings {
            match packing {
                Packing::Button => values.push(0),
                Packing::Axes(axes, range) => {
                    values.extend(core::iter::repeat_n(range.quantize(0.0), *axes));
                }
            }
        }
        PackedActions(values)
    }

    fn sample(&self, component: &ActionState<A>) -> PackedActions {
        let mut values = Levels::NONE;
        for (action, packing) in A::actions().iter().zip(&self.packings) {
            match *packing {
                Packing::Button => values.push(u32::from(component.pressed(action))),
                Packing::Axes(1, range) => values.push(range.quantize(component.value(action))),
                Packing::Axes(2, range) => {
                    let pair = component.axis_pair(action);
                    values.extend(pair.to_array().map(|value| range.quantize(value)));
                }
                Packing::Axes(_, range) => {
                    let triple = component.axis_triple(action);
                    values.extend(triple.to_array().map(|value| range.quantize(value)));
                }
            }
        }
        PackedActions(values)
    }

    fn apply(&self, previous: &PackedActions, state: &PackedActions, mut component: Mut<'_, ActionState<A>>) {
        let before = self.unpack(previous);
        for ((action, packing, values), (.., old)) in self.unpack(state).zip(before) {
            match (packing, values) {
                (Packing::Button, [level]) => {
                    let data = component.button_data_mut_or_default(action);
                    data.state = button_state(old == [1_u32], *level == 1);
                    data.value = if *level == 1 { 1.0 } else { 0.0 };
                }
                (Packing::Axes(_, range), [value]) => {
                    component.set_value(action, range.dequantize(*value));
                }
                (Packing::Axes(_, range), [x, y]) => {
                    let pair = Vec2::new(range.dequantize(*x), range.dequantize(*y));
                    component.set_axis_pair(action, pair);
                }
                (Packing::Axes(_, range), [x, y, z]) => {
                    let [x, y, z] = [x, y, z].map(|value| range.dequantize(*value));
                    component.set_axis_triple(action, Vec3::new(x, y, z));
                }
                _ => {}
            }
        }
    }

    fn write(&self, state: &PackedActions, out: &mut BitWriter) -> Result<(), InputError> {
        for (_, packing, values) in self.unpack(state) {
            for value in values {
                out.write_bits(u64::from(*value), packing.bits_per_value());
            }
        }
        Ok(())
    }

    fn read(&self, reader: &mut BitReader<'_>) -> Result<PackedActions, InputError> {
        let mut values = Levels::NONE;
        for packing in &self.packings {
            for _ in 0..packing.values() {
                let value = reader.read_bits(packing.bits_per_value())? as u32;
                values.push(match packing {
                    Packing::Button => value,
                    // The one code that no honest sender writes becomes the limit here, so that
                    // it is equal to what it means.
                    Packing::Axes(_, range) => value.min(2 * range.steps() as u32),
                });
            }
        }
        Ok(PackedActions(values))
    }
}

fn button_state(before: bool, now: bool) -> ButtonState {
    match (before, now) {
        (false, true) => ButtonState::JustPressed,
        (true, true) => ButtonState::Pressed,
        (true, false) => ButtonState::JustReleased,
        (false, false) => ButtonState::Released,
    }
}

#[cfg(test)]
mod tests {
    use leafwing_input_manager::Actionlike;

    use super::*;

    #[derive(Actionlike, Clone, Copy, Debug, PartialEq, Eq, Hash, Reflect)]
    enum Action {
        Fire,
        #[actionlike(Axis)]
        Throttle,
        #[actionlike(DualAxis)]
        Aim,
        #[actionlike(TripleAxis)]
        Thrust,
    }

    impl NetworkActions for Action {
        fn actions() -> &'static [Self] {
            &[Self::Fire, Self::Throttle, Self::Aim, Self::Thrust]
        }

        fn axis_range(&self) -> AxisRange {
            match self {
                Self::Aim => AxisRange::new(core::f32::consts::PI, 14),
                _ => AxisRange::default(),
            }
        }
    }

    fn apply(previous: &PackedActions, state: &PackedActions) -> ActionState<Action> {
        let mut world = World::new();
        let entity = world.spawn(ActionState::<Action>::default()).id();
        let mut entity = world.entity_mut(entity);
        let component = entity.get_mut::<ActionState<Action>>().unwrap();
        ActionCodec::<Action>::new().apply(previous, state, component);
        entity.get::<ActionState<Action>>().unwrap().clone()
    }

    #[test]
    fn actions_take_the_bits_they_declare_and_come_back_within_their_error() {
        let codec = ActionCodec::<Action>::new();
        assert_eq!(codec.size(), SampleSize::Bits(1 + 10 + 2 * 14 + 3 * 10));
        let mut actions = ActionState::<Action>::default();
        actions.press(&Action::Fire);
        actions.set_value(&Action::Throttle, -0.377);
        actions.set_axis_pair(&Action::Aim, Vec2::new(3.0, -0.001));
        actions.set_axis_triple(&Action::Thrust, Vec3::new(0.5, 7.0, f32::NAN));
        let state = codec.sample(&actions);
        let mut out = BitWriter::new();
        codec.write(&state, &mut out).unwrap();
        assert_eq!(out.bit_len(), 69);
        let bytes = out.to_bytes();
        let decoded = codec.read(&mut BitReader::new(&bytes)).unwrap();
        assert_eq!(decoded, state);

        let applied = apply(&codec.neutral(), &decoded);
        assert!(applied.just_pressed(&Action::Fire));
        assert!((applied.value(&Action::Throttle) + 0.377).abs() <= 0.001);
        let aim = applied.axis_pair(&Action::Aim);
        assert!((aim - Vec2::new(3.0, -0.001)).abs().max_element() <= 0.0002, "{aim}");
        let thrust = applied.axis_triple(&Action::Thrust);
        assert_eq!((thrust.y, thrust.z), (1.0, 0.0));
        assert_eq!(codec.sample(&applied), state, "sampling what was applied changes nothing");
    }

    #[test]
    fn rest_and_full_deflection_are_exact() {
        for range in [AxisRange::default(), AxisRange::new(0.3, 2), AxisRange::new(3.0, 20)] {
            for value in [0.0, range.limit, -range.limit] {
                assert_eq!(range.dequantize(range.quantize(value)), value);
            }
            for quantized in (0..=2 * range.steps() as u32).step_by(97) {
                assert_eq!(range.quantize(range.dequantize(quantized)), quantized);
            }
        }
    }

    #[test]
    fn edges_follow_from_the_levels_of_two_ticks() {
        let codec = ActionCodec::<Action>::new();
        let up = codec.neutral();
        let down = {
            let mut actions = ActionState::<Action>::default();
            actions.press(&Action::Fire);
            codec.sample(&actions)
        };
        let edges = |previous, state| {
            let actions = apply(previous, state);
            (actions.pressed(&Action::Fire), actions.just_pressed(&Action::Fire), actions.just_released(&Action::Fire))
        };
        assert_eq!(edges(&up, &down), (true, true, false));
        assert_eq!(edges(&down, &down), (true, false, false));
        assert_eq!(edges(&down, &up), (false, false, true));
        assert_eq!(edges(&up, &up), (false, false, false));
    }

    #[test]
    fn any_bits_decode_to_something_in_range_and_too_few_are_an_error() {
        let codec = ActionCodec::<Action>::new();
        let ones = [0xff; 9];
        let state = codec.read(&mut BitReader::new(&ones)).unwrap();
        let actions = apply(&codec.neutral(), &state);
        assert_eq!(actions.value(&Action::Throttle), 1.0);
        assert_eq!(codec.sample(&actions), state);
        assert!(codec.read(&mut BitReader::new(&ones[..8])).is_err());
    }

    #[test]
    fn a_disabled_action_is_at_rest() {
        let codec = ActionCodec::<Action>::new();
        let mut actions = ActionState::<Action>::default();
        actions.press(&Action::Fire);
        actions.set_value(&Action::Throttle, 1.0);
        actions.disable_all_actions();
        assert_eq!(codec.sample(&actions), codec.neutral());
    }

    #[test]
    fn the_handshake_sees_names_kinds_and_precision() {
        let parameters = ActionCodec::<Action>::new().parameters();
        assert!(parameters.contains("Fire:button"), "{parameters}");
        assert!(parameters.contains("Aim:2x14bit"), "{parameters}");
    }
}
