//! What was registered, and the one protocol that both sides compare.
//!
//! Registration only fills lists. When the app starts they are sorted by name and sealed, so that two apps that register
//! the same things in different orders speak the same protocol.

use core::any::TypeId;
use core::ops::Range;
use std::sync::Arc;

use bevy::platform::collections::HashMap;
use bevy::prelude::*;
use slipstream_protocol::{ChannelConfig, ChannelId, Delivery, Manifest, WIRE_VERSION};

use crate::channel::{ChannelRef, NetworkChannel, channels};
use crate::dispatch::ReceiveMessage;
use crate::limits::RateLimit;

const SYSTEM_CHANNELS: Range<u16> = 1..1000;
const PLUGIN_CHANNELS: Range<u16> = 1000..2000;

/// How a typed message is received at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum TypeKind {
    Message,
    Event,
    Request,
    Response,
}

impl TypeKind {
    fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Event => "event",
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// A Rust type in one of its uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TypeKey {
    pub(crate) kind: TypeKind,
    pub(crate) type_id: TypeId,
}

impl TypeKey {
    pub(crate) fn of<T: 'static>(kind: TypeKind) -> Self {
        Self { kind, type_id: TypeId::of::<T>() }
    }
}

/// A registered type, before its number and its channel's are known.
pub(crate) struct TypeRegistration {
    pub(crate) key: TypeKey,
    pub(crate) name: String,
    pub(crate) rust_name: &'static str,
    pub(crate) channel: ChannelRef,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) receive: ReceiveMessage,
}

/// Everything registered so far.
#[derive(Resource)]
pub(crate) struct Registrations {
    system_channels: Vec<(ChannelId, ChannelConfig)>,
    named_channels: Vec<ChannelConfig>,
    types: Vec<TypeRegistration>,
    entries: Vec<(String, String, String)>,
    sealed: bool,
}

impl Default for Registrations {
    fn default() -> Self {
        Self {
            system_channels: vec![
                (channels::DISPATCH, ChannelConfig::dispatch()),
                (channels::EVENT, ChannelConfig::event()),
                (channels::PHYS, ChannelConfig::phys()),
                (channels::UNORDERED, ChannelConfig::new("unordered", Delivery::ReliableUnordered)),
                (channels::REQUESTS, ChannelConfig::new("requests", Delivery::ReliableUnordered)),
            ],
            named_channels: Vec::new(),
            types: Vec::new(),
            entries: Vec::new(),
            sealed: false,
        }
    }
}

impl Registrations {
    /// The app's lists. Registration works before and after `ConnectionPlugin` is added.
    pub(crate) fn of(app: &mut App) -> Mut<'_, Self> {
        app.init_resource::<Self>();
        let registrations = app.world_mut().resource_mut::<Self>();
        assert!(
            !registrations.sealed,
            "expected network types and channels to be registered before the app starts, got one afterwards: move it into `main` or a plugin's `build`"
        );
        registrations
    }

    pub(crate) fn add_system_channel(&mut self, id: ChannelId, config: ChannelConfig) {
        assert!(
            SYSTEM_CHANNELS.contains(&id.0),
            "expected a system channel's number in 1 to 999, got {} for `{}`: use `add_channel` for a plugin's channel",
            id.0,
            config.name
        );
        if let Some((_, other)) = self.system_channels.iter().find(|(other, _)| *other == id) {
            assert!(
                *other == config,
                "expected channel {} to be free for `{}`, but `{}` has it: choose another number",
                id.0,
                config.name,
                other.name
            );
            return;
        }
        self.system_channels.push((id, config));
    }

    pub(crate) fn add_named_channel(&mut self, config: ChannelConfig) {
        assert!(
            !self.named_channels.iter().any(|other| other.name == config.name),
            "expected unique channel names, but `{}` was added twice: rename one of them",
            config.name
        );
        self.named_channels.push(config);
    }

    pub(crate) fn add_type(&mut self, registration: TypeRegistration) {
        assert!(
            !self.types.iter().any(|other| other.key == registration.key),
            "expected `{}` to be registered once as {}, but it was registered twice: remove one registration",
            registration.rust_name,
            registration.key.kind.word()
        );
        self.types.push(registration);
    }

    /// Changes what was registered for a type.
    pub(crate) fn edit_types(&mut self, keys: &[TypeKey], mut edit: impl FnMut(&mut TypeRegistration)) {
        for registration in self.types.iter_mut().filter(|registration| keys.contains(&registration.key)) {
            edit(registration);
        }
    }

    pub(crate) fn add_entry(&mut self, kind: &str, name: &str, parameters: &str) {
        self.entries.push((kind.to_string(), name.to_string(), parameters.to_string()));
    }

    fn seal(&mut self, tick_rate: f64, version: Option<&str>) -> NetworkProtocol {
        self.sealed = true;
        let channels = self.number_channels();
        let types = self.number_types(&channels);

        // The state machine itself adds the channels with their parameters.
        let mut manifest = Manifest::new(WIRE_VERSION, tick_rate);
        for entry in &types {
            let channel = channels.iter().find(|channel| channel.id == entry.channel);
            let channel = channel.map_or("", |channel| channel.config.name.as_ref());
            manifest.add(entry.key.kind.word(), &entry.name, &format!("on channel {channel}"));
        }
        for (kind, name, parameters) in &self.entries {
            manifest.add(kind, name, parameters);
        }
        if let Some(version) = version {
            manifest.add("application", "version", version);
        }

        let by_key = types.iter().enumerate().map(|(index, entry)| (entry.key, index as u32)).collect();
        NetworkProtocol(Arc::new(Sealed { manifest, channels, types, by_key, tick_rate }))
    }

    fn number_channels(&mut self) -> Vec<ChannelEntry> {
        let mut named = core::mem::take(&mut self.named_channels);
        named.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(
            named.len() <= usize::from(PLUGIN_CHANNELS.end - PLUGIN_CHANNELS.start),
            "expected at most 1000 plugin channels, got {}",
            named.len()
        );
        let mut channels: Vec<ChannelEntry> = core::mem::take(&mut self.system_channels)
            .into_iter()
            .chain(PLUGIN_CHANNELS.map(ChannelId).zip(named))
            .map(|(id, config)| ChannelEntry { id, config, typed: false })
            .collect();
        channels.sort_by_key(|channel| channel.id.0);
        for (i, channel) in channels.iter().enumerate() {
            assert!(
                !channels.iter().skip(i + 1).any(|other| other.config.name == channel.config.name),
                "expected unique channel names, but two are called `{}`: rename one of them",
                channel.config.name
            );
        }
        for registration in &self.types {
            let found = channels.iter_mut().find(|channel| match &registration.channel {
                ChannelRef::Id(id) => channel.id == *id,
                ChannelRef::Name(name) => channel.config.name == *name,
            });
            match found {
                Some(channel) => channel.typed = true,
                None => panic!(
                    "expected a registered channel for `{}`, got {:?}: add it with `add_channel` or `register_system_channel`",
                    registration.rust_name, registration.channel
                ),
            }
        }
        channels
    }

    fn number_types(&mut self, channels: &[ChannelEntry]) -> Vec<TypeEntry> {
        let mut registrations = core::mem::take(&mut self.types);
        registrations.sort_by(|a, b| (&a.name, a.key.kind).cmp(&(&b.name, b.key.kind)));
        for pair in registrations.windows(2) {
            if let [a, b] = pair {
                assert!(
                    (&a.name, a.key.kind) != (&b.name, b.key.kind),
                    "expected unique names, but `{}` and `{}` are both called `{}` on the wire: give one of them another name with `.named(..)`",
                    a.rust_name,
                    b.rust_name,
                    a.name
                );
            }
        }
        registrations
            .into_iter()
            .filter_map(|registration| {
                let channel = channels.iter().find(|channel| match &registration.channel {
                    ChannelRef::Id(id) => channel.id == *id,
                    ChannelRef::Name(name) => channel.config.name == *name,
                })?;
                Some(TypeEntry {
                    key: registration.key,
                    name: registration.name,
                    channel: channel.id,
                    rate: registration.rate,
                    receive: registration.receive,
                })
            })
            .collect()
    }
}

/// A channel with its number.
#[derive(Debug)]
pub(crate) struct ChannelEntry {
    pub(crate) id: ChannelId,
    pub(crate) config: ChannelConfig,
    /// Whether typed messages travel on it. Others hold raw bytes for systems.
    pub(crate) typed: bool,
}

/// A typed message with its channel; its number is its position.
#[derive(Debug)]
pub(crate) struct TypeEntry {
    pub(crate) key: TypeKey,
    pub(crate) name: String,
    pub(crate) channel: ChannelId,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) receive: ReceiveMessage,
}

#[derive(Debug)]
struct Sealed {
    manifest: Manifest,
    channels: Vec<ChannelEntry>,
    types: Vec<TypeEntry>,
    by_key: HashMap<TypeKey, u32>,
    tick_rate: f64,
}

/// What this app speaks: its channels, its types and the manifest that the handshake compares. It exists from `PreStartup` on
/// and never changes.
#[derive(Resource, Debug, Clone)]
pub struct NetworkProtocol(Arc<Sealed>);

impl NetworkProtocol {
    /// What the handshake compares.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Ticks a second, which both sides must share.
    #[must_use]
    pub fn tick_rate(&self) -> f64 {
        self.0.tick_rate
    }

    /// The number of the channel of the type `Ch`.
    #[must_use]
    pub fn channel<Ch: NetworkChannel>(&self) -> Option<ChannelId> {
        self.channel_named(&Ch::config().name)
    }

    /// The number of a channel.
    #[must_use]
    pub fn channel_named(&self, name: &str) -> Option<ChannelId> {
        self.0.channels.iter().find(|channel| channel.config.name == name).map(|channel| channel.id)
    }

    /// All channels with their numbers, ascending.
    pub fn channels(&self) -> impl Iterator<Item = (ChannelId, &ChannelConfig)> {
        self.0.channels.iter().map(|channel| (channel.id, &channel.config))
    }

    pub(crate) fn channel_entry(&self, id: ChannelId) -> Option<&ChannelEntry> {
        let index = self.0.channels.binary_search_by_key(&id.0, |channel| channel.id.0).ok()?;
        self.0.channels.get(index)
    }

    pub(crate) fn type_entry(&self, index: u32) -> Option<&TypeEntry> {
        self.0.types.get(index as usize)
    }

    pub(crate) fn type_index(&self, key: TypeKey) -> Option<u32> {
        self.0.by_key.get(&key).copied()
    }

    pub(crate) fn type_count(&self) -> usize {
        self.0.types.len()
    }
}

/// The version of the application. Where both sides have this resource they must be equal, and where only one has it they
/// refuse each other, too.
#[derive(Resource, Debug, Clone, PartialEq, Eq)]
pub struct ApplicationVersion(pub String);

/// Sorts, numbers and freezes what was registered. Runs before all startup systems.
pub(crate) fn seal_protocol(world: &mut World) {
    if world.contains_resource::<NetworkProtocol>() {
        return;
    }
    let Some(fixed) = world.get_resource::<Time<Fixed>>() else {
        panic!(
            "`ConnectionPlugin` expected a clock, found none: add `MinimalPlugins`, `DefaultPlugins` or `TimePlugin`"
        );
    };
    // A timestep is whole nanoseconds; 60 Hz should read as 60.
    let tick_rate = (1000.0 / fixed.timestep().as_secs_f64()).round() / 1000.0;
    let version = world.get_resource::<ApplicationVersion>().map(|version| version.0.clone());
    let protocol = world.get_resource_or_init::<Registrations>().seal(tick_rate, version.as_deref());
    world.insert_resource(protocol);
}
