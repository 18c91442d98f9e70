//! How much the window may cost: a software renderer draws five frames a second of what a graphics card draws at sixty.

use bevy::prelude::*;
use bevy::render::renderer::RenderAdapterInfo;

/// Rendering settings, chosen once from the adapter.
#[derive(Resource, Clone, Copy, Debug, PartialEq)]
pub(super) struct Quality {
    pub shadow_map_size: usize,
    pub shadow_cascades: usize,
    /// Lights on rockets and explosions.
    pub effect_lights: bool,
}

impl Quality {
    const HARDWARE: Self = Self { shadow_map_size: 2048, shadow_cascades: 3, effect_lights: true };
    const SOFTWARE: Self = Self { shadow_map_size: 1024, shadow_cascades: 2, effect_lights: false };
}

/// Chooses the quality; the adapter is known once the render plugin has finished, before any startup system.
pub(super) fn choose_quality(mut commands: Commands, adapter: Option<Res<RenderAdapterInfo>>) {
    // wgpu's `DeviceType` is not re-exported by Bevy, hence its debug name.
    let software = adapter.is_none_or(|adapter| format!("{:?}", adapter.device_type) == "Cpu");
    commands.insert_resource(if software { Quality::SOFTWARE } else { Quality::HARDWARE });
}
