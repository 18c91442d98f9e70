//! The windowed client: what a player sees and steers with.
//!
//! It reads replicated components and messages and writes two things only: the actions of the own vehicle and its own
//! drawings. So the same plugin shows a client's world and a host's. Everything it draws is made in code: there is no
//! asset to load but the arena, which every role has.
//!
//! ```text
//! PreUpdate        the mouse turns the aim
//! FixedPreUpdate   the aim becomes two axes of the tick's actions
//! Update  Model    replicated entities without a visual get one
//!         Follow   visuals approach the replicated poses; wheels, turrets, paint
//!         View     the camera chases the own vehicle's drawn pose
//!         Effects  shots, explosions, smoke
//!         Interface gauges, scores, plates, banner, network panel
//! ```

mod banner;
mod camera;
mod controls;
mod effects;
mod hud;
mod kill_feed;
mod label;
mod name_plate;
mod network_panel;
mod pickup_model;
mod quality;
mod rocket_model;
mod scene;
mod scoreboard;
mod screenshot;
mod sky;
mod solid;
mod vehicle_model;
mod visual;

use bevy::app::TerminalCtrlCHandlerPlugin;
use bevy::input::InputSystems;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::window::{ExitCondition, PresentMode, WindowPlugin as BevyWindowPlugin};
use bevy::winit::WinitSettings;

pub use screenshot::ScreenshotPlan;

/// What reaches the log of a windowed process: the game's own lines, and other people's warnings.
const LOG_FILTER: &str = "warn,vehicle_combat=info,slipstream=info,bevy_render::view::window::screenshot=info,\
    bevy_render::renderer=error,bevy_winit=error,winit=error,wgpu_core=error,wgpu_hal=error,naga=error,calloop=error";

/// Draws the game and reads keyboard and mouse. Add it after [`default_plugins`], `NetworkingPlugin`, the registration
/// of the game's protocol, and the `Arena` resource.
#[derive(Clone, Debug)]
pub struct WindowPlugin {
    /// The window's title, which the banner shows too while there is no game to see.
    pub title: String,
    /// A picture to take.
    pub screenshot: Option<ScreenshotPlan>,
    /// Whether a bot drives: inserts [`WindowBot`]. The bot itself is another plugin.
    pub autopilot: bool,
}

/// While this resource exists a bot drives the own vehicle: the window's controls leave its actions alone, and the view
/// follows its turret. F1 and Esc still work.
#[derive(Resource, Clone, Copy, Debug, Default)]
pub struct WindowBot;

/// The title, for the banner.
#[derive(Resource)]
struct GameTitle(String);

/// The phases of the window in `Update`.
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum WindowSystems {
    Model,
    Follow,
    View,
    Effects,
    Interface,
}

/// Bevy's default plugins for a game window of `size` (physical pixels) with its top left corner at `position`, if the
/// window manager lets it. Instead of `MinimalPlugins`.
///
/// Ctrl-C is left to the game, which tells its peers before it ends.
pub fn default_plugins(title: &str, size: (u32, u32), position: Option<(i32, i32)>) -> impl PluginGroup + use<> {
    let window = Window {
        title: title.to_owned(),
        name: Some("vehicle_combat".to_owned()),
        resolution: size.into(),
        position: position.map_or(WindowPosition::Automatic, |(x, y)| WindowPosition::At(IVec2::new(x, y))),
        present_mode: PresentMode::AutoVsync,
        ..default()
    };
    DefaultPlugins
        .set(BevyWindowPlugin {
            primary_window: Some(window),
            exit_condition: ExitCondition::OnPrimaryClosed,
            ..default()
        })
        .set(LogPlugin { filter: LOG_FILTER.to_owned(), ..default() })
        .disable::<TerminalCtrlCHandlerPlugin>()
}

impl Plugin for WindowPlugin {
    fn build(&self, app: &mut App) {
        // A window in the background plays on: its vehicle is still being shot at, and its inputs are still awaited.
        app.insert_resource(WinitSettings::continuous())
            .insert_resource(ClearColor(sky::HORIZON))
            .insert_resource(GameTitle(self.title.clone()))
            .init_resource::<visual::OwnPose>()
            .init_resource::<controls::Aim>()
            .init_resource::<camera::Shake>()
            .init_resource::<hud::Pain>()
            .init_resource::<network_panel::NetworkPanelShown>();
        if self.autopilot {
            app.insert_resource(WindowBot);
        }
        if let Some(plan) = &self.screenshot {
            app.insert_resource(screenshot::ScreenshotProgress::new(plan.clone()));
        }
        app.configure_sets(
            Update,
            (
                WindowSystems::Model,
                WindowSystems::Follow,
                WindowSystems::View,
                WindowSystems::Effects,
                WindowSystems::Interface,
            )
                .chain(),
        );
        add_startup(app);
        add_controls(app);
        add_drawing(app);
        add_interface(app);
    }
}

fn add_startup(app: &mut App) {
    app.add_systems(Startup, (quality::choose_quality, sky::spawn_sky).chain())
        .add_systems(
            Startup,
            (
                scene::spawn_arena,
                camera::spawn_camera,
                vehicle_model::make_vehicle_parts,
                rocket_model::make_rocket_parts,
                pickup_model::make_pickup_parts,
                effects::make_effect_parts,
            ),
        )
        .add_systems(
            Startup,
            (
                hud::spawn_hud,
                scoreboard::spawn_scoreboard,
                kill_feed::spawn_kill_feed,
                network_panel::spawn_network_panel,
                banner::spawn_banner,
            ),
        );
}

fn add_controls(app: &mut App) {
    app.add_systems(
        PreUpdate,
        (controls::hold_cursor, controls::aim_with_mouse, controls::aim_without_mouse).chain().after(InputSystems),
    )
    .add_systems(FixedPreUpdate, controls::write_aim)
    .add_systems(
        Update,
        (
            controls::hand_over_controls,
            network_panel::toggle_network_panel,
            screenshot::take_screenshot,
            screenshot::exit_after_screenshot,
        ),
    );
}

fn add_drawing(app: &mut App) {
    app.add_systems(
        Update,
        (vehicle_model::spawn_vehicle_models, rocket_model::spawn_rocket_models, pickup_model::spawn_pickup_models)
            .in_set(WindowSystems::Model),
    )
    .add_systems(
        Update,
        (
            (visual::follow_replicated_poses, visual::note_own_pose).chain(),
            vehicle_model::pose_vehicle_parts,
            vehicle_model::show_damage,
            pickup_model::hover_pickups,
        )
            .in_set(WindowSystems::Follow),
    )
    .add_systems(Update, (camera::chase_vehicle, sky::carry_sky).chain().in_set(WindowSystems::View))
    .add_systems(
        Update,
        (
            (effects::age_effects, effects::dim_flashes),
            (effects::show_shots, effects::show_explosions, effects::lay_rocket_trails, effects::smoke_from_damage),
        )
            .chain()
            .in_set(WindowSystems::Effects),
    );
}

fn add_interface(app: &mut App) {
    app.add_systems(
        Update,
        (
            label::scale_interface,
            name_plate::spawn_name_plates,
            hud::update_gauges,
            hud::place_crosshair,
            (hud::feel_damage, hud::draw_damage).chain(),
            name_plate::place_name_plates,
            scoreboard::update_round_line,
            scoreboard::update_scores,
            (kill_feed::report_kills, kill_feed::fade_kill_feed).chain(),
            network_panel::update_network_panel,
            banner::update_banner,
        )
            .in_set(WindowSystems::Interface),
    );
}
