//! What a link declares about itself, so that the protocol adds only what is missing.

/// The least MTU a link must offer, in bytes: an unauthenticated hello is padded to this size, so that no reply is
/// larger than what asked for it. A smaller [`LinkProperties::mtu`] is taken as this.
pub const MIN_MTU: usize = 600;

/// The greatest datagram, in bytes, that is sent or accepted: what UDP over IPv4 can carry.
pub(crate) const MAX_DATAGRAM_BYTES: usize = 65_507;

/// What a link gives by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkProperties {
    /// The other end proved its address and nobody else can inject datagrams: no cookie, no padding, no token in
    /// datagrams.
    pub authenticated: bool,
    /// Nobody on the way can read the datagrams. The protocol itself adds no encryption; the connection layer may warn.
    pub encrypted: bool,
    /// Datagrams are never lost: no retransmission, no probes, no spare copies. They are acknowledged nevertheless,
    /// because deliveries are reported. A side that has no room for what comes ends the connection, because nobody would
    /// send it again.
    pub reliable: bool,
    /// The link itself notices a dead other end: no keep-alive, and silence alone is no time-out.
    pub keeps_alive: bool,
    /// Greatest datagram in bytes. At least [`MIN_MTU`].
    pub mtu: usize,
}

impl Default for LinkProperties {
    fn default() -> Self {
        Self { authenticated: false, encrypted: false, reliable: false, keeps_alive: false, mtu: 1200 }
    }
}
