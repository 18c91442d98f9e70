//! Which renet channels carry datagrams, and how much of them a tick.
//!
//! From the server to a client it is 64 unreliable channels that take turns, from a client to the server 32, each allowed
//! to hold less than one of renet's 1,200-byte slices: renet 2.0.1 gives a peer's slice to
//! `SliceConstructor::process_slice`, which indexes by a number from the wire, so that one crafted packet from a
//! connected peer panics the other. Before that comes the check of the channel's memory, which no slice passes here.

use core::fmt::Debug;

use bevy_renet::renet::{ChannelConfig, ConnectionConfig, SendType};

/// The most bytes of one datagram: with its two bytes of length it fills one of renet's packets of 1,200 bytes.
pub const RENET_MTU: usize = 1198;

/// The first of those from the server to a client.
const FIRST_SERVER_CHANNEL: u8 = 136;
/// How many there are: a server sends as many datagrams a frame to each client, and a client reads as many a frame.
pub(super) const SERVER_CHANNELS: u8 = 64;
/// The first of those from a client to the server.
pub(super) const FIRST_CLIENT_CHANNEL: u8 = 200;
/// How many there are: a client sends as many datagrams a frame, and a server reads as many a frame from each client.
pub(super) const CLIENT_CHANNELS: u8 = 32;
/// renet's `available_bytes_per_tick`; it drops what exceeds it.
pub(super) const BYTES_PER_TICK: usize = 60_000;

/// One datagram, and no slice.
const CHANNEL_MEMORY: usize = RENET_MTU + 1;

/// A renet configuration with the channels of links, and no others.
pub fn renet_connection_config() -> ConnectionConfig {
    let mut config = ConnectionConfig {
        available_bytes_per_tick: BYTES_PER_TICK as u64,
        server_channels_config: Vec::new(),
        client_channels_config: Vec::new(),
    };
    add_renet_channels(&mut config);
    config
}

/// Adds the channels of links, 136 to 231, to an app's own renet configuration, on the server and on the clients.
pub fn add_renet_channels(config: &mut ConnectionConfig) {
    config.server_channels_config.extend((0..SERVER_CHANNELS).map(|turn| unreliable(server_channel(turn))));
    config.client_channels_config.extend((0..CLIENT_CHANNELS).map(|turn| unreliable(client_channel(turn))));
}

fn unreliable(channel_id: u8) -> ChannelConfig {
    ChannelConfig { channel_id, max_memory_usage_bytes: CHANNEL_MEMORY, send_type: SendType::Unreliable }
}

/// The server's channel of a turn; turns count on, and 256 is a multiple of the number of channels.
pub(super) fn server_channel(turn: u8) -> u8 {
    FIRST_SERVER_CHANNEL + turn % SERVER_CHANNELS
}

/// The client's channel of a turn; turns count on, and 256 is a multiple of the number of channels.
pub(super) fn client_channel(turn: u8) -> u8 {
    FIRST_CLIENT_CHANNEL + turn % CLIENT_CHANNELS
}

/// Whether the app's own `RenetServer` or `RenetClient` has the channels of links. Using a channel that is not there
/// panics, and renet offers no way to ask, except that what it prints for debugging names every channel.
pub(super) fn has_channels(renet: &impl Debug) -> bool {
    let printed = format!("{renet:?}");
    [server_channel(0), client_channel(0), client_channel(CLIENT_CHANNELS - 1)]
        .iter()
        .all(|channel| printed.contains(&format!("channel_id: {channel},")))
}

/// The newest of these datagrams that renet takes in one tick, oldest first: at the end the last ones matter most.
pub(super) fn newest_that_fit(mut datagrams: Vec<Vec<u8>>, most_bytes: usize, most_datagrams: usize) -> Vec<Vec<u8>> {
    let mut bytes = 0;
    let fitting = datagrams
        .iter()
        .rev()
        .take(most_datagrams)
        .take_while(|datagram| {
            bytes += datagram.len();
            bytes <= most_bytes
        })
        .count();
    datagrams.split_off(datagrams.len() - fitting)
}

#[cfg(test)]
mod tests {
    use bevy_renet::renet::{RenetClient, RenetServer};

    use super::*;

    fn client_channels(first_turn: u8) -> impl Iterator<Item = u8> {
        (0..CLIENT_CHANNELS).map(move |offset| client_channel(first_turn.wrapping_add(offset)))
    }

    /// A renet packet with one slice, as a crafted client would send it.
    fn slice(channel: u8, slice_index: u8, num_slices: u8) -> Vec<u8> {
        // Type, sequence, channel, message id, then the slice's index and count, and the length as a two-byte varint.
        let mut packet = vec![3, 0, channel, 0, slice_index, num_slices];
        packet.extend_from_slice(&(0x4000_u16 | 1200).to_be_bytes());
        packet.resize(packet.len() + 1200, 0);
        packet
    }

    #[test]
    fn a_slice_with_a_wild_index_does_not_reach_renets_unchecked_one() {
        let mut server = RenetServer::new(renet_connection_config());
        server.add_connection(1);
        for channel in client_channels(0) {
            server.process_packet_from(&slice(channel, 7, 2), 1).expect("client 1 is connected");
        }
        assert!(server.is_connected(1));
        for channel in client_channels(0) {
            assert_eq!(server.receive_message(1, channel), None);
        }
    }

    #[test]
    fn nor_does_one_reach_a_clients() {
        let mut client = RenetClient::new(renet_connection_config());
        client.set_connected();
        for turn in 0..SERVER_CHANNELS {
            client.process_packet(&slice(server_channel(turn), 7, 2));
        }
        assert!(client.is_connected());
        assert!((0..SERVER_CHANNELS).all(|turn| client.receive_message(server_channel(turn)).is_none()));
    }

    #[test]
    fn each_client_channel_carries_a_datagram_of_the_whole_mtu() {
        let mut server = RenetServer::new(renet_connection_config());
        server.add_connection(1);
        let mut client = RenetClient::new(renet_connection_config());
        client.set_connected();
        for channel in client_channels(0) {
            client.send_message(channel, vec![channel; RENET_MTU]);
        }
        for packet in client.get_packets_to_send() {
            server.process_packet_from(&packet, 1).expect("client 1 is connected");
        }
        for channel in client_channels(0) {
            let received = server.receive_message(1, channel).map(Vec::<u8>::from);
            assert_eq!(received, Some(vec![channel; RENET_MTU]));
        }
    }

    #[test]
    fn the_apps_own_renet_is_asked_for_the_channels() {
        let mut config = ConnectionConfig::default();
        assert!(!has_channels(&RenetServer::new(config.clone())));
        assert!(!has_channels(&RenetClient::new(config.clone())));
        add_renet_channels(&mut config);
        assert!(has_channels(&RenetServer::new(config.clone())));
        assert!(has_channels(&RenetClient::new(config)));
    }

    #[test]
    fn the_newest_datagrams_are_kept() {
        let datagrams = vec![vec![1; 10], vec![2; 10], vec![3; 10]];
        assert_eq!(newest_that_fit(datagrams.clone(), 25, 9), vec![vec![2; 10], vec![3; 10]]);
        assert_eq!(newest_that_fit(datagrams, 100, 1), vec![vec![3; 10]]);
    }

    #[test]
    fn turns_go_around_without_a_gap() {
        assert_eq!(client_channel(u8::MAX), FIRST_CLIENT_CHANNEL + 31);
        assert_eq!(client_channel(u8::MAX.wrapping_add(1)), FIRST_CLIENT_CHANNEL);
        let mut channels: Vec<u8> = client_channels(250).collect();
        channels.sort_unstable();
        assert_eq!(channels, (200..232).collect::<Vec<u8>>());
        assert_eq!(server_channel(u8::MAX), 199);
        assert_eq!(server_channel(u8::MAX.wrapping_add(1)), 136);
    }
}
