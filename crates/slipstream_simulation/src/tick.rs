//! Which tick it is, and how fast ticks follow each other.

use core::time::Duration;

use bevy::prelude::*;
use slipstream_wire::Tick;

/// The tick that is being simulated, or that was simulated last when outside the fixed loop.
///
/// On a client it leads the server's, so that its inputs are there when the server needs them.
#[derive(Resource, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SimulationTick(pub Tick);

/// Ticks per second. Server and clients must agree; the handshake checks it.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub struct TickRate(pub f64);

impl Default for TickRate {
    fn default() -> Self {
        Self(60.0)
    }
}

impl TickRate {
    /// How long one tick lasts.
    pub fn period(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }

    /// How many ticks fit in `duration`, with fraction.
    pub fn ticks_in(self, duration: Duration) -> f64 {
        duration.as_secs_f64() * self.0
    }

    /// How many ticks lie between things that happen `times_a_second`; at least one.
    pub(crate) fn ticks_between(self, times_a_second: f64) -> u32 {
        ((self.0 / times_a_second).round() as u32).max(1)
    }
}

/// Whether the fixed loop's present pass is a tick.
///
/// A client whose tick is too far ahead lets one pass go by without a tick: the number stays, no
/// input is sampled and `Simulation` does not run.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct TickPacing {
    hold_next: bool,
    holding: bool,
}

impl TickPacing {
    /// Is the present pass of the fixed loop one without a tick?
    pub fn is_holding(&self) -> bool {
        self.holding
    }

    /// Lets the next pass of the fixed loop go by without a tick.
    pub(crate) fn hold_next_pass(&mut self) {
        self.hold_next = true;
    }
}

/// Run condition for systems of the fixed loop: this pass simulates a tick.
///
/// [`Simulation`](crate::Simulation) and the systems of this crate have it already.
pub fn tick_advances(pacing: Res<TickPacing>) -> bool {
    !pacing.is_holding()
}

pub(crate) fn advance_tick(mut tick: ResMut<SimulationTick>, mut pacing: ResMut<TickPacing>) {
    pacing.holding = core::mem::take(&mut pacing.hold_next);
    if !pacing.holding {
        tick.0 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_pass_does_not_advance_the_tick_and_the_next_one_does() {
        let mut app = App::new();
        app.init_resource::<SimulationTick>().init_resource::<TickPacing>().add_systems(Update, advance_tick);
        app.update();
        assert_eq!(app.world().resource::<SimulationTick>().0, Tick::new(1));
        app.world_mut().resource_mut::<TickPacing>().hold_next_pass();
        app.update();
        assert_eq!(app.world().resource::<SimulationTick>().0, Tick::new(1));
        assert!(app.world().resource::<TickPacing>().is_holding());
        app.update();
        assert_eq!(app.world().resource::<SimulationTick>().0, Tick::new(2));
    }
}
