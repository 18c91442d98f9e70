//! Ending well: by a signal, by the clock, or with the process that started this one.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bevy::prelude::*;
use signal_hook::consts::TERM_SIGNALS;

/// Set when the process should end. Shared by everything that runs in it.
#[derive(Resource, Debug, Clone, Default)]
pub struct ShutdownFlag(Arc<AtomicBool>);

impl ShutdownFlag {
    /// A flag that Ctrl-C and SIGTERM set. A second signal ends the process at once.
    ///
    /// # Errors
    /// When the operating system refuses to hand over the signals.
    pub fn on_signals() -> std::io::Result<Self> {
        let flag = Self::default();
        for signal in TERM_SIGNALS {
            // In this order: the first signal finds the flag unset, the second finds it set.
            signal_hook::flag::register_conditional_shutdown(*signal, 1, Arc::clone(&flag.0))?;
            signal_hook::flag::register(*signal, Arc::clone(&flag.0))?;
        }
        Ok(flag)
    }

    /// Also set the flag when standard input ends.
    pub fn follow_stdin(&self) {
        let flag = self.clone();
        std::thread::spawn(move || {
            let mut byte = [0; 64];
            while std::io::stdin().read(&mut byte).is_ok_and(|count| count > 0) {}
            flag.set();
        });
    }

    /// Asks everything in the process to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the process should end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the app when the flag is set or its time is up. Peers are told on the way out.
pub struct ShutdownPlugin {
    /// The flag to watch.
    pub flag: ShutdownFlag,
    /// How long the app runs at most.
    pub after: Option<Duration>,
}

#[derive(Resource)]
struct Deadline(Option<Duration>);

impl Plugin for ShutdownPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(self.flag.clone()).insert_resource(Deadline(self.after)).add_systems(Update, end_in_time);
    }
}

fn end_in_time(
    flag: Res<ShutdownFlag>,
    deadline: Res<Deadline>,
    time: Res<Time<Real>>,
    mut exit: MessageWriter<AppExit>,
) {
    if flag.is_set() || deadline.0.is_some_and(|deadline| time.elapsed() >= deadline) {
        exit.write(AppExit::Success);
    }
}
