use core::time::Duration;
#[cfg(feature = "renet")]
use std::net::SocketAddr;

use bevy::prelude::*;

#[cfg(feature = "renet")]
use crate::credentials::{Credentials, Key};
use crate::memory::MemoryHub;
#[cfg(feature = "renet")]
use crate::renet::ConnectToken;

/// Opens a link. Spawn it to start; despawn the entity to end it.
///
/// When the pipe is open its entity gets an open [`Link`](crate::Link); when it cannot be opened, a closed one with the
/// reason. Read when the component is added: to try again spawn another, or remove `Connect` and `Link` and insert a
/// new `Connect`.
#[derive(Component, Clone, Debug)]
pub struct Connect {
    pub(crate) transport: ConnectTransport,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum ConnectTransport {
    Memory(MemoryHub),
    #[cfg(feature = "renet")]
    Udp(UdpConnect),
    #[cfg(feature = "renet")]
    Renet,
}

#[cfg(feature = "renet")]
#[derive(Clone, Debug)]
pub(crate) struct UdpConnect {
    pub server: SocketAddr,
    pub credentials: Option<Credentials>,
    pub client_id: Option<u64>,
    pub token_lifetime: Duration,
    pub silence_timeout: Duration,
}

impl Connect {
    /// How long opening may take unless [`timeout`](Self::timeout) says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Connects to the app of this process that [`Listen`](crate::Listen)s on the same hub, now or before the timeout.
    pub fn memory(hub: &MemoryHub) -> Self {
        Self::over(ConnectTransport::Memory(hub.clone()))
    }

    /// Connects over UDP, with netcode 1.02 through `bevy_renet`. Needs one of [`key`](Self::key),
    /// [`token`](Self::token) and [`unsecure_for_development`](Self::unsecure_for_development), the same as the
    /// server's.
    #[cfg(feature = "renet")]
    pub fn udp(server: SocketAddr) -> Self {
        Self::over(ConnectTransport::Udp(UdpConnect {
            server,
            credentials: None,
            client_id: None,
            token_lifetime: Duration::from_secs(300),
            silence_timeout: Duration::from_secs(5),
        }))
    }

    /// Uses the `RenetClient` that the app made and drives itself, over whatever renet transport it has. Its
    /// `ConnectionConfig` must hold the channels that [`add_renet_channels`](crate::add_renet_channels) adds.
    #[cfg(feature = "renet")]
    pub fn renet() -> Self {
        Self::over(ConnectTransport::Renet)
    }

    fn over(transport: ConnectTransport) -> Self {
        Self { transport, timeout: Self::DEFAULT_TIMEOUT }
    }

    /// How long opening may take, in real time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes a connect token with the server's own secret. For games whose players run the server themselves, and for
    /// tests; where players must not have the secret, a service hands out [`token`](Self::token)s.
    #[cfg(feature = "renet")]
    pub fn key(self, key: [u8; 32]) -> Self {
        self.with_credentials(Credentials::Key(Key(key)))
    }

    /// Uses a connect token made by somebody who has the key, for
    /// [`NETCODE_PROTOCOL_ID`](crate::NETCODE_PROTOCOL_ID). The address given to [`Connect::udp`] is dialled, whatever
    /// the token lists.
    #[cfg(feature = "renet")]
    pub fn token(self, token: Box<ConnectToken>) -> Self {
        self.with_credentials(Credentials::Token(token))
    }

    /// For a server that listens with `unsecure_for_development`.
    #[cfg(feature = "renet")]
    pub fn unsecure_for_development(self) -> Self {
        self.with_credentials(Credentials::UnsecureForDevelopment)
    }

    /// The netcode client id; a random one unless given. The server ignores a second client with an id that is
    /// connected.
    #[cfg(feature = "renet")]
    pub fn client_id(mut self, client_id: u64) -> Self {
        if let ConnectTransport::Udp(udp) = &mut self.transport {
            udp.client_id = Some(client_id);
        }
        self
    }

    /// How long the token made from a key is valid, in whole seconds; also how far the clocks of the two machines may
    /// differ. 300 s unless given.
    #[cfg(feature = "renet")]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        if let ConnectTransport::Udp(udp) = &mut self.transport {
            udp.token_lifetime = lifetime;
        }
        self
    }

    /// How long an open pipe may be silent before either side counts it as gone, rounded up to whole seconds and at
    /// least [`timeout`](Self::timeout). 5 s unless given. netcode sends four keep-alives a second. A client whose own
    /// frame takes longer than this counts the server as gone: raise it where loading blocks for seconds.
    #[cfg(feature = "renet")]
    pub fn silence_timeout(mut self, timeout: Duration) -> Self {
        if let ConnectTransport::Udp(udp) = &mut self.transport {
            udp.silence_timeout = timeout;
        }
        self
    }

    #[cfg(feature = "renet")]
    fn with_credentials(mut self, credentials: Credentials) -> Self {
        if let ConnectTransport::Udp(udp) = &mut self.transport {
            udp.credentials = Some(credentials);
        }
        self
    }

    pub(crate) fn memory_hub(&self) -> Option<&MemoryHub> {
        match &self.transport {
            ConnectTransport::Memory(hub) => Some(hub),
            #[cfg(feature = "renet")]
            ConnectTransport::Udp(_) | ConnectTransport::Renet => None,
        }
    }
}
