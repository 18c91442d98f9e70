//! What both sides must have in common before they exchange messages.

use std::collections::BTreeMap;

use slipstream_wire::{BitReader, BitWriter, WireError};

use crate::text::{read_limited, read_text, write_text};

/// Greatest count of entries in an encoded manifest.
const ENTRY_LIMIT: u64 = 8192;
/// Greatest text of an entry in an encoded manifest, in bytes; longer texts are cut there, but hashed whole.
const TEXT_LIMIT: usize = 512;

/// A sorted set of what is registered: kinds, names and parameters. Equal manifests have equal hashes, whatever the
/// order of registration was.
///
/// ```
/// use slipstream_protocol::{Manifest, WIRE_VERSION};
///
/// let mut server = Manifest::new(WIRE_VERSION, 60.0);
/// server.add("component", "Health", "bincode");
/// let client = Manifest::new(WIRE_VERSION, 60.0);
/// assert_ne!(server.hash(), client.hash());
/// assert_eq!(server.differences(&client), ["component \"Health\" is known to this side only"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    entries: BTreeMap<(String, String), String>,
}

impl Manifest {
    /// A manifest with the wire version and the tick rate in ticks per second, and nothing else yet.
    pub fn new(wire_version: u16, tick_rate: f64) -> Self {
        let mut manifest = Self { entries: BTreeMap::new() };
        manifest.add("protocol", "wire version", &wire_version.to_string());
        manifest.add("protocol", "tick rate", &tick_rate.to_string());
        manifest
    }

    /// Adds an entry, or replaces the parameters of one. `kind` groups entries ("component", "message", "channel"),
    /// `name` must be the same in every build, `parameters` is whatever else must agree: a codec and its ranges.
    pub fn add(&mut self, kind: &str, name: &str, parameters: &str) {
        self.entries.insert((kind.to_owned(), name.to_owned()), parameters.to_owned());
    }

    /// Count of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A hash over all entries: FNV-1a over each text and its length.
    pub fn hash(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325;
        for ((kind, name), parameters) in &self.entries {
            for text in [kind, name, parameters] {
                hash = fold(hash, &(text.len() as u64).to_le_bytes());
                hash = fold(hash, text.as_bytes());
            }
        }
        hash
    }

    /// What differs, one sentence a difference, in the order of kinds and names.
    pub fn differences(&self, other: &Manifest) -> Vec<String> {
        self.differences_between(other, "this side", "the other side")
    }

    /// What differs, with names for both sides.
    pub(crate) fn differences_between(&self, other: &Manifest, here: &str, there: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, parameters) in &self.entries {
            let (kind, name) = key;
            match other.entries.get(key) {
                None => lines.push(format!("{kind} \"{name}\" is known to {here} only")),
                Some(theirs) if theirs != parameters => {
                    lines.push(format!("{kind} \"{name}\": {here} has \"{parameters}\", {there} has \"{theirs}\""))
                }
                Some(_) => {}
            }
        }
        for key in other.entries.keys() {
            if !self.entries.contains_key(key) {
                let (kind, name) = key;
                lines.push(format!("{kind} \"{name}\" is known to {there} only"));
            }
        }
        lines
    }

    /// The entries as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = BitWriter::new();
        writer.write_varint(self.entries.len() as u64);
        for ((kind, name), parameters) in &self.entries {
            write_text(&mut writer, kind, TEXT_LIMIT);
            write_text(&mut writer, name, TEXT_LIMIT);
            write_text(&mut writer, parameters, TEXT_LIMIT);
        }
        writer.to_bytes()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes end early, or an entry or their count exceeds its limit.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = BitReader::new(bytes);
        let count = read_limited(&mut reader, ENTRY_LIMIT, "count of manifest entries")?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let kind = read_text(&mut reader, TEXT_LIMIT, "manifest kind")?;
            let name = read_text(&mut reader, TEXT_LIMIT, "manifest name")?;
            let parameters = read_text(&mut reader, TEXT_LIMIT, "manifest parameters")?;
            entries.insert((kind, name), parameters);
        }
        Ok(Self { entries })
    }

    /// Heap bytes, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.entries.iter().map(|((kind, name), parameters)| kind.len() + name.len() + parameters.len() + 96).sum()
    }
}

fn fold(mut hash: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_registration_does_not_matter() {
        let mut one = Manifest::new(1, 60.0);
        one.add("message", "Chat", "");
        one.add("component", "Health", "bincode");
        let mut two = Manifest::new(1, 60.0);
        two.add("component", "Health", "bincode");
        two.add("message", "Chat", "");
        assert_eq!(one.hash(), two.hash());
        assert!(one.differences(&two).is_empty());
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let mut one = Manifest::new(1, 60.0);
        one.add("component", "Health", "0..100 step 1");
        one.add("message", "Chat", "");
        let mut two = Manifest::new(1, 30.0);
        two.add("component", "Health", "0..200 step 1");
        two.add("message", "Shout", "");
        let lines = one.differences(&two).join("\n");
        for part in [
            "Health",
            "0..200",
            "\"Chat\" is known to this side only",
            "\"Shout\" is known to the other side only",
            "tick rate",
        ] {
            assert!(lines.contains(part), "{part} is missing in {lines}");
        }
    }

    #[test]
    fn a_manifest_survives_the_wire_and_no_truncation_does() {
        let mut manifest = Manifest::new(1, 60.0);
        manifest.add("component", "Health", "bincode");
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
        for end in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..end]).is_err());
        }
    }
}
