/// Greatest horizon: predictions look this far ahead, and as far back to see how well they did.
const MAX_HORIZON: usize = 16;

/// What both sides must agree on to code frames of bodies. The scene's physics make predictions good; nothing here is
/// needed for them to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyFrameConfig {
    /// Bodies in every frame. Body 0 is coded first; best it is the one that moves others, as a player does.
    pub bodies: usize,
    /// How many frames the newest acknowledged frame is behind the one being coded. 1 to 16.
    pub horizon: usize,
    /// Greatest value of a rotation component.
    pub rotation_max: u16,
    /// In 1/256 step per frame².
    pub gravity: [i32; 3],
    /// What is left of a velocity after one frame, in 1/65,536, at least one half; 65,535 for all of it.
    pub damping: u16,
    /// A usual body's width in steps: how near is near.
    pub body_size: u32,
    /// Base-2 logarithm of the cache lines (64 bytes) that each of the dense level's contexts may fill. 4 to 20.
    pub table_bits: u32,
}

impl BodyFrameConfig {
    /// The configuration with each value in its range.
    pub(crate) fn clamped(self) -> Self {
        Self {
            horizon: self.horizon.clamp(1, MAX_HORIZON),
            rotation_max: self.rotation_max.max(1),
            body_size: self.body_size.clamp(1, 1 << 20),
            table_bits: self.table_bits.clamp(4, 20),
            ..self
        }
    }
}
