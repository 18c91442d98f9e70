//! What the network does, for one connection.

use core::time::Duration;

use bevy::prelude::*;
use slipstream_protocol::PeerStats;

/// Measurements of one connection, renewed every frame.
///
/// On a host's [`LocalConnection`](crate::LocalConnection) they stay zero.
#[derive(Component, Debug, Clone, PartialEq, Default)]
pub struct NetworkStats {
    /// The smoothed time there and back.
    pub rtt: Duration,
    /// How much it varies.
    pub jitter: Duration,
    /// The shortest time there and back so far.
    pub best_rtt: Duration,
    /// The longest.
    pub worst_rtt: Duration,
    /// The mean of all.
    pub average_rtt: Duration,
    /// Share of sent datagrams that were lost, 0 to 1, smoothed.
    pub loss: f32,
    /// Bytes received since the connection opened, headers of UDP and IP not counted.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received in the last full second.
    pub bytes_in_per_second: f32,
    /// Bytes sent in the last full second.
    pub bytes_out_per_second: f32,
    /// Datagrams received.
    pub packets_in: u64,
    /// Datagrams sent.
    pub packets_out: u64,
    /// Datagrams sent and declared lost.
    pub packets_lost: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Messages sent.
    pub messages_out: u64,
    /// Messages that were dropped here: too many, rejected, without room in a queue, or naming entities that never came.
    pub messages_dropped: u64,
    /// What the congestion controller allows, in bytes a second.
    pub budget_bytes_per_second: u32,
    /// Datagrams and messages that were not what the protocol allows.
    pub errors: u64,
}

/// What averages and rates need to remember between frames.
#[derive(Debug, Default)]
pub(crate) struct StatsSampler {
    rtt_sum: Duration,
    rtt_samples: u32,
    packets_at_sample: u64,
    second_began: Option<Duration>,
    bytes_in_then: u64,
    bytes_out_then: u64,
}

impl StatsSampler {
    /// Brings `stats` up to date with the state machine.
    pub(crate) fn sample(&mut self, stats: &mut NetworkStats, peer: &PeerStats, now: Duration) {
        stats.rtt = peer.rtt;
        stats.jitter = peer.jitter;
        stats.loss = peer.loss;
        stats.bytes_in = peer.bytes_received;
        stats.bytes_out = peer.bytes_sent;
        stats.packets_in = peer.packets_received;
        stats.packets_out = peer.packets_sent;
        stats.packets_lost = peer.packets_lost;
        stats.messages_in = peer.messages_received;
        stats.messages_out = peer.messages_sent;
        stats.budget_bytes_per_second = peer.budget_bytes_per_second;
        self.sample_rtt(stats, peer);
        self.sample_rates(stats, now);
    }

    fn sample_rtt(&mut self, stats: &mut NetworkStats, peer: &PeerStats) {
        if peer.latest_rtt.is_zero() || peer.packets_received == self.packets_at_sample {
            return;
        }
        self.packets_at_sample = peer.packets_received;
        let best = if self.rtt_samples == 0 { peer.latest_rtt } else { stats.best_rtt.min(peer.latest_rtt) };
        stats.best_rtt = best;
        stats.worst_rtt = stats.worst_rtt.max(peer.latest_rtt);
        self.rtt_sum += peer.latest_rtt;
        self.rtt_samples = self.rtt_samples.saturating_add(1);
        stats.average_rtt = self.rtt_sum / self.rtt_samples;
    }

    fn sample_rates(&mut self, stats: &mut NetworkStats, now: Duration) {
        let began = *self.second_began.get_or_insert(now);
        let elapsed = now.saturating_sub(began);
        if elapsed < Duration::from_secs(1) {
            return;
        }
        let seconds = elapsed.as_secs_f32();
        stats.bytes_in_per_second = stats.bytes_in.saturating_sub(self.bytes_in_then) as f32 / seconds;
        stats.bytes_out_per_second = stats.bytes_out.saturating_sub(self.bytes_out_then) as f32 / seconds;
        self.second_began = Some(now);
        self.bytes_in_then = stats.bytes_in;
        self.bytes_out_then = stats.bytes_out;
    }
}
