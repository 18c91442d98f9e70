//! A runner for apps without a window: it sleeps until the next tick is due.

use core::time::Duration;

use bevy::app::PluginsState;
use bevy::prelude::*;

/// How long to sleep when nothing says when the next tick is due.
const WITHOUT_CLOCK: Duration = Duration::from_millis(5);

/// Runs a headless app one tick a frame: each frame starts when its tick is due, and nothing
/// spins in between. Ends when an `AppExit` message is written.
///
/// It replaces the runner of Bevy's `ScheduleRunnerPlugin`, so add it after `MinimalPlugins`.
pub struct TickRunnerPlugin;

impl Plugin for TickRunnerPlugin {
    fn build(&self, app: &mut App) {
        app.set_runner(run_on_ticks);
    }
}

fn run_on_ticks(mut app: App) -> AppExit {
    if app.plugins_state() != PluginsState::Cleaned {
        while app.plugins_state() == PluginsState::Adding {
            #[cfg(not(target_arch = "wasm32"))]
            bevy::tasks::tick_global_task_pools_on_main_thread();
        }
        app.finish();
        app.cleanup();
    }
    loop {
        app.update();
        if let Some(exit) = app.should_exit() {
            return exit;
        }
        let wait = until_next_tick(app.world());
        if !wait.is_zero() {
            std::thread::sleep(wait);
        }
    }
}

/// What is missing of the next tick, less the time this frame has taken already.
///
/// It is measured against the fixed clock's own overstep, so being late once neither shifts the
/// ticks that follow nor makes a frame with none or two of them.
fn until_next_tick(world: &World) -> Duration {
    let (Some(fixed), Some(real)) = (world.get_resource::<Time<Fixed>>(), world.get_resource::<Time<Real>>()) else {
        return WITHOUT_CLOCK;
    };
    let paused = world.get_resource::<Time<Virtual>>().is_some_and(Time::<Virtual>::is_paused);
    let missing = if paused { fixed.timestep() } else { fixed.timestep().saturating_sub(fixed.overstep()) };
    match real.last_update() {
        Some(frame_start) => missing.saturating_sub(frame_start.elapsed()),
        None => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_for_what_the_fixed_clock_is_missing() {
        let mut world = World::new();
        let mut fixed = Time::<Fixed>::from_seconds(1000.0);
        fixed.accumulate_overstep(Duration::from_secs(400));
        let mut real = Time::<Real>::default();
        real.update();
        world.insert_resource(fixed);
        world.insert_resource(real);
        let wait = until_next_tick(&world);
        assert!(wait <= Duration::from_secs(600), "{wait:?}");
        assert!(wait > Duration::from_secs(500), "{wait:?}");
    }

    #[test]
    fn a_frame_that_took_longer_than_a_tick_is_followed_at_once() {
        let mut world = World::new();
        let mut real = Time::<Real>::default();
        real.update();
        world.insert_resource(Time::<Fixed>::from_seconds(1e-9));
        world.insert_resource(real);
        assert_eq!(until_next_tick(&world), Duration::ZERO);
    }

    #[test]
    fn an_exit_message_ends_the_run_with_its_code() {
        let mut app = App::new();
        app.add_plugins((MinimalPlugins, TickRunnerPlugin))
            .insert_resource(Time::<Fixed>::from_hz(1000.0))
            .add_systems(FixedUpdate, |mut ticks: Local<u32>, mut exit: MessageWriter<AppExit>| {
                *ticks += 1;
                if *ticks == 3 {
                    exit.write(AppExit::from_code(7));
                }
            });
        assert_eq!(app.run(), AppExit::from_code(7));
    }
}
