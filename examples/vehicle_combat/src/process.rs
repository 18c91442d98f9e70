//! Building and running each role's app.

use std::fs::File;
use std::io::BufWriter;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bevy::app::TaskPoolPlugin;
use bevy::diagnostic::FrameCountPlugin;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::time::TimePlugin;
use bevy_slipstream::prelude::*;

use crate::arena::Arena;
use crate::bot::BotPlugin;
use crate::client::ClientGamePlugin;
use crate::command_line::{
    ArenaOption, BotCommand, ClientCommand, CommonOptions, DEVELOPMENT_KEY, HostCommand, ListenOptions, RecordCommand,
    RoleCommand, ServerCommand, WindowOptions,
};
use crate::record::record;
use crate::server::{ServerConfig, ServerGamePlugin};
use crate::shutdown::{ShutdownFlag, ShutdownPlugin};
use crate::statistics::{SampleWriter, StatisticsPlugin};

/// What a server prints before its address, once it listens.
pub const LISTENING_PREFIX: &str = "listening on ";

/// A client gives up on a server that does not answer after this long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a window shows why its connection ended.
const BANNER_TIME: Duration = Duration::from_secs(4);

/// Runs the role that the command line asks for, to its end.
pub fn run(role: &RoleCommand) -> ExitCode {
    let flag = || ShutdownFlag::on_signals().map_err(|error| format!("signals can't be received: {error}"));
    let (common, arena) = match role {
        RoleCommand::Server(ServerCommand { common, arena, .. })
        | RoleCommand::Client(ClientCommand { common, arena, .. })
        | RoleCommand::Host(HostCommand { common, arena, .. })
        | RoleCommand::Bot(BotCommand { common, arena, .. }) => (common, arena),
        RoleCommand::Demo(demo) => {
            // Told here in one sentence, rather than by each of the processes.
            return match load_arena(&demo.arena).and_then(|_| flag()) {
                Ok(flag) => crate::demo::run(demo, &flag),
                Err(problem) => fail(&problem),
            };
        }
        // Nobody needs to be told that it ends: a signal ends it at once.
        RoleCommand::Record(command) => return run_record(command),
    };
    let flag = match flag() {
        Ok(flag) => flag,
        Err(problem) => return fail(&problem),
    };
    if common.exit_with_stdin {
        flag.follow_stdin();
    }
    let setup = match Setup::new(common, arena, flag) {
        Ok(setup) => setup,
        Err(problem) => return fail(&problem),
    };
    let exit = match role {
        RoleCommand::Server(command) => run_server(command, &setup),
        RoleCommand::Client(command) => run_client(command, &setup),
        RoleCommand::Host(command) => run_host(command, &setup),
        RoleCommand::Bot(command) => run_bots(command, &setup),
        RoleCommand::Demo(_) | RoleCommand::Record(_) => AppExit::Success,
    };
    match exit {
        AppExit::Success => ExitCode::SUCCESS,
        AppExit::Error(code) => ExitCode::from(code.get()),
    }
}

fn run_record(command: &RecordCommand) -> ExitCode {
    let RecordCommand { ticks, vehicles, seed, out } = command;
    let recorded =
        File::create(out).and_then(|file| record(*ticks, *vehicles as usize, *seed, &mut BufWriter::new(file)));
    match recorded {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&format!("{}: {error}", out.display())),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::FAILURE
}

/// What every app of this process shares.
struct Setup {
    seed: u64,
    key: [u8; 32],
    conditions: Option<NetworkConditions>,
    seconds: Option<Duration>,
    writer: Option<SampleWriter>,
    arena: Arena,
    flag: ShutdownFlag,
}

impl Setup {
    fn new(common: &CommonOptions, arena: &ArenaOption, flag: ShutdownFlag) -> Result<Self, String> {
        let writer = match &common.stats_json {
            None => None,
            Some(path) => Some(
                SampleWriter::open(path)
                    .map_err(|error| format!("statistics can't be written to {}: {error}", path.display()))?,
            ),
        };
        let seconds = match common.seconds.map(Duration::try_from_secs_f64) {
            None => None,
            Some(Ok(seconds)) => Some(seconds),
            Some(Err(_)) => return Err("--seconds takes a number of seconds, 0 or more".to_owned()),
        };
        let seed = common.seed.unwrap_or_else(|| {
            let seed = fastrand::u64(..);
            eprintln!("seed {seed}");
            seed
        });
        Ok(Self {
            seed,
            key: common.key(),
            conditions: common.network.conditions(),
            seconds,
            writer,
            arena: load_arena(arena)?,
            flag,
        })
    }

    /// Time, tasks and an end: what an app without a window needs.
    fn headless(&self, app: &mut App) {
        app.add_plugins((TaskPoolPlugin::default(), FrameCountPlugin, TimePlugin, TickRunnerPlugin));
        self.ending(app);
    }

    fn ending(&self, app: &mut App) {
        app.add_plugins(ShutdownPlugin { flag: self.flag.clone(), after: self.seconds });
    }

    fn statistics(&self, app: &mut App, role: &'static str, name: &str) {
        if let Some(writer) = self.writer.clone() {
            app.add_plugins(StatisticsPlugin { writer, role, name: name.to_owned() });
        }
    }

    fn conditioner(&self, salt: u64) -> Option<Conditioner> {
        let conditions = self.conditions?;
        Some(Conditioner { incoming: conditions, outgoing: conditions, seed: self.seed.wrapping_add(salt) })
    }

    fn listen(&self, app: &mut App, options: &ListenOptions) {
        let ListenOptions { bind, max_players, .. } = *options;
        if self.key == DEVELOPMENT_KEY && !bind.ip().is_loopback() {
            eprintln!("warning: anyone may join, because the public development key is used; --key changes that");
        }
        // More links than players, so that one player too many is told that the server is full, and by whom.
        let listen = Listen::udp(bind).key(self.key).max_links(max_players as usize + 16);
        let listener = app.world_mut().spawn(listen).id();
        if let Some(conditioner) = self.conditioner(0) {
            app.world_mut().entity_mut(listener).insert(conditioner);
        }
        app.add_observer(report_listening).add_observer(report_listen_failure);
    }

    fn connect(&self, app: &mut App, address: SocketAddr, salt: u64) {
        let connect = Connect::udp(address).key(self.key).timeout(CONNECT_TIMEOUT);
        let connection = app.world_mut().spawn(connect).id();
        if let Some(conditioner) = self.conditioner(salt) {
            app.world_mut().entity_mut(connection).insert(conditioner);
        }
        app.init_resource::<Farewell>()
            .insert_resource(ServerAddress(address))
            .add_observer(end_with_connection)
            .add_systems(Update, leave_after_farewell);
    }

    fn server_config(&self, options: &ListenOptions) -> ServerConfig {
        let ListenOptions { max_players, server_bots, .. } = *options;
        ServerConfig {
            // Bots take no player's place.
            max_players: max_players as usize + server_bots as usize,
            bots: server_bots as usize,
            seed: self.seed,
            arena: self.arena.clone(),
            ..ServerConfig::default()
        }
    }
}

fn load_arena(option: &ArenaOption) -> Result<Arena, String> {
    match &option.arena {
        None => Ok(Arena::bundled()),
        Some(path) => Arena::load(path).map_err(|error| error.to_string()),
    }
}

fn quiet_log() -> LogPlugin {
    LogPlugin {
        filter: "warn,wgpu=error,naga=error,bevy_render=error,winit=error,renet=off,renetcode=off".to_owned(),
        ..default()
    }
}

fn run_server(command: &ServerCommand, setup: &Setup) -> AppExit {
    let mut app = App::new();
    setup.headless(&mut app);
    app.insert_resource(setup.server_config(&command.listen)).add_plugins((
        quiet_log(),
        NetworkingPlugin::server().max_connections(command.listen.max_players),
        ServerGamePlugin,
    ));
    setup.statistics(&mut app, "server", "server");
    setup.listen(&mut app, &command.listen);
    app.run()
}

fn run_bots(command: &BotCommand, setup: &Setup) -> AppExit {
    // Each bot is a world of its own, as a player's process is.
    let run = |bot: u32| {
        let name = if command.count == 1 { command.name.clone() } else { format!("{} {}", command.name, bot + 1) };
        let mut app = App::new();
        setup.headless(&mut app);
        if bot == 0 {
            app.add_plugins(quiet_log());
        }
        app.insert_resource(setup.arena.clone()).add_plugins((
            NetworkingPlugin::client().name(name.clone()),
            ClientGamePlugin,
            BotPlugin,
        ));
        setup.statistics(&mut app, "bot", &name);
        setup.connect(&mut app, command.connect, u64::from(bot));
        let exit = app.run();
        if exit.is_error() {
            setup.flag.set();
        }
        exit
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..command.count).map(|bot| scope.spawn(move || run(bot))).collect();
        let mut exit = run(0);
        for other in others {
            let end = other.join().unwrap_or(AppExit::error());
            exit = if exit.is_error() { exit } else { end };
        }
        exit
    })
}

fn run_client(command: &ClientCommand, setup: &Setup) -> AppExit {
    let mut app = App::new();
    if let Err(problem) = open_window(&mut app, setup, &command.window, &format!("Vehicle combat: {}", command.name)) {
        eprintln!("{problem}");
        return AppExit::error();
    }
    app.insert_resource(setup.arena.clone())
        .insert_resource(Farewell { linger: BANNER_TIME, exit: None })
        .add_plugins((NetworkingPlugin::client().name(command.name.clone()), ClientGamePlugin));
    drive_by_itself(&mut app, &command.window);
    setup.statistics(&mut app, "client", &command.name);
    setup.connect(&mut app, command.connect, 0);
    app.run()
}

fn run_host(command: &HostCommand, setup: &Setup) -> AppExit {
    let mut app = App::new();
    if let Err(problem) =
        open_window(&mut app, setup, &command.window, &format!("Vehicle combat: {} hosts", command.name))
    {
        eprintln!("{problem}");
        return AppExit::error();
    }
    app.insert_resource(setup.server_config(&command.listen)).add_plugins((
        NetworkingPlugin::host().name(command.name.clone()).max_connections(command.listen.max_players),
        ServerGamePlugin,
        ClientGamePlugin,
    ));
    drive_by_itself(&mut app, &command.window);
    setup.statistics(&mut app, "host", &command.name);
    setup.listen(&mut app, &command.listen);
    app.run()
}

fn drive_by_itself(app: &mut App, window: &WindowOptions) {
    if window.autopilot {
        app.add_plugins(BotPlugin);
    }
}

#[cfg(feature = "window")]
fn open_window(app: &mut App, setup: &Setup, options: &WindowOptions, title: &str) -> Result<(), String> {
    use crate::window::{ScreenshotPlan, WindowPlugin, default_plugins};

    if cfg!(target_os = "linux") && std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        return Err("there is no display here (DISPLAY is not set): use `bot` or `demo --headless`".to_owned());
    }
    say_why_no_window_opens(app);
    let size = (options.window_size.width, options.window_size.height);
    let position = options.window_position.map(|position| (position.x, position.y));
    let screenshot = options.screenshot.clone().map(|path| ScreenshotPlan {
        path,
        after: Duration::from_secs_f32(options.screenshot_after.clamp(0.0, 3600.0)),
        exit: false,
    });
    app.add_plugins(default_plugins(title, size, position).set(quiet_log()));
    app.add_plugins(WindowPlugin { title: title.to_owned(), screenshot, autopilot: options.autopilot });
    setup.ending(app);
    Ok(())
}

/// Until the first frame, whatever goes wrong is that no window opens here, which Bevy and its renderer say by a panic: one
/// sentence is clearer than their backtraces. From then on a panic is what it always is.
#[cfg(feature = "window")]
fn say_why_no_window_opens(app: &mut App) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let opened = Arc::new(AtomicBool::new(false));
    let first_frame = Arc::clone(&opened);
    app.add_systems(Last, move || first_frame.store(true, Ordering::Relaxed));
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if opened.load(Ordering::Relaxed) {
            usual(panic);
            return;
        }
        let payload = panic.payload();
        let text = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        eprintln!(
            "no window can be opened here ({}): it needs an X11 display and a Vulkan driver; `bot` and `demo --headless` need neither",
            text.unwrap_or("no reason given").lines().next().unwrap_or_default()
        );
    }));
}

#[cfg(not(feature = "window"))]
fn open_window(_: &mut App, _: &Setup, _: &WindowOptions, _: &str) -> Result<(), String> {
    Err("this build has no window (the feature `window` is off): use `server`, `bot` or `demo`".to_owned())
}

/// Where this client connects to, for the sentence that says it could not.
#[derive(Resource)]
struct ServerAddress(SocketAddr);

fn report_listening(added: On<Add, Listening>, listeners: Query<&Listening>) {
    if let Ok(Listening { address: Some(address) }) = listeners.get(added.entity) {
        println!("{LISTENING_PREFIX}{address}");
    }
}

fn report_listen_failure(
    added: On<Add, ListenFailed>,
    failures: Query<&ListenFailed>,
    mut exit: MessageWriter<AppExit>,
) {
    if let Ok(failure) = failures.get(added.entity) {
        eprintln!("{}", failure.0);
    }
    exit.write(AppExit::error());
}

/// How a client whose connection ended leaves: a window shows why for a moment first.
#[derive(Resource, Default)]
struct Farewell {
    linger: Duration,
    exit: Option<(AppExit, Duration)>,
}

/// A client without its server has nothing to do: it says why, and ends.
fn end_with_connection(
    added: On<Add, Disconnected>,
    connections: Query<&Disconnected>,
    server: Res<ServerAddress>,
    time: Res<Time<Real>>,
    mut farewell: ResMut<Farewell>,
) {
    let Ok(disconnected) = connections.get(added.entity) else { return };
    let exit = match &disconnected.reason {
        // This process ends by itself, and is told so by its own connection.
        DisconnectReason::Requested => return,
        DisconnectReason::Shutdown => {
            println!("{}: {}", server.0, disconnected.reason);
            AppExit::Success
        }
        reason => {
            eprintln!("{}: {reason}", server.0);
            AppExit::error()
        }
    };
    farewell.exit = Some((exit, time.elapsed() + farewell.linger));
}

fn leave_after_farewell(farewell: Res<Farewell>, time: Res<Time<Real>>, mut exit: MessageWriter<AppExit>) {
    if let Some((how, at)) = &farewell.exit
        && time.elapsed() >= *at
    {
        exit.write(how.clone());
    }
}
