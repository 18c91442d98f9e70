//! Sentences for the ends of renet pipes.

use core::time::Duration;

use bevy_renet::netcode::NetcodeDisconnectReason;
use bevy_renet::renet::DisconnectReason;

use crate::LinkClosed;

/// What a client's link says about the end of a netcode client's connection to `server`.
pub(super) fn netcode_reason(reason: NetcodeDisconnectReason, server: &str) -> LinkClosed {
    match reason {
        NetcodeDisconnectReason::ConnectTokenExpired => LinkClosed::Refused(format!(
            "{server} cannot be connected to: the connect token has expired; get a new one"
        )),
        NetcodeDisconnectReason::ConnectionTimedOut => LinkClosed::TimedOut,
        NetcodeDisconnectReason::ConnectionRequestTimedOut => {
            LinkClosed::Failed(format!("{server} did not answer: {NO_ANSWER_CAUSES}"))
        }
        NetcodeDisconnectReason::ConnectionResponseTimedOut => {
            LinkClosed::Failed(format!("{server} answered once and then went silent while connecting; try again"))
        }
        NetcodeDisconnectReason::ConnectionDenied => LinkClosed::Refused(format!(
            "{server} is full: it has as many links as its `Listen` allows; try later or raise `.max_links(..)`"
        )),
        NetcodeDisconnectReason::DisconnectedByClient => LinkClosed::Local,
        NetcodeDisconnectReason::DisconnectedByServer => LinkClosed::Remote(String::from("the server ended it")),
    }
}

/// netcode does not answer those whose token it cannot read, so that it is no amplifier: a wrong key looks like no
/// server.
const NO_ANSWER_CAUSES: &str = "no server listens there, the two keys differ (or only one side is unsecure), a \
    firewall drops UDP, or the clocks of the two machines are minutes apart";

/// Opening took longer than `timeout`.
pub(super) fn no_answer(server: &str, timeout: Duration, socket_error: Option<&str>) -> LinkClosed {
    let socket_error = socket_error.map(|error| format!(" (the socket reported: {error})")).unwrap_or_default();
    LinkClosed::Failed(format!("{server} did not answer within {timeout:?}{socket_error}: {NO_ANSWER_CAUSES}"))
}

/// What a client's link says when it is renet, and not netcode, that ended.
pub(super) fn renet_client_reason(reason: Option<DisconnectReason>) -> LinkClosed {
    match reason {
        Some(DisconnectReason::DisconnectedByClient) => LinkClosed::Local,
        Some(DisconnectReason::DisconnectedByServer) => LinkClosed::Remote(String::from("the server ended it")),
        Some(DisconnectReason::Transport) | None => LinkClosed::Remote(String::from("renet's transport ended it")),
        Some(reason) => LinkClosed::Failed(format!("renet ended the link: {reason}")),
    }
}

/// What a server's link says. renet reports a client that left and one that timed out alike: silence tells them apart.
pub(super) fn renet_server_reason(reason: DisconnectReason, silent_for: Duration) -> LinkClosed {
    match reason {
        DisconnectReason::Transport if silent_for >= SILENCE => LinkClosed::TimedOut,
        DisconnectReason::Transport | DisconnectReason::DisconnectedByClient => {
            LinkClosed::Remote(String::from("the client ended it"))
        }
        DisconnectReason::DisconnectedByServer => LinkClosed::Local,
        reason => LinkClosed::Failed(format!("renet ended the link: {reason}")),
    }
}

/// `Connect`'s default silence timeout, less the time between two keep-alives.
const SILENCE: Duration = Duration::from_millis(4_500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_tells_a_lost_client_from_one_that_left() {
        let left = renet_server_reason(DisconnectReason::Transport, Duration::from_secs(1));
        assert!(matches!(left, LinkClosed::Remote(_)));
        let lost = renet_server_reason(DisconnectReason::Transport, Duration::from_secs(6));
        assert_eq!(lost, LinkClosed::TimedOut);
    }

    #[test]
    fn no_answer_names_the_server_the_causes_and_the_sockets_error() {
        let closed = no_answer("10.0.0.1:7", Duration::from_secs(2), Some("unreachable"));
        let sentence = closed.to_string();
        for part in ["10.0.0.1:7", "2s", "unreachable", "keys differ"] {
            assert!(sentence.contains(part), "{part} is not in: {sentence}");
        }
    }
}
