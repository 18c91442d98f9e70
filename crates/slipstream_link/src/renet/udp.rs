//! netcode sockets and connect tokens.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::net::UdpSocket;
use std::time::{SystemTime, UNIX_EPOCH};

use bevy_renet::netcode::{
    ClientAuthentication, ConnectToken, NetcodeClientTransport, NetcodeServerTransport, ServerAuthentication,
    ServerConfig, generate_random_bytes,
};
use slipstream_protocol::LinkProperties;

use super::channels::RENET_MTU;
use crate::connect::UdpConnect;
use crate::credentials::{Credentials, Key, Security};
use crate::listen::UdpListen;

/// The netcode protocol id of Slipstream's links; connect tokens made elsewhere carry it. It does not change with
/// versions: the protocol's own handshake compares those, and names the difference.
pub const NETCODE_PROTOCOL_ID: u64 = u64::from_be_bytes(*b"slipstrm");

/// renetcode has no more slots, and panics when asked for them.
const MAX_CLIENTS: usize = 1024;

/// netcode lets a token in when one of the addresses it was made for is one of the server's. A server does not know by
/// which address it is reached from outside, so tokens that clients make from the key list this one as well, which is
/// nobody's (TEST-NET-1, RFC 5737), and every server claims it. Whoever has the key may make any token anyway.
const ANY_SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1);

pub(super) struct BoundServer {
    pub transport: NetcodeServerTransport,
    pub address: SocketAddr,
    pub properties: LinkProperties,
}

/// What netcode links promise. Where anyone may connect the address of the other side is verified all the same.
fn netcode_properties(is_encrypted: bool) -> LinkProperties {
    LinkProperties { authenticated: true, encrypted: is_encrypted, reliable: false, keeps_alive: true, mtu: RENET_MTU }
}

/// Binds a server's socket, or says in one sentence why not.
pub(super) fn bind_server(listen: &UdpListen, max_links: usize) -> Result<BoundServer, String> {
    let wanted = listen.address;
    let (authentication, is_encrypted) = match &listen.security {
        None => {
            return Err(format!(
                "cannot listen on {wanted}: `Listen::udp` has no key; add `.key(secret)`, or \
                 `.unsecure_for_development()` while developing"
            ));
        }
        Some(Security::Key(key)) if *key == Key::UNSECURE => {
            return Err(format!("cannot listen on {wanted}: {ZERO_KEY_SENTENCE}"));
        }
        Some(Security::Key(key)) => (ServerAuthentication::Secure { private_key: key.0 }, true),
        Some(Security::UnsecureForDevelopment) => (ServerAuthentication::Unsecure, false),
    };
    if !(1..=MAX_CLIENTS).contains(&max_links) {
        return Err(format!(
            "cannot listen on {wanted} for {max_links} links: renet takes 1 to {MAX_CLIENTS}; \
             change `.max_links(..)`"
        ));
    }
    let socket = UdpSocket::bind(wanted).map_err(|error| bind_sentence(wanted, &error))?;
    let address = socket.local_addr().map_err(|error| bind_sentence(wanted, &error))?;
    let mut public_addresses = vec![address, dialled(address), ANY_SERVER];
    public_addresses.extend(&listen.public_addresses);
    let config = ServerConfig {
        current_time: unix_time(),
        max_clients: max_links,
        protocol_id: NETCODE_PROTOCOL_ID,
        public_addresses,
        authentication,
    };
    let transport = NetcodeServerTransport::new(config, socket).map_err(|error| bind_sentence(wanted, &error))?;
    Ok(BoundServer { transport, address, properties: netcode_properties(is_encrypted) })
}

/// Opens a client's socket with a connect token, or says in one sentence why not. Sends nothing yet.
pub(super) fn open_client(
    connect: &UdpConnect,
    timeout: Duration,
) -> Result<(NetcodeClientTransport, LinkProperties), String> {
    let server = dialled(connect.server);
    let (token, is_encrypted) = match &connect.credentials {
        None => {
            return Err(format!(
                "cannot connect to {server}: `Connect::udp` has neither key nor token; add `.key(secret)` or \
                 `.token(token)`, or `.unsecure_for_development()` while developing"
            ));
        }
        Some(Credentials::Key(key)) if *key == Key::UNSECURE => {
            return Err(format!("cannot connect to {server}: {ZERO_KEY_SENTENCE}"));
        }
        Some(Credentials::Key(key)) => (make_token(connect, server, timeout, key)?, true),
        Some(Credentials::UnsecureForDevelopment) => (make_token(connect, server, timeout, &Key::UNSECURE)?, false),
        Some(Credentials::Token(token)) if token.protocol_id != NETCODE_PROTOCOL_ID => {
            return Err(format!(
                "cannot connect to {server}: the connect token is for netcode protocol {:#x}, not for \
                 Slipstream's {NETCODE_PROTOCOL_ID:#x}; make it with `NETCODE_PROTOCOL_ID`",
                token.protocol_id
            ));
        }
        Some(Credentials::Token(token)) => (ConnectToken::clone(token), true),
    };
    let any_port: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let failed =
        |error: &dyn core::fmt::Display| format!("cannot connect to {server}: no UDP socket could be opened ({error})");
    let socket = UdpSocket::bind(any_port).map_err(|error| failed(&error))?;
    let authentication = ClientAuthentication::Secure { connect_token: dial_only(token, server) };
    let transport = NetcodeClientTransport::new(unix_time(), authentication, socket).map_err(|error| failed(&error))?;
    Ok((transport, netcode_properties(is_encrypted)))
}

const ZERO_KEY_SENTENCE: &str = "the key is all zeros, which is the key of unsecure mode and known to everyone; use \
    32 random bytes, or `.unsecure_for_development()`";

fn make_token(connect: &UdpConnect, server: SocketAddr, timeout: Duration, key: &Key) -> Result<ConnectToken, String> {
    // One number serves netcode for opening and for silence: it must cut neither short.
    let silence = whole_seconds(connect.silence_timeout.max(timeout));
    let client_id = connect.client_id.unwrap_or_else(|| u64::from_le_bytes(generate_random_bytes()));
    ConnectToken::generate(
        unix_time(),
        NETCODE_PROTOCOL_ID,
        connect.token_lifetime.as_secs().max(1),
        client_id,
        i32::try_from(silence).unwrap_or(i32::MAX),
        vec![server, ANY_SERVER],
        None,
        &key.0,
    )
    .map_err(|error| format!("cannot connect to {server}: no connect token could be made ({error})"))
}

/// Makes the token's public part name one server. The addresses that the server checks are in its private part.
fn dial_only(mut token: ConnectToken, server: SocketAddr) -> ConnectToken {
    token.server_addresses.fill(None);
    if let Some(first) = token.server_addresses.first_mut() {
        *first = Some(server);
    }
    token
}

/// A server bound to all addresses of its machine is dialled on loopback.
fn dialled(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// netcode counts in whole seconds.
fn whole_seconds(duration: Duration) -> u64 {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() > 0 { seconds.saturating_add(1) } else { seconds.max(1) }
}

fn unix_time() -> Duration {
    // A clock before 1970 makes tokens that expire at once, which is then said.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn bind_sentence(address: SocketAddr, error: &io::Error) -> String {
    let cause = match error.kind() {
        io::ErrorKind::AddrInUse => String::from(
            "the port is already in use, by another program or another listener of this one; stop that, \
             or choose another port (0 takes a free one)",
        ),
        io::ErrorKind::AddrNotAvailable => {
            String::from("this machine does not have that address; 0.0.0.0 or [::] stands for all that it has")
        }
        io::ErrorKind::PermissionDenied => {
            String::from("the system does not permit it; ports below 1024 need privileges, so choose a higher one")
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {address}: {cause}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_public_part_names_only_the_server_that_is_dialled() {
        let server = SocketAddr::from(([127, 0, 0, 1], 7777));
        let token = ConnectToken::generate(
            unix_time(),
            NETCODE_PROTOCOL_ID,
            30,
            1,
            5,
            vec![ANY_SERVER, ANY_SERVER],
            None,
            &[1; 32],
        )
        .expect("two addresses are allowed");
        let addresses = dial_only(token, server).server_addresses;
        assert_eq!(addresses[0], Some(server));
        assert!(addresses[1..].iter().all(Option::is_none));
    }

    #[test]
    fn all_addresses_are_dialled_on_loopback() {
        let any = SocketAddr::from(([0, 0, 0, 0], 7777));
        assert_eq!(dialled(any), SocketAddr::from(([127, 0, 0, 1], 7777)));
        let other = SocketAddr::from(([10, 0, 0, 1], 7777));
        assert_eq!(dialled(other), other);
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1500)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(5)), 5);
    }
}
