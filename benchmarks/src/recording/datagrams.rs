//! Bodies in datagrams of the dense level: what they take all in all, and the time for it.
//!
//! A datagram holds the bodies of one tick, up to so many bytes; the models begin anew in each. It holds what records
//! say besides their values, too, as flags whose odds are learned: that the next slot follows, that the head is the
//! same, and the components. So nothing is left out but what is in a datagram of the bit-packed level as well: the head of a
//! run, the chunk's tick, the datagram's own.

use std::{error::Error, time::Instant};

use slipstream_wire::{
    Baseline, KinematicCodec,
    dense::{DenseBodyReader, DenseBodyWriter},
};

/// Of the bodies in a datagram.
const DATAGRAM_BYTES: usize = 1000;
/// Flags of a record.
const RECORD_FLAGS: usize = 3;
const ROUNDS: usize = 5;

/// A body to send.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Bodies of one tick stand together.
    pub tick: usize,
    /// What the receiver has of it.
    pub baseline: Baseline<'a>,
    /// What it is now.
    pub words: &'a [u32],
}

/// What bodies take in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DenseFigures {
    /// Bytes of all datagrams for each body.
    pub mean_bytes: f64,
    /// Bodies of a datagram.
    pub mean_bodies: f64,
    /// To write and to read one: the best of five rounds.
    pub microseconds: f64,
}

/// Sends the bodies and reads them again.
///
/// # Errors
/// Where something read is not what was written.
pub fn measure(codec: &KinematicCodec, bodies: &[Sent<'_>]) -> Result<DenseFigures, Box<dyn Error>> {
    let mut writer = DenseBodyWriter::new();
    let mut datagrams = Datagrams::default();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        datagrams.write(codec, &mut writer, bodies);
        datagrams.read(codec, bodies)?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let count = bodies.len().max(1) as f64;
    Ok(DenseFigures {
        mean_bytes: datagrams.bytes.len() as f64 / count,
        mean_bodies: count / datagrams.ends.len().max(1) as f64,
        microseconds: best * 1e6 / count,
    })
}

/// One after the other, in memory that is used again.
#[derive(Default)]
struct Datagrams {
    bytes: Vec<u8>,
    /// Where each ends: bytes, and bodies.
    ends: Vec<(usize, usize)>,
}

impl Datagrams {
    fn write(&mut self, codec: &KinematicCodec, writer: &mut DenseBodyWriter, bodies: &[Sent<'_>]) {
        self.ends.clear();
        self.bytes.clear();
        writer.begin(std::mem::take(&mut self.bytes));
        let mut start = 0;
        for (index, body) in bodies.iter().enumerate() {
            let checkpoint = writer.checkpoint();
            write_one(codec, writer, body);
            let goes_on = index > 0 && bodies.get(index - 1).is_some_and(|before| before.tick == body.tick);
            if index == 0 || (goes_on && writer.max_len() <= DATAGRAM_BYTES) {
                continue;
            }
            // It belongs to the next one, where nothing is learned yet.
            writer.rewind(&checkpoint);
            let bytes = writer.finish();
            self.ends.push((bytes.len(), index));
            start = bytes.len();
            writer.begin(bytes);
            write_one(codec, writer, body);
        }
        self.bytes = writer.finish();
        if self.bytes.len() > start {
            self.ends.push((self.bytes.len(), bodies.len()));
        }
    }

    fn read(&self, codec: &KinematicCodec, bodies: &[Sent<'_>]) -> Result<(), Box<dyn Error>> {
        let mut words = Vec::with_capacity(codec.word_count());
        let (mut from_byte, mut from_body) = (0, 0);
        for (to_byte, to_body) in &self.ends {
            let bytes = self.bytes.get(from_byte..*to_byte).unwrap_or_default();
            let mut reader = DenseBodyReader::new(bytes);
            for body in bodies.get(from_body..*to_body).unwrap_or_default() {
                let flagged = (0..RECORD_FLAGS).any(|context| reader.flag(context));
                words.clear();
                reader.read(codec, Some(body.baseline), &mut words)?;
                if flagged || words != body.words {
                    return Err(format!("{body:?} became {words:?}").into());
                }
            }
            reader.finish()?;
            (from_byte, from_body) = (*to_byte, *to_body);
        }
        if from_body < bodies.len() {
            return Err(format!("{} of {} bodies were sent", from_body, bodies.len()).into());
        }
        Ok(())
    }
}

fn write_one(codec: &KinematicCodec, writer: &mut DenseBodyWriter, body: &Sent<'_>) {
    for context in 0..RECORD_FLAGS {
        writer.flag(context, false);
    }
    writer.write(codec, Some(body.baseline), body.words);
}

#[cfg(test)]
mod tests {
    use slipstream_wire::BodyState;

    use super::*;

    #[test]
    fn a_tick_is_a_datagram_until_it_is_full() {
        let codec = KinematicCodec::new(-512.0..512.0, 0.001);
        let words: Vec<Vec<u32>> = (0..1_000_u16)
            .map(|index| {
                let position = [f32::from(index), f32::from(index * 37 % 91), 0.0];
                let mut words = Vec::new();
                codec.quantize(&BodyState { position, ..BodyState::default() }, &mut words);
                words
            })
            .collect();
        // From anywhere to anywhere along two axes: some ten bytes each, so a tick fills five datagrams.
        let sent = |index: usize| Sent {
            tick: index / 500,
            baseline: Baseline::new(&words[index * 7 % 1_000], 3),
            words: &words[index],
        };
        let bodies: Vec<Sent<'_>> = (0..1_000).map(sent).collect();
        let figures = measure(&codec, &bodies).expect("what was just written");
        let bytes = figures.mean_bytes * figures.mean_bodies;
        assert!((800.0..1_000.0).contains(&bytes), "{figures:?}");

        let few = measure(&codec, &bodies[490..510]).expect("what was just written");
        assert_eq!(few.mean_bodies, 10.0);
        assert_eq!(measure(&codec, &[]).expect("nothing").mean_bytes, 0.0);
    }
}
