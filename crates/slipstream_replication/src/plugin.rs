//! The plugin: what happens in a frame.

use bevy::prelude::*;
use slipstream_connection::{AppChannelExt, ConnectionSystems, EntityMap, channels, is_server};
use slipstream_protocol::{ChannelConfig, Delivery, Priority};

use crate::adoption::adopt_latecomers;
use crate::apply::{Batches, apply_records, restore_released};
use crate::arena::Arena;
use crate::confirmation::{Confirmations, confirm_server_words};
use crate::convoy::{form_convoys, note_apart, note_together};
use crate::hearing::Hearing;
use crate::interest::InterestPlugin;
use crate::journal::{Journal, open_journal, review_depth, seal_journal};
use crate::lifecycle::{close_view, open_view};
use crate::ownership::{follow_ownership, lose_control, send_owned, stop_sending_owned, take_control};
use crate::priority::DefaultPriorityWeights;
use crate::registration::{AppReplicateExt, replicate_stable_ids};
use crate::registry::Registry;
use crate::replicated::OwnedBy;
use crate::requests::answer_requests;
use crate::resource::protocol_name;
use crate::slots::{Slots, assign_slot, forget_name, name_owner, note_slot_options, retire_slot, unname_owner};
use crate::stable_id::{StableEntities, forget_stable_id, note_present, note_stable_id};
use crate::systems::ReplicationSystems;
use crate::view::{pack_connections, settle_deliveries};

/// Replicates entities marked [`Replicated`](crate::Replicated).
///
/// ```text
/// PreUpdate        (ConnectionSystems::Dispatch)
///                  Apply    acknowledgements and losses; requests; what stood in for the level's; records -> entities
/// FixedPostUpdate  Journal  open, one system a component type, seal
///                  Interest what each connection should see
///                  Pack     for each connection: what is in sight, what fits, into datagrams
/// ```
pub struct ReplicationPlugin;

impl Plugin for ReplicationPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Registry>()
            .init_resource::<Journal>()
            .init_resource::<Slots>()
            .init_resource::<Arena>()
            .init_resource::<Batches>()
            .init_resource::<DefaultPriorityWeights>()
            .init_resource::<StableEntities>()
            .init_resource::<Confirmations>()
            .init_resource::<EntityMap>();
        app.register_system_channel(
            channels::RECORDS,
            ChannelConfig {
                priority: Priority::Normal,
                ..ChannelConfig::new("slipstream.records", Delivery::Unreliable)
            },
        );
        app.register_system_channel(
            channels::RECORD_REQUESTS,
            ChannelConfig::new("slipstream.record_requests", Delivery::ReliableOrdered),
        );
        let _owner = app.replicate::<OwnedBy>();
        replicate_stable_ids(app);

        app.add_plugins(InterestPlugin);
        app.configure_sets(PreUpdate, ReplicationSystems::Apply.after(ConnectionSystems::Dispatch))
            .configure_sets(
                FixedPostUpdate,
                (ReplicationSystems::Journal, ReplicationSystems::Interest, ReplicationSystems::Pack).chain(),
            )
            .add_systems(
                PreUpdate,
                (
                    settle_deliveries,
                    answer_requests,
                    adopt_latecomers,
                    apply_records,
                    follow_ownership,
                    restore_released,
                    confirm_server_words,
                )
                    .chain()
                    .in_set(ReplicationSystems::Apply),
            )
            .add_systems(
                FixedPostUpdate,
                (
                    (open_journal, review_depth, note_slot_options, form_convoys.run_if(is_server))
                        .chain()
                        .before(ReplicationSystems::Journal),
                    seal_journal.after(ReplicationSystems::Journal).before(ReplicationSystems::Interest),
                    pack_connections.in_set(ReplicationSystems::Pack),
                ),
            )
            .add_observer(assign_slot)
            .add_observer(retire_slot)
            .add_observer(forget_name)
            .add_observer(note_stable_id)
            .add_observer(forget_stable_id)
            .add_observer(name_owner)
            .add_observer(unname_owner)
            .add_observer(note_together)
            .add_observer(note_apart)
            .add_observer(open_view)
            .add_observer(close_view)
            .add_observer(take_control)
            .add_observer(lose_control)
            .add_observer(send_owned)
            .add_observer(stop_sending_owned);
    }

    fn finish(&self, app: &mut App) {
        let world = app.world_mut();
        note_present(world);
        world.resource_mut::<Registry>().seal();
        world.resource_scope(|world, mut journal: Mut<Journal>| journal.shape(world.resource::<Registry>()));
        world.resource_scope(|world, mut slots: Mut<Slots>| slots.precedence.shape(world.resource::<Registry>()));
        let hearing = Hearing::of(world.resource::<Registry>());
        world.insert_resource(hearing);
        let registry = world.resource::<Registry>();
        let entries: Vec<_> =
            registry.components.iter().map(|entry| (entry.name.clone(), Registry::parameters(entry))).collect();
        let erased: Vec<_> = registry.components.iter().map(|entry| entry.erased.clone()).collect();
        for (component, erased) in erased.iter().enumerate() {
            erased.number(world, component);
        }
        for (name, parameters) in entries {
            let (kind, name) = protocol_name(&name);
            app.add_protocol_entry(kind, name, &parameters);
        }
    }
}
