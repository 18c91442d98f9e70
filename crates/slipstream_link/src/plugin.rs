use bevy::prelude::*;

use crate::conditioner::{condition_incoming, condition_outgoing, inherit_conditioners, lift_conditions};
use crate::departed::{DepartedLinks, forget_departed_links};
use crate::memory::MemoryLinkPlugin;
#[cfg(feature = "renet")]
use crate::renet::RenetLinkPlugin;

/// The phases of links in a frame. What the layer above does comes after
/// [`ConditionIncoming`](Self::ConditionIncoming), before [`ConditionOutgoing`](Self::ConditionOutgoing), and at the
/// end before [`Exit`](Self::Exit).
#[derive(SystemSet, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkSystems {
    /// `PreUpdate`: listeners and connectors start and stop, links open and close, datagrams come in.
    Receive,
    /// `PreUpdate`, after [`Receive`](Self::Receive): conditioners let through what is due.
    ConditionIncoming,
    /// `PostUpdate`: conditioners take what was sent and let through what is due.
    ConditionOutgoing,
    /// `PostUpdate`, after [`ConditionOutgoing`](Self::ConditionOutgoing): datagrams go out; pipes of links that are
    /// gone close.
    Send,
    /// `Last`, only in a frame with an [`AppExit`]: what is left in every link goes out, then the pipes close.
    Exit,
}

/// Links, their conditioner, and all transports of this crate. Needs Bevy's `TimePlugin`. May be added more than once.
pub struct LinkPlugin;

impl Plugin for LinkPlugin {
    fn build(&self, app: &mut App) {
        add_link_systems(app);
        app.add_plugins(MemoryLinkPlugin);
        #[cfg(feature = "renet")]
        app.add_plugins(RenetLinkPlugin);
    }

    fn is_unique(&self) -> bool {
        false
    }
}

/// What every transport needs; does nothing the second time.
pub(crate) fn add_link_systems(app: &mut App) {
    if app.world().contains_resource::<DepartedLinks>() {
        return;
    }
    app.init_resource::<DepartedLinks>()
        .configure_sets(PreUpdate, (LinkSystems::Receive, LinkSystems::ConditionIncoming).chain())
        .configure_sets(PostUpdate, (LinkSystems::ConditionOutgoing, LinkSystems::Send).chain())
        .configure_sets(Last, LinkSystems::Exit.run_if(on_message::<AppExit>))
        .add_systems(
            PreUpdate,
            (inherit_conditioners, condition_incoming).chain().in_set(LinkSystems::ConditionIncoming),
        )
        .add_systems(
            PostUpdate,
            (condition_outgoing.in_set(LinkSystems::ConditionOutgoing), forget_departed_links.after(LinkSystems::Send)),
        )
        .add_observer(lift_conditions);
}
