//! Frames of bodies, at the dense and at the bit-packed level.

use std::sync::LazyLock;

use bevy_slipstream::wire::dense::{Body, BodyFrameCodec, BodyFrameConfig, PackedFrameCodec};

const CONFIG: BodyFrameConfig = BodyFrameConfig {
    bodies: 5,
    horizon: 6,
    rotation_max: 511,
    gravity: [0, 0, -728],
    damping: 64_881,
    body_size: 205,
    table_bits: 6,
};

/// How many frames both sides know before the one that is read.
const KNOWN: u32 = 9;

static KNOWING: LazyLock<(BodyFrameCodec, PackedFrameCodec)> = LazyLock::new(|| {
    let (mut dense, mut packed) = (BodyFrameCodec::new(CONFIG), PackedFrameCodec::new(CONFIG));
    for frame in (0..KNOWN).map(frame) {
        dense.acknowledge(&frame);
        packed.acknowledge(&frame);
    }
    (dense, packed)
});

/// Any bytes are a frame of as many bodies as agreed, or an error. A frame comes back as it is, and what a stranger
/// made us believe harms no frame after it. The first byte says which level.
pub fn body_frames(data: &[u8]) {
    let Some((level, bytes)) = data.split_first() else { return };
    let (mut dense, mut packed) = LazyLock::force(&KNOWING).clone();
    if level.is_multiple_of(2) {
        let Ok(frame) = dense.decode(bytes) else { return };
        assert_eq!(frame.len(), CONFIG.bodies);
        for _ in 0..=CONFIG.horizon {
            let again = dense.encode(&frame);
            assert_eq!(dense.decode(&again).as_ref(), Ok(&frame));
            dense.acknowledge(&frame);
        }
    } else {
        let Ok(frame) = packed.decode(bytes) else { return };
        assert_eq!(frame.len(), CONFIG.bodies);
        for _ in 0..=CONFIG.horizon {
            assert_eq!(packed.decode(&packed.encode(&frame)).as_ref(), Ok(&frame));
            packed.acknowledge(&frame);
        }
    }
}

/// Bodies that rest, slide, fall and turn.
fn frame(number: u32) -> Vec<Body> {
    let number = number.cast_signed();
    (0..5)
        .map(|index| Body {
            position: [index * number * 40, 900 - index * number, 5_000 - index * number * number * 3],
            largest: 3,
            rotation: [256, (256 + index * number) as u16, 250],
            flag: index == 1 && number % 4 == 0,
        })
        .collect()
}

/// The next frame, one in which all rests, and one in which everything is elsewhere.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let (mut dense, packed) = LazyLock::force(&KNOWING).clone();
    let far = Body { position: [i32::MAX, i32::MIN, 7], largest: 1, rotation: [0, 511, 3], flag: true };
    let frames = [frame(KNOWN - 1 + 6), frame(KNOWN - 1), vec![far; CONFIG.bodies]];
    let mut corpus = Vec::new();
    for frame in &frames {
        corpus.push([[0_u8].as_slice(), &dense.encode(frame)].concat());
        corpus.push([[1_u8].as_slice(), &packed.encode(frame)].concat());
    }
    corpus
}
