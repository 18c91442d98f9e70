//! Who runs the systems of a peer's server and clients. The faster of both counts.

use bevy::prelude::*;

use crate::peers::run_on_one_thread;

/// An executor of Bevy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Executor {
    /// Bevy's default with several threads.
    Default,
    SingleThreaded,
}

impl Executor {
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default executor",
            Self::SingleThreaded => "single-threaded",
        }
    }

    /// Makes it the executor of every schedule that the app has by now.
    pub fn install(self, app: &mut App) {
        if self == Self::SingleThreaded {
            run_on_one_thread(app);
        }
    }
}
