//! Figures of one connection.

use core::time::Duration;

/// What a peer has measured and counted so far. Bytes are those of datagrams; headers of UDP and IP are not counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerStats {
    /// Smoothed round-trip time without the other side's acknowledgement delay (RFC 6298). Zero before the first
    /// sample.
    pub rtt: Duration,
    /// Mean deviation of the round-trip time.
    pub jitter: Duration,
    /// Least round-trip time of the last 15 to 30 seconds.
    pub min_rtt: Duration,
    /// The newest round-trip sample.
    pub latest_rtt: Duration,
    /// Share of our datagrams that were lost, 0 to 1, smoothed over about 128 datagrams.
    pub loss: f32,
    /// Datagrams sent.
    pub packets_sent: u64,
    /// Valid datagrams received, duplicates included.
    pub packets_received: u64,
    /// Datagrams of ours that were declared lost and did not turn up after all.
    pub packets_lost: u64,
    /// Valid datagrams that were neither taken nor acknowledged, because the inbox was full or they came too late.
    pub packets_dropped: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes of valid datagrams received.
    pub bytes_received: u64,
    /// Messages that were accepted by `send`.
    pub messages_sent: u64,
    /// Messages put into the inbox.
    pub messages_received: u64,
    /// What may be sent at present, from the congestion controller.
    pub budget_bytes_per_second: u32,
    /// Bytes of datagrams that are neither acknowledged nor declared lost.
    pub bytes_in_flight: usize,
}
