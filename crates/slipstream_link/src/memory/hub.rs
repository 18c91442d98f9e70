use core::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slipstream_protocol::LinkProperties;

use super::pipe::PipeEnd;

/// The place where the apps of one process meet: give a clone to each, one [`listens`](crate::Listen::memory) and the
/// others [`connect`](crate::Connect::memory).
#[derive(Clone, Debug, Default)]
pub struct MemoryHub {
    state: Arc<Mutex<HubState>>,
}

#[derive(Debug, Default)]
struct HubState {
    properties: LinkProperties,
    is_listening: bool,
    /// The listener's ends of the pipes that wait to be accepted, oldest first.
    waiting: Vec<PipeEnd>,
}

impl MemoryHub {
    /// A hub whose links promise nothing, as plain UDP would: not authenticated, not encrypted, not reliable.
    pub fn new() -> Self {
        Self::default()
    }

    /// A hub whose links claim these properties, to test what the layer above makes of them.
    pub fn with_properties(properties: LinkProperties) -> Self {
        let hub = Self::default();
        hub.state().properties = properties;
        hub
    }

    /// What its links claim.
    pub fn properties(&self) -> LinkProperties {
        self.state().properties
    }

    /// Offers a new pipe to the listener, present or to come, and gives the connector's end.
    pub(super) fn dial(&self) -> PipeEnd {
        let (connector, listener) = PipeEnd::pair();
        self.state().waiting.push(listener);
        connector
    }

    pub(super) fn take_waiting(&self) -> Vec<PipeEnd> {
        mem::take(&mut self.state().waiting)
    }

    /// Makes the caller the hub's listener until it drops what it gets; `None` if there is one.
    pub(super) fn listen(&self) -> Option<HubListener> {
        let mut state = self.state();
        if state.is_listening {
            return None;
        }
        state.is_listening = true;
        Some(HubListener { hub: self.clone() })
    }

    fn state(&self) -> MutexGuard<'_, HubState> {
        // Whole between any two of its operations, so another thread's panic does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to accept a hub's pipes. Dropped with its app too, so that a hub outlives the apps that listened on it.
#[derive(Debug)]
pub(super) struct HubListener {
    hub: MemoryHub,
}

impl HubListener {
    pub fn hub(&self) -> &MemoryHub {
        &self.hub
    }
}

impl Drop for HubListener {
    fn drop(&mut self) {
        self.hub.state().is_listening = false;
    }
}
