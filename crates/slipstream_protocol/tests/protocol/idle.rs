//! What a connection costs when nobody says anything, and how long silence is borne.

use core::time::Duration;

use slipstream_protocol::{ClosedReason, LinkProperties};

use crate::numbered::numbered;
use crate::pair::{ORDERED, Pair, Setup, UNORDERED, UNRELIABLE, line};

const SECOND: Duration = Duration::from_secs(1);
const PROMISED_BYTES_PER_SECOND: f64 = 300.0;

/// Bytes and datagrams a second, from each end, over a minute of quiet.
fn cost_of_quiet(pair: &mut Pair) -> [(f64, f64); 2] {
    let start = pair.now();
    pair.run_for(SECOND * 60);
    assert!(pair.a.peer.is_connected() && pair.b.peer.is_connected());
    [&pair.a, &pair.b]
        .map(|end| (end.bytes_sent_since(start) as f64 / 60.0, end.datagrams_sent_since(start) as f64 / 60.0))
}

#[test]
fn figures_idle_connection() {
    let mut table = "\nAn idle connection, headers of UDP/IP not counted (seed 80)\n\
        line                        from initiator           from acceptor\n"
        .to_owned();
    let mut worst = 0.0_f64;
    for (name, loss) in [("no loss", 0.0), ("5 % loss", 0.05), ("30 % loss", 0.3)] {
        let mut pair = Pair::connected(Setup::new(line(50, loss)), 80);
        pair.run_for(SECOND * 5);
        let costs = cost_of_quiet(&mut pair);
        table += &format!("{name:<16}");
        for (bytes, datagrams) in costs {
            table += &format!("  {bytes:6.1} B/s ({datagrams:4.1}/s)");
            worst = worst.max(bytes);
        }
        table += "\n";
    }
    println!("{table}");
    assert!(worst <= PROMISED_BYTES_PER_SECOND, "{worst} bytes a second, promised {PROMISED_BYTES_PER_SECOND}");
}

#[test]
fn quiet_after_traffic_costs_as_little() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.05)), 81);
    for number in 0..600 {
        let now = pair.now();
        for channel in [UNRELIABLE, UNORDERED, ORDERED] {
            let payload = numbered(number, 40);
            pair.a.peer.send(now, channel, &payload, None).unwrap();
            pair.b.peer.send(now, channel, &payload, None).unwrap();
        }
        pair.step();
    }
    pair.run_for(SECOND * 10);
    for (bytes, _) in cost_of_quiet(&mut pair) {
        assert!(bytes <= PROMISED_BYTES_PER_SECOND, "{bytes} bytes a second");
    }
}

#[test]
fn a_link_that_keeps_alive_is_left_alone() {
    let mut setup = Setup::new(line(50, 0.0));
    setup.link = LinkProperties { keeps_alive: true, ..LinkProperties::default() };
    let mut pair = Pair::connected(setup, 82);
    pair.run_for(SECOND * 5);
    for (_, datagrams) in cost_of_quiet(&mut pair) {
        assert_eq!(datagrams, 0.0);
    }
}

#[test]
fn silence_is_borne_for_the_time_out_and_no_longer() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 83);
    pair.run_for(SECOND * 3);
    pair.set_conditions(line(50, 1.0));
    let start = pair.now();
    pair.run_until("both ends give up", SECOND * 15, |pair| pair.a.closed().is_some() && pair.b.closed().is_some());
    for end in [&pair.a, &pair.b] {
        let (at, reason) = end.closed().unwrap();
        assert!(matches!(reason, ClosedReason::TimedOut), "{reason:?}");
        // The last datagram came up to a keep-alive before the line was cut.
        let borne = at - start;
        assert!(borne >= SECOND * 17 / 2 && borne <= SECOND * 21 / 2, "gave up after {borne:?}");
        assert!(end.peer.is_closed() && !end.peer.is_connected());
    }
}

#[test]
fn an_outage_shorter_than_the_time_out_is_survived() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 84);
    pair.run_for(SECOND * 3);
    pair.set_conditions(line(50, 1.0));
    pair.run_for(SECOND * 8);
    pair.set_conditions(line(50, 0.0));
    let now = pair.now();
    pair.a.peer.send(now, ORDERED, &numbered(0, 16), None).unwrap();
    pair.run_until("a message arrives after it", SECOND * 2, |pair| !pair.b.inbox.is_empty());
    pair.run_for(SECOND * 15);
    assert!(pair.a.peer.is_connected() && pair.b.peer.is_connected());
}
