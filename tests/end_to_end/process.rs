//! Starting the game's binary, reading what it says, and ending it whatever happens.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vehicle_combat::statistics::Sample;

/// How long a server may take to listen: debug builds on a busy machine are slow.
const START: Duration = Duration::from_secs(30);

/// A running process of the game. Dropping it ends it.
pub struct Game {
    child: Child,
    output: Arc<Mutex<Vec<String>>>,
    errors: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Game {
    /// Starts `vehicle_combat` with these arguments and statistics on standard output.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &["--stats-json", "-"])
    }

    /// Starts it with these arguments and these more.
    pub fn start_with(arguments: &[&str], more: &[&str]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_vehicle_combat")).args(arguments).args(more).env_remove("DISPLAY"))
    }

    /// Starts it with these arguments on an X11 display.
    pub fn start_on_display(display: &str, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_vehicle_combat")).args(arguments).env("DISPLAY", display))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .env_remove("VEHICLE_COMBAT_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the game's binary starts");
        let (output, errors) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("piped"), &output),
            collect(child.stderr.take().expect("piped"), &errors),
        ];
        Self { child, output, errors, readers }
    }

    /// Starts a server on a free port of the loopback.
    pub fn server(arguments: &[&str]) -> (Self, SocketAddr) {
        let all = [&["server", "--bind", "127.0.0.1:0"], arguments].concat();
        let server = Self::start(&all);
        let deadline = Instant::now() + START;
        loop {
            let lines = server.lines();
            if let Some(address) = lines.iter().find_map(|line| line.strip_prefix("listening on ")) {
                return (server, address.parse().expect("an address follows"));
            }
            assert!(Instant::now() < deadline, "the server did not listen: {lines:?} {:?}", server.errors());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts a bot.
    pub fn bot(server: SocketAddr, name: &str, arguments: &[&str]) -> Self {
        Self::start(&[&["bot", "--connect", &server.to_string(), "--name", name], arguments].concat())
    }

    /// What it wrote to standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.output.lock().expect("no reader panics").clone()
    }

    /// What it wrote to standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().expect("no reader panics").join("\n")
    }

    /// Its statistics so far.
    pub fn samples(&self) -> Vec<Sample> {
        self.lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until its newest sample satisfies a condition.
    pub fn wait_for(&self, what: &str, limit: Duration, condition: impl Fn(&Sample) -> bool) -> Sample {
        let deadline = Instant::now() + limit;
        loop {
            let last = self.samples().pop();
            if let Some(sample) = &last
                && condition(sample)
            {
                return sample.clone();
            }
            assert!(
                Instant::now() < deadline,
                "{what} did not come true within {limit:?}: {last:#?} {}",
                self.errors()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// Ends it without a word: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("its state can be asked") {
                for reader in self.readers.drain(..) {
                    reader.join().expect("no reader panics");
                }
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "it did not end within {limit:?}: {:?} {}",
                self.lines().last(),
                self.errors()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Game {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(source: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            lines.lock().expect("no test panics while it holds this").push(line);
        }
    })
}
