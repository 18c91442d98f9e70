//! Reliable messages: each arrives exactly once, and in order where that is promised, whatever the line does.

use core::time::Duration;

use slipstream_protocol::{ChannelId, NetworkConditions};

use crate::numbered::{number_of, numbered};
use crate::pair::{Arrival, End, FRAME, ORDERED, Pair, Setup, UNORDERED, bad_line, line, milliseconds};

const SECOND: Duration = Duration::from_secs(1);

/// Loss of 30 % is congestion to the controller, and rightly; these tests are about delivery, so the floor is high.
fn fast(conditions: NetworkConditions) -> Setup {
    Setup::new(conditions).both(|config| config.min_budget_bytes_per_second = 400_000)
}

/// Numbered messages that go one way on one channel, and the proof that each came once.
struct Stream {
    channel: ChannelId,
    count: u32,
    next: u32,
    seen: Vec<bool>,
    arrived: u32,
    bytes: fn(u32) -> usize,
}

impl Stream {
    fn new(channel: ChannelId, count: u32, bytes: fn(u32) -> usize) -> Self {
        Self { channel, count, next: 0, seen: vec![false; count as usize], arrived: 0, bytes }
    }

    /// Queues up to `most` of the messages that are left; a full queue is tried again at the next frame.
    fn send(&mut self, from: &mut End, now: Duration, most: u32) {
        for _ in 0..most.min(self.count - self.next) {
            let payload = numbered(self.next, (self.bytes)(self.next));
            if from.peer.send(now, self.channel, &payload, None).is_err() {
                break;
            }
            self.next += 1;
        }
    }

    fn check(&mut self, arrival: &Arrival) {
        let number = number_of(&arrival.payload);
        assert_eq!(arrival.payload.len(), (self.bytes)(number));
        let seen = &mut self.seen[number as usize];
        assert!(!*seen, "message {number} on {:?} came twice", self.channel);
        *seen = true;
        if self.channel == ORDERED {
            assert_eq!(number, self.arrived, "out of order");
        }
        self.arrived += 1;
    }

    fn is_complete(&self) -> bool {
        self.arrived == self.count
    }
}

/// Runs until all streams are complete, and then long enough to see a late duplicate.
fn run(pair: &mut Pair, a_to_b: &mut [Stream], b_to_a: &mut [Stream], most_a_frame: u32) {
    let mut frames_after = 0;
    pair.run_until("every message arrives", SECOND * 1_800, |pair| {
        let now = pair.now();
        for stream in a_to_b.iter_mut() {
            stream.send(&mut pair.a, now, most_a_frame);
        }
        for stream in b_to_a.iter_mut() {
            stream.send(&mut pair.b, now, most_a_frame);
        }
        check(&mut pair.b, a_to_b);
        check(&mut pair.a, b_to_a);
        if a_to_b.iter().chain(b_to_a.iter()).all(Stream::is_complete) {
            frames_after += 1;
        }
        frames_after > 300
    });
}

fn check(end: &mut End, streams: &mut [Stream]) {
    for arrival in end.inbox.drain(..) {
        streams
            .iter_mut()
            .find(|stream| stream.channel == arrival.channel)
            .unwrap_or_else(|| panic!("a message on {:?}, which nobody uses", arrival.channel))
            .check(&arrival);
    }
}

#[test]
fn a_hundred_thousand_unordered_messages_arrive_exactly_once_at_30_percent_loss() {
    let mut pair = Pair::connected(fast(bad_line(0.3)), 20);
    let mut streams = [Stream::new(UNORDERED, 100_000, |number| 4 + number as usize % 13)];
    run(&mut pair, &mut streams, &mut [], 200);
}

#[test]
fn a_hundred_thousand_ordered_messages_arrive_exactly_once_in_order_at_30_percent_loss() {
    let mut pair = Pair::connected(fast(bad_line(0.3)), 21);
    let mut streams = [Stream::new(ORDERED, 100_000, |number| 4 + number as usize % 13)];
    run(&mut pair, &mut streams, &mut [], 200);
}

#[test]
fn messages_of_all_sizes_arrive_both_ways_at_20_percent_loss() {
    // Every twentieth needs fragments.
    let bytes = |number: u32| {
        if number.is_multiple_of(20) { 3_000 } else { 4 + number as usize % 60 }
    };
    let streams = || [Stream::new(UNORDERED, 5_000, bytes), Stream::new(ORDERED, 5_000, bytes)];
    let mut pair = Pair::connected(fast(bad_line(0.2)), 22);
    run(&mut pair, &mut streams(), &mut streams(), 10);
}

#[test]
fn a_floor_budget_only_takes_longer() {
    let setup = Setup::new(bad_line(0.3)).both(|config| config.max_budget_bytes_per_second = 8_000);
    let mut pair = Pair::connected(setup, 23);
    let mut streams = [Stream::new(ORDERED, 2_000, |_| 20)];
    run(&mut pair, &mut streams, &mut [], 2);
}

/// One reliable message whose datagrams are lost for `outage`; gives how long after it the message arrived.
fn repair_time(outage: Duration, spare_copies: bool) -> Duration {
    let setup = Setup::new(line(50, 0.0)).both(|config| {
        config.spare_copies = spare_copies;
        config.keep_alive = SECOND * 5; // so that no keep-alive can tell of the loss first
    });
    let mut pair = Pair::connected(setup, 24);
    // Round trips to measure, then quiet.
    for number in 0..30 {
        let now = pair.now();
        pair.a.peer.send(now, UNORDERED, &numbered(number, 16), None).unwrap();
        pair.run_for(milliseconds(100));
    }
    pair.run_for(SECOND);
    pair.b.inbox.clear();

    let now = pair.now();
    pair.a.peer.send(now, UNORDERED, &numbered(99, 16), None).unwrap();
    pair.set_conditions(line(50, 1.0));
    pair.run_for(outage);
    pair.set_conditions(line(50, 0.0));
    pair.run_until("the lost message arrives", SECOND * 10, |pair| !pair.b.inbox.is_empty())
}

#[test]
fn a_lost_last_message_is_repaired_by_the_probe_time_out() {
    // The probe time-out is a round trip, four times its variation and the delay of acks; then half a round trip.
    let time = repair_time(FRAME, false);
    assert!(time < milliseconds(350), "{time:?}");
}

#[test]
fn a_lost_last_message_is_repaired_sooner_by_its_spare_copy() {
    let time = repair_time(FRAME, true);
    assert!(time <= milliseconds(50) + FRAME * 2, "{time:?}");
}

#[test]
fn a_message_lost_in_an_outage_is_repaired_soon_after_it() {
    // Probes back off: after an outage of 2 s the next comes no later than 2 s after it.
    let time = repair_time(SECOND * 2, true);
    assert!(time < milliseconds(2_600), "{time:?}");
}

#[test]
fn figures_what_reliability_costs() {
    let bytes_each = 32;
    let count = 10_000;
    let cost = |conditions: NetworkConditions, spare_copies: bool| {
        let setup = fast(conditions).both(|config| config.spare_copies = spare_copies);
        let mut pair = Pair::connected(setup, 25);
        let start = pair.now();
        let mut streams = [Stream::new(UNORDERED, count, |_| 32)];
        run(&mut pair, &mut streams, &mut [], 20);
        pair.a.bytes_sent_since(start) as f64 / f64::from(count * bytes_each)
    };
    let clean = cost(line(50, 0.0), false);
    let at_5 = cost(line(50, 0.05), false);
    let at_30 = cost(line(50, 0.3), false);
    let at_5_spare = cost(line(50, 0.05), true);
    let sent_again = |cost: f64| (cost / clean - 1.0) * 100.0;
    println!(
        "\nBytes sent for each byte of 10,000 reliable messages of 32 bytes, 20 a frame (seed 25)\n\
         line               sent/payload   sent again\n\
         no loss                    {clean:.3}          —\n\
         5 % loss                   {at_5:.3}     {:5.1} %   (ideal 5.3 %)\n\
         30 % loss                  {at_30:.3}     {:5.1} %   (ideal 42.9 %)\n\
         5 %, spare copies          {at_5_spare:.3}     {:5.1} %",
        sent_again(at_5),
        sent_again(at_30),
        sent_again(at_5_spare),
    );
    assert!(clean < 1.5, "{clean} bytes for each byte of payload");
    assert!(sent_again(at_5) < 15.0, "{} % sent again", sent_again(at_5));
    assert!(sent_again(at_30) < 90.0, "{} % sent again", sent_again(at_30));
}
