//! How long a reliable message takes on a line that loses some.

use core::time::Duration;

use slipstream_protocol::{ChannelId, NetworkConditions};

use crate::numbered::{number_of, numbered};
use crate::pair::{FRAME, ORDERED, Pair, Setup, UNORDERED, line, milliseconds};

const RTT: Duration = Duration::from_millis(100);

/// Latencies of `count` messages of 32 bytes, ten a second, sorted.
fn latencies(channel: ChannelId, conditions: NetworkConditions, spare_copies: bool, count: u32) -> Vec<Duration> {
    let setup = Setup::new(conditions).both(|config| config.spare_copies = spare_copies);
    let mut pair = Pair::connected(setup, 70);
    pair.run_for(Duration::from_secs(1));
    let mut sent_at = Vec::new();
    let mut latencies = Vec::new();
    for number in 0..count {
        let now = pair.now();
        sent_at.push(now);
        pair.a.peer.send(now, channel, &numbered(number, 32), None).unwrap();
        for _ in 0..6 {
            pair.step();
        }
        for arrival in pair.b.inbox.drain(..) {
            latencies.push(arrival.at - sent_at[number_of(&arrival.payload) as usize]);
        }
    }
    pair.run_for(Duration::from_secs(10));
    for arrival in pair.b.inbox.drain(..) {
        latencies.push(arrival.at - sent_at[number_of(&arrival.payload) as usize]);
    }
    assert_eq!(latencies.len(), count as usize, "every message arrives");
    latencies.sort();
    latencies
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[test]
fn figures_latency_of_reliable_messages_at_5_percent_loss_and_100_ms() {
    let count = 6_000;
    let lossy = line(50, 0.05);
    let jittery = NetworkConditions { jitter: milliseconds(10), ..lossy };
    let rows = [
        ("unordered", UNORDERED, lossy, true),
        ("ordered", ORDERED, lossy, true),
        ("unordered, ±10 ms jitter", UNORDERED, jittery, true),
        ("ordered, ±10 ms jitter", ORDERED, jittery, true),
        ("unordered, no spare copies", UNORDERED, lossy, false),
        ("ordered, no spare copies", ORDERED, lossy, false),
    ];
    let mut table = format!(
        "\nLatency of {count} reliable messages, 10 a second, 100 ms RTT, 5 % loss, 60 Hz (seed 70)\n\
         {:<28} {:>9} {:>9} {:>9} {:>9}\n",
        "", "p50 ms", "p90 ms", "p99 ms", "max ms"
    );
    let mut p99 = Vec::new();
    for (name, channel, conditions, spare_copies) in rows {
        let sorted = latencies(channel, conditions, spare_copies, count);
        let [p50, p90, row_p99, max] =
            [50, 90, 99, 100].map(|percent| percentile(&sorted, percent).as_secs_f64() * 1_000.0);
        table += &format!("{name:<28} {p50:>9.1} {p90:>9.1} {row_p99:>9.1} {max:>9.1}\n");
        p99.push(percentile(&sorted, 99));
    }
    println!("{table}");
    let unordered_limit = RTT * 12 / 10 + FRAME;
    assert!(p99[0] <= unordered_limit, "unordered: {:?}, promised {unordered_limit:?}", p99[0]);
    let ordered_limit = RTT * 2;
    assert!(p99[1] <= ordered_limit, "ordered: {:?}, promised {ordered_limit:?}", p99[1]);
}

#[test]
fn the_round_trip_is_measured_without_the_delay_of_acks() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.0)), 71);
    for number in 0..100 {
        let now = pair.now();
        pair.a.peer.send(now, UNORDERED, &numbered(number, 16), None).unwrap();
        pair.run_for(milliseconds(100));
    }
    let stats = pair.a.peer.stats();
    // Both ways wait for the next frame's step of the other end, no more; the delay of acks is told in coarse units.
    let least = RTT - milliseconds(1);
    assert!(stats.rtt >= least && stats.rtt <= RTT + FRAME * 2, "{:?}", stats.rtt);
    assert!(stats.min_rtt >= least && stats.min_rtt <= stats.rtt, "{:?}", stats.min_rtt);
    assert!(stats.loss < 0.01, "{}", stats.loss);
    assert_eq!(stats.packets_lost, 0);
}

#[test]
fn the_loss_of_the_line_is_measured() {
    let mut pair = Pair::connected(Setup::new(line(50, 0.1)), 72);
    for number in 0..1_800 {
        let now = pair.now();
        pair.a.peer.send(now, UNORDERED, &numbered(number, 16), None).unwrap();
        pair.step();
    }
    let stats = pair.a.peer.stats();
    let share = stats.packets_lost as f64 / stats.packets_sent as f64;
    assert!((0.07..0.14).contains(&share), "{share} of all");
    assert!((0.03..0.2).contains(&stats.loss), "{} lately", stats.loss);
}
