//! Pictures of the window, taken for real and saved as PNG.

use std::path::PathBuf;
use std::time::Duration;

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured, save_to_disk};

/// A picture to take of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenshotPlan {
    /// Where to save it; the folder is made if need be. A name that ends in `.png`.
    pub path: PathBuf,
    /// How long after the start of the app.
    pub after: Duration,
    /// Whether the app ends, with success, once the picture is saved.
    pub exit: bool,
}

/// Where the plan stands.
#[derive(Resource)]
pub(super) struct ScreenshotProgress {
    plan: ScreenshotPlan,
    asked: bool,
    saved: bool,
}

impl ScreenshotProgress {
    pub(super) fn new(plan: ScreenshotPlan) -> Self {
        Self { plan, asked: false, saved: false }
    }
}

/// Asks for the picture when its time has come.
pub(super) fn take_screenshot(
    mut commands: Commands,
    time: Res<Time<Real>>,
    progress: Option<ResMut<ScreenshotProgress>>,
) {
    let Some(mut progress) = progress else { return };
    if progress.asked || time.elapsed() < progress.plan.after {
        return;
    }
    progress.asked = true;
    let path = progress.plan.path.clone();
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && let Err(error) = std::fs::create_dir_all(folder)
    {
        error!("the folder {} for the screenshot cannot be made: {error}", folder.display());
    }
    commands
        .spawn(Screenshot::primary_window())
        .observe(save_to_disk(path))
        .observe(|_: On<ScreenshotCaptured>, mut progress: ResMut<ScreenshotProgress>| progress.saved = true);
}

/// Ends the app after the picture, if the plan says so.
pub(super) fn exit_after_screenshot(progress: Option<Res<ScreenshotProgress>>, mut exit: MessageWriter<AppExit>) {
    if progress.is_some_and(|progress| progress.saved && progress.plan.exit) {
        exit.write(AppExit::Success);
    }
}
