use std::net::SocketAddr;

use bevy::prelude::*;

#[cfg(feature = "renet")]
use crate::credentials::{Key, Security};
use crate::memory::MemoryHub;

/// Accepts links. Spawn it to start; despawn the entity, or remove the component, to stop, which closes its links.
///
/// Once it is bound the entity gets [`Listening`]; if it cannot be, [`ListenFailed`] with a sentence that says why.
/// Each accepted pipe becomes an entity with a [`Link`](crate::Link) and a [`LinkOf`] that points here.
///
/// Read when the component is added: to change the settings, despawn it and spawn another.
#[derive(Component, Clone, Debug)]
pub struct Listen {
    pub(crate) transport: ListenTransport,
    pub(crate) max_links: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum ListenTransport {
    Memory(MemoryHub),
    #[cfg(feature = "renet")]
    Udp(UdpListen),
    #[cfg(feature = "renet")]
    Renet,
}

#[cfg(feature = "renet")]
#[derive(Clone, Debug)]
pub(crate) struct UdpListen {
    pub address: SocketAddr,
    pub security: Option<Security>,
    pub public_addresses: Vec<SocketAddr>,
}

impl Listen {
    /// The most links of one listener unless [`max_links`](Self::max_links) says otherwise.
    pub const DEFAULT_MAX_LINKS: usize = 256;

    /// Accepts links from the apps of this process that [`Connect::memory`](crate::Connect::memory) to the same hub.
    pub fn memory(hub: &MemoryHub) -> Self {
        Self::over(ListenTransport::Memory(hub.clone()))
    }

    /// Accepts links over UDP, with netcode 1.02 through `bevy_renet`. Port 0 takes a free one, which [`Listening`]
    /// then tells. Needs [`key`](Self::key) or [`unsecure_for_development`](Self::unsecure_for_development).
    #[cfg(feature = "renet")]
    pub fn udp(address: SocketAddr) -> Self {
        Self::over(ListenTransport::Udp(UdpListen { address, security: None, public_addresses: Vec::new() }))
    }

    /// Accepts links on the `RenetServer` that the app made and drives itself, over whatever renet transport it has.
    /// Its `ConnectionConfig` must hold the channels that [`add_renet_channels`](crate::add_renet_channels) adds.
    #[cfg(feature = "renet")]
    pub fn renet() -> Self {
        Self::over(ListenTransport::Renet)
    }

    fn over(transport: ListenTransport) -> Self {
        Self { transport, max_links: Self::DEFAULT_MAX_LINKS }
    }

    /// The most links at once; over UDP at most 1024, of which each takes 2.5 KB from the start. Further ones are
    /// refused. Leave some more than the game has players, so that one too many is refused by the layer above, with its
    /// reasons.
    pub fn max_links(mut self, max_links: usize) -> Self {
        self.max_links = max_links;
        self
    }

    /// The secret that connect tokens are made with: those who have it, or a token made with it, may connect, and what
    /// passes is encrypted. Only for [`Listen::udp`].
    #[cfg(feature = "renet")]
    pub fn key(mut self, key: [u8; 32]) -> Self {
        if let ListenTransport::Udp(udp) = &mut self.transport {
            udp.security = Some(Security::Key(Key(key)));
        }
        self
    }

    /// Accepts anyone, with encryption that anyone can undo. Only for [`Listen::udp`].
    #[cfg(feature = "renet")]
    pub fn unsecure_for_development(mut self) -> Self {
        if let ListenTransport::Udp(udp) = &mut self.transport {
            udp.security = Some(Security::UnsecureForDevelopment);
        }
        self
    }

    /// An address that connect tokens made elsewhere (by a matchmaker, say) list for this server, when it differs from
    /// the bound one. Tokens that [`Connect`](crate::Connect) makes from a key need none. Only for [`Listen::udp`]; may
    /// be called several times.
    #[cfg(feature = "renet")]
    pub fn public_address(mut self, address: SocketAddr) -> Self {
        if let ListenTransport::Udp(udp) = &mut self.transport {
            udp.public_addresses.push(address);
        }
        self
    }

    pub(crate) fn memory_hub(&self) -> Option<&MemoryHub> {
        match &self.transport {
            ListenTransport::Memory(hub) => Some(hub),
            #[cfg(feature = "renet")]
            ListenTransport::Udp(_) | ListenTransport::Renet => None,
        }
    }
}

/// On the entity of a [`Listen`] that accepts links.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The bound address with its real port; `None` where there is none (memory, or a renet server of the app's own).
    pub address: Option<SocketAddr>,
}

/// On the entity of a [`Listen`] that could not start: one sentence with the cause and the remedy.
#[derive(Component, Clone, Debug, PartialEq, Eq)]
pub struct ListenFailed(pub String);

/// On each accepted [`Link`](crate::Link): the entity of the [`Listen`] that accepted it.
#[derive(Component, Clone, Copy, Debug, PartialEq, Eq)]
#[relationship(relationship_target = Links)]
pub struct LinkOf(pub Entity);

/// On the entity of a [`Listen`]: the links that it accepted. They are despawned with it.
#[derive(Component, Debug, Default)]
#[relationship_target(relationship = LinkOf, linked_spawn)]
pub struct Links(Vec<Entity>);
