use thiserror::Error;

/// Why a link is closed. Its text is a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LinkClosed {
    /// This side closed it.
    #[error("this side closed the link")]
    Local,
    /// The other side closed it.
    #[error("the other side closed the link: {0}")]
    Remote(String),
    /// It was open, and then nothing came for as long as the transport waits.
    #[error("the link went silent: nothing came from the other side for too long")]
    TimedOut,
    /// The other side answered, and said no.
    #[error("{0}")]
    Refused(String),
    /// It could not be opened, or its transport broke.
    #[error("{0}")]
    Failed(String),
}
