use core::fmt;

use crate::renet::ConnectToken;

/// A netcode private key. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(pub [u8; 32]);

impl Key {
    /// netcode's key where there is none: everybody has it.
    pub const UNSECURE: Self = Self([0; 32]);
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

/// Whom a listener accepts.
#[derive(Clone, Debug)]
pub(crate) enum Security {
    Key(Key),
    UnsecureForDevelopment,
}

/// What a connector shows.
#[derive(Clone)]
pub(crate) enum Credentials {
    Key(Key),
    Token(Box<ConnectToken>),
    UnsecureForDevelopment,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A token holds the keys of the session.
        formatter.write_str(match self {
            Self::Key(_) => "Key(..)",
            Self::Token(_) => "Token(..)",
            Self::UnsecureForDevelopment => "UnsecureForDevelopment",
        })
    }
}
