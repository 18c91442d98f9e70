//! `demo`: a server process and its players' processes, on this machine, with one command.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::command_line::{CommonOptions, DemoCommand, Key};
use crate::live_table::LiveTable;
use crate::shutdown::ShutdownFlag;
use crate::statistics::{Sample, SampleWriter};

/// How long the server may take to say where it listens.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// How long processes may take to end once they were asked to.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// A window that ends within this time could not open.
const WINDOW_GRACE: Duration = Duration::from_secs(20);

/// What a process's output said.
enum News {
    Listening(SocketAddr),
    Sample(Box<Sample>),
}

struct Process {
    label: String,
    child: Child,
    windowed: bool,
    started: Instant,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever happens here, nothing outlives the demo. One that ended by itself is only reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the demo until it is ended.
pub fn run(demo: &DemoCommand, flag: &ShutdownFlag) -> ExitCode {
    match Demo::start(demo) {
        Ok(demo) => demo.watch(flag),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

struct Demo<'a> {
    options: &'a DemoCommand,
    seed: u64,
    key: Key,
    address: SocketAddr,
    processes: Vec<Process>,
    news: Receiver<News>,
    report: Sender<News>,
    writer: Option<SampleWriter>,
    started: Instant,
}

impl<'a> Demo<'a> {
    fn start(options: &'a DemoCommand) -> Result<Self, String> {
        let seed = options.common.seed.unwrap_or_else(|| fastrand::u64(..));
        // A secret of this demo's own, unless one is given: nobody else on the machine can join by accident.
        let key = options.common.key.unwrap_or_else(|| Key(core::array::from_fn(|_| fastrand::u8(..))));
        let writer = match &options.common.stats_json {
            None => None,
            Some(path) => Some(
                SampleWriter::open(path)
                    .map_err(|error| format!("statistics can't be written to {}: {error}", path.display()))?,
            ),
        };
        let (report, news) = channel();
        let mut demo = Self {
            options,
            seed,
            key,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            processes: Vec::new(),
            news,
            report,
            writer,
            started: Instant::now(),
        };
        let players = options.players.to_string();
        demo.spawn("server", &["server", "--bind", "127.0.0.1:0", "--max-players", &players], false)?;
        demo.address = demo.wait_for_server()?;
        let windows = !options.headless && can_open_windows();
        println!(
            "server on {}, {} {}, seed {seed}; Ctrl-C ends it",
            demo.address,
            options.players,
            if windows { "windows" } else { "bots" }
        );
        for player in 0..options.players {
            demo.add_player(player, windows)?;
        }
        Ok(demo)
    }

    fn wait_for_server(&mut self) -> Result<SocketAddr, String> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match self.news.recv_timeout(Duration::from_millis(50)) {
                Ok(News::Listening(address)) => return Ok(address),
                Ok(News::Sample(_)) => {}
                Err(_) => {
                    if let Some(server) = self.processes.first_mut()
                        && let Ok(Some(status)) = server.child.try_wait()
                    {
                        return Err(format!("the demo's server ended before it listened ({status})"));
                    }
                }
            }
            if Instant::now() > deadline {
                return Err(format!("the demo's server did not say where it listens within {START_TIMEOUT:?}"));
            }
        }
    }

    fn add_player(&mut self, player: u32, window: bool) -> Result<(), String> {
        const NAMES: [&str; 8] = ["Rust", "Ferris", "Crab", "Cargo", "Borrow", "Turbofish", "Clippy", "Miri"];
        let mut name = NAMES[player as usize % NAMES.len()].to_owned();
        if player as usize >= NAMES.len() {
            name = format!("{name} {}", player as usize / NAMES.len() + 1);
        }
        let address = self.address.to_string();
        if !window {
            return self.spawn(&name, &["bot", "--connect", &address, "--name", &name], false);
        }
        // Side by side, two in a row.
        let position = format!("{},{}", (player % 2) * 960, (player / 2) * 540);
        let mut arguments = vec!["client", "--connect", &address, "--name", &name, "--window-position", &position];
        if self.options.autopilot {
            arguments.push("--autopilot");
        }
        self.spawn(&name, &arguments, true)
    }

    /// Starts this same program in another role. It ends when its standard input does, so it never outlives the demo.
    fn spawn(&mut self, label: &str, arguments: &[&str], windowed: bool) -> Result<(), String> {
        let program =
            std::env::current_exe().map_err(|error| format!("this program's own file can't be found: {error}"))?;
        let CommonOptions { network, .. } = &self.options.common;
        let mut command = Command::new(program);
        command.args(arguments).args(["--exit-with-stdin", "--stats-json", "-"]);
        let seed = self.seed.wrapping_add(self.processes.len() as u64);
        command.args(["--seed", &seed.to_string()]).args(network.to_arguments());
        if let Some(arena) = &self.options.arena.arena {
            command.arg("--arena").arg(arena);
        }
        // Not on the command line, where other users of the machine could read it.
        command.env("VEHICLE_COMBAT_KEY", self.key.to_hex());
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = spawned.map_err(|error| format!("{label} could not be started: {error}"))?;
        if let Some(output) = child.stdout.take() {
            let report = self.report.clone();
            std::thread::spawn(move || read_output(output, &report));
        }
        self.processes.push(Process { label: label.to_owned(), child, windowed, started: Instant::now() });
        Ok(())
    }

    fn watch(mut self, flag: &ShutdownFlag) -> ExitCode {
        let mut table = LiveTable::default();
        let seconds = self.options.common.seconds.map(Duration::from_secs_f64);
        let mut trouble = None;
        while !flag.is_set() && seconds.is_none_or(|seconds| self.started.elapsed() < seconds) && trouble.is_none() {
            match self.news.recv_timeout(Duration::from_millis(100)) {
                Ok(News::Sample(sample)) => {
                    let server = sample.role == "server";
                    if let Some(writer) = &self.writer
                        && let Err(error) = writer.write(&sample)
                    {
                        trouble = Some(format!("statistics can't be written: {error}"));
                    }
                    table.note(*sample);
                    if server && table.draw().is_err() {
                        break;
                    }
                }
                Ok(News::Listening(_)) | Err(_) => {}
            }
            match self.look_after_processes() {
                Ok(playing) if playing => {}
                Ok(_) => break,
                Err(problem) => trouble = Some(problem),
            }
        }
        let ended = self.end_processes();
        while let Ok(news) = self.news.try_recv() {
            if let News::Sample(sample) = news {
                table.note(*sample);
            }
        }
        print!("{}", table.summary());
        match trouble.or(ended.err()) {
            Some(problem) => {
                eprintln!("{problem}");
                ExitCode::FAILURE
            }
            None => ExitCode::SUCCESS,
        }
    }

    /// Whether anyone still plays. A window that can't open is replaced by a bot, and said so.
    fn look_after_processes(&mut self) -> Result<bool, String> {
        let mut index = 0;
        while index < self.processes.len() {
            let process = &mut self.processes[index];
            let Ok(Some(status)) = process.child.try_wait() else {
                index += 1;
                continue;
            };
            if index == 0 {
                return Err(format!("the demo's server ended ({status})"));
            }
            let (label, early) = (process.label.clone(), process.windowed && process.started.elapsed() < WINDOW_GRACE);
            self.processes.remove(index);
            if !status.success() && early {
                eprintln!("{label}'s window could not open ({status}); a bot drives instead");
                let address = self.address.to_string();
                self.spawn(&label, &["bot", "--connect", &address, "--name", &label], false)?;
            } else if !status.success() {
                return Err(format!("{label} ended ({status})"));
            }
        }
        Ok(self.processes.len() > 1)
    }

    /// Asks every process to end, players first, and waits for them.
    fn end_processes(&mut self) -> Result<(), String> {
        let mut problem = Ok(());
        while let Some(mut process) = self.processes.pop() {
            drop(process.child.stdin.take());
            let deadline = Instant::now() + END_TIMEOUT;
            loop {
                match process.child.try_wait() {
                    Ok(Some(status)) if status.success() => break,
                    Ok(Some(status)) => {
                        problem = Err(format!("{} ended badly ({status})", process.label));
                        break;
                    }
                    Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
                    _ => {
                        problem = Err(format!("{} did not end within {END_TIMEOUT:?} and was killed", process.label));
                        break;
                    }
                }
            }
        }
        problem
    }
}

fn read_output(output: impl Read, report: &Sender<News>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let news = if let Some(address) = line.strip_prefix(crate::process::LISTENING_PREFIX) {
            address.trim().parse().ok().map(News::Listening)
        } else {
            serde_json::from_str(&line).ok().map(|sample| News::Sample(Box::new(sample)))
        };
        if let Some(news) = news
            && report.send(news).is_err()
        {
            return;
        }
    }
}

/// Whether this build and this session can show windows.
fn can_open_windows() -> bool {
    let display = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(feature = "window") && (cfg!(not(target_os = "linux")) || display("DISPLAY"))
}
