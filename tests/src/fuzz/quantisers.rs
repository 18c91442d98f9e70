//! Quantised numbers, angles, directions and rotations.

use bevy_slipstream::wire::{
    AngleQuantizer, BitReader, BitWriter, Quantizer, SmallestThree, UnitVectorQuantizer, WireError,
};

use super::steps;

const KINDS: u8 = 4;

/// Whatever a quantiser accepts is a form that it gives itself, and stands for a value that is a number.
pub fn quantisers(data: &[u8]) {
    steps::follow(data, read);
}

fn read(kind: u8, parameter: u8, reader: &mut BitReader<'_>) -> Result<BitWriter, WireError> {
    let mut again = BitWriter::new();
    match kind % KINDS {
        0 => {
            let number = number(parameter);
            let form = number.read(reader)?;
            let value = number.dequantize(form);
            assert!(form <= number.max() && value.is_finite());
            assert_eq!(number.quantize(value), form, "{number}");
            number.write(&mut again, form);
        }
        1 => {
            let angle = AngleQuantizer::new(bits(parameter));
            let form = angle.read(reader)?;
            let value = angle.dequantize(form);
            assert!(form <= angle.max() && value.is_finite());
            assert_eq!(angle.quantize(value), form, "{angle}");
            angle.write(&mut again, form);
        }
        2 => {
            let direction = UnitVectorQuantizer::new(bits(parameter));
            let form = direction.read(reader)?;
            let value = direction.dequantize(form);
            assert!(value.iter().all(|axis| axis.is_finite()));
            assert_eq!(direction.quantize(value), form, "{direction}");
            direction.write(&mut again, form);
        }
        _ => {
            let rotation = SmallestThree::new(bits(parameter));
            let form = rotation.read(reader)?;
            let value = rotation.dequantize(form);
            assert!(value.iter().all(|component| component.is_finite()));
            assert_eq!(rotation.quantize(value), form, "{rotation}");
            rotation.write(&mut again, form);
        }
    }
    Ok(again)
}

fn number(parameter: u8) -> Quantizer {
    match parameter % 4 {
        0 => Quantizer::range(-512.0..512.0).step(0.001),
        1 => Quantizer::range(0.0..1.0).step(0.01),
        2 => Quantizer::range(900.0..1000.0).step(0.5),
        _ => Quantizer::range(-3.0..7.0).bits(bits(parameter)),
    }
}

/// All that a quantiser may be asked for, and a little more, which it brings into its range.
fn bits(parameter: u8) -> u32 {
    u32::from(parameter / 4 % 24)
}

/// A stream of each kind.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut corpus = Vec::new();
    for parameter in [0, 1, 2, 3, 35, 44, 64, 91] {
        for kind in 0..KINDS {
            let mut writer = BitWriter::new();
            for place in 0..6_u8 {
                let value = f32::from(place) / 7.0 - 0.3;
                match kind {
                    0 => {
                        let number = number(parameter);
                        number.write(&mut writer, number.quantize(value * 100.0));
                    }
                    1 => {
                        let angle = AngleQuantizer::new(bits(parameter));
                        angle.write(&mut writer, angle.quantize(value * 9.0));
                    }
                    2 => {
                        let direction = UnitVectorQuantizer::new(bits(parameter));
                        direction.write(&mut writer, direction.quantize([value, 0.4, -value]));
                    }
                    _ => {
                        let rotation = SmallestThree::new(bits(parameter));
                        rotation.write(&mut writer, rotation.quantize([value, 0.1, -value, 0.5]));
                    }
                }
            }
            corpus.push(steps::join(&[[kind, parameter]; 6], &writer.to_bytes()));
        }
    }
    corpus
}
