//! Which messages go into the next datagram.

use slipstream_wire::BitWriter;

use crate::channel::{Candidate, Channel, Channels, Priority};
use crate::loss::Carried;
use crate::packet::{frame_len, write_frame};

/// The greatest message of which a spare copy is sent, in bytes.
const MAX_SPARE_BYTES: usize = 256;

/// The frames of a datagram in the making.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) writer: BitWriter,
    pub(crate) carried: Vec<Carried>,
    /// Messages of which a spare copy may follow: channel index and number.
    pub(crate) spares: Vec<(u16, u64)>,
    /// Bytes for frames.
    pub(crate) room: usize,
}

impl Draft {
    /// Whether there is no frame.
    pub(crate) fn is_empty(&self) -> bool {
        self.writer.bit_len() == 0
    }

    /// Whether a candidate fits.
    pub(crate) fn fits(&self, channel: &Channel, candidate: &Candidate) -> bool {
        let length = frame_len(channel.id, channel.config.delivery, candidate.fragment(), candidate.length);
        self.writer.byte_len() + length <= self.room
    }

    /// Writes a candidate's frame.
    pub(crate) fn write(&mut self, channel: &Channel, candidate: &Candidate) {
        write_frame(
            &mut self.writer,
            channel.id,
            channel.config.delivery,
            candidate.number,
            candidate.fragment(),
            channel.sender.bytes(candidate),
        );
    }

    /// Writes a candidate's frame and tells its channel. Returns its bytes.
    fn take(&mut self, index: u16, channel: &mut Channel, candidate: &Candidate) -> usize {
        let before = self.writer.byte_len();
        self.write(channel, candidate);
        let taken = channel.sender.take(candidate);
        if let Some(cargo) = taken.cargo {
            self.carried.push(Carried { channel: index, cargo });
        }
        if taken.spare && candidate.length <= MAX_SPARE_BYTES {
            self.spares.push((index, candidate.number));
        }
        self.writer.byte_len() - before
    }
}

/// Takes turns: critical channels first, the others by weighted fair queueing between priorities and by rotation within
/// one. A class that gets less than its share falls behind in time and is therefore next; so low still moves.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    critical: Class,
    high: Class,
    normal: Class,
    low: Class,
    /// Time of the class that was served last.
    clock: u64,
}

#[derive(Debug, Default)]
struct Class {
    /// Indices of its channels.
    channels: Vec<u16>,
    /// The place whose turn it is.
    cursor: usize,
    /// A place whose message did not fit the rest of a datagram: it begins the next one.
    passed_over: Option<usize>,
    /// Bytes sent, divided by the weight: high has eight shares, normal four, low one.
    time: u64,
}

enum Packed {
    Bytes(usize),
    NoRoom,
    Nothing,
}

impl Schedule {
    /// Adds a channel by its index.
    pub(crate) fn insert(&mut self, index: u16, priority: Priority) {
        let class = match priority {
            Priority::Critical => &mut self.critical,
            Priority::High => &mut self.high,
            Priority::Normal => &mut self.normal,
            Priority::Low => &mut self.low,
        };
        class.channels.push(index);
    }

    /// Packs critical messages.
    pub(crate) fn pack_critical(&mut self, channels: &mut Channels, draft: &mut Draft) {
        self.critical.begin_datagram();
        while let Packed::Bytes(_) = self.critical.pack_one(channels, draft) {}
    }

    /// Packs messages of the other priorities by their shares.
    pub(crate) fn pack_shared(&mut self, channels: &mut Channels, draft: &mut Draft) {
        let mut classes = [(&mut self.high, 1_u64, true), (&mut self.normal, 2, true), (&mut self.low, 8, true)];
        for (class, ..) in &mut classes {
            class.begin_datagram();
        }
        loop {
            let next = classes.iter_mut().filter(|(.., open)| *open).min_by_key(|(class, ..)| class.time);
            let Some((class, time_per_byte, open)) = next else {
                return;
            };
            match class.pack_one(channels, draft) {
                Packed::Bytes(bytes) => {
                    self.clock = class.time;
                    class.time += bytes as u64 * *time_per_byte;
                }
                Packed::NoRoom => *open = false,
                Packed::Nothing => {
                    *open = false;
                    class.time = class.time.max(self.clock); // what it did not want is not saved up
                }
            }
        }
    }
}

impl Class {
    fn begin_datagram(&mut self) {
        if let Some(place) = self.passed_over.take() {
            self.cursor = place;
        }
    }

    /// Packs the next message that fits.
    fn pack_one(&mut self, channels: &mut Channels, draft: &mut Draft) -> Packed {
        let count = self.channels.len();
        let mut packed = Packed::Nothing;
        for step in 0..count {
            let place = (self.cursor + step) % count;
            let Some(&index) = self.channels.get(place) else {
                continue;
            };
            let Some(channel) = channels.get_mut(index).filter(|channel| channel.is_open()) else {
                continue;
            };
            let Some(candidate) = channel.sender.peek() else {
                continue;
            };
            if draft.fits(channel, &candidate) {
                self.cursor = (place + 1) % count;
                return Packed::Bytes(draft.take(index, channel, &candidate));
            }
            self.passed_over.get_or_insert(place);
            packed = Packed::NoRoom;
        }
        packed
    }
}
