//! The example's server starts and serves; `.ci/check-example` connects a window to it.

use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn the_server_starts_and_stays() {
    let mut server = Command::new(env!("CARGO_BIN_EXE_move_together"))
        .arg("server")
        .stdin(Stdio::null())
        .spawn()
        .expect("the example's binary starts");
    std::thread::sleep(Duration::from_secs(1));
    let ended = server.try_wait().expect("its state can be asked");
    server.kill().expect("it can be ended");
    server.wait().expect("it ends");
    assert!(ended.is_none(), "the server ended by itself: {ended:?}");
}
