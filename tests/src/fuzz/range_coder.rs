//! The range coder.

use bevy_slipstream::wire::range_coder::{AdaptiveBit, BitCoder, RangeDecoder, RangeEncoder, Rehearsal};

use super::steps;

/// Any bytes are decisions; the same decisions, encoded, come back.
pub fn range_coder(data: &[u8]) {
    let (steps, stream) = steps::split(data);
    let decisions = walk(&mut RangeDecoder::new(stream), steps, &[]);

    let mut encoder = RangeEncoder::new();
    assert_eq!(walk(&mut encoder, steps, &decisions), decisions);
    assert_eq!(walk(&mut Rehearsal, steps, &decisions), decisions);
    let encoded = encoder.finish();
    // A decision costs 32 bits at most.
    assert!(encoded.len() <= 4 * steps.len() + 4, "{} bytes for {} decisions", encoded.len(), steps.len());
    let mut decoder = RangeDecoder::new(&encoded);
    assert_eq!(walk(&mut decoder, steps, &[]), decisions);
    assert_eq!(decoder.check(), Ok(()));
    assert_eq!(decoder.remaining_bytes(), 0);
}

/// One decision for each step. A decoder is told nothing.
fn walk<C: BitCoder>(coder: &mut C, steps: &[[u8; 2]], told: &[u32]) -> Vec<u32> {
    let mut models = [AdaptiveBit::new(); 4];
    let told = told.iter().copied().chain(core::iter::repeat(0));
    let decide = |([kind, parameter], value): (&[u8; 2], u32)| match kind % 3 {
        0 => {
            let model = &mut models[usize::from(parameter % 4)];
            let bit = coder.code(value != 0, model.p1());
            model.update(bit);
            u32::from(bit)
        }
        1 => u32::from(coder.code(value != 0, u16::from_le_bytes([*kind, *parameter]))),
        _ => coder.code_bits(value, u32::from(parameter % 33)),
    };
    steps.iter().zip(told).map(decide).collect()
}

/// Decisions of every kind.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let program = |stride: u8| -> Vec<[u8; 2]> { (0..60).map(|step: u8| [step, step.wrapping_mul(stride)]).collect() };
    let input = |steps: &Vec<[u8; 2]>| {
        // Bits of a number and wide numbers, of which a step takes what it has room for.
        let values: Vec<u32> = (0..60_u32).map(|step| step.wrapping_mul(0x9e37_79b1) >> (step % 32)).collect();
        let mut encoder = RangeEncoder::new();
        walk(&mut encoder, steps, &values);
        steps::join(steps, &encoder.finish())
    };
    [1, 2, 5].map(program).iter().map(input).collect()
}
