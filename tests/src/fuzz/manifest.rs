//! The manifest, which a server reads to name what differs.

use bevy_slipstream::protocol::{Manifest, WIRE_VERSION};

/// The greatest count of entries that is read.
const MOST_ENTRIES: usize = 8192;

/// A manifest that decodes is bounded, and encodes to an equal one.
pub fn manifest(data: &[u8]) {
    let Ok(manifest) = Manifest::decode(data) else { return };
    assert!(manifest.len() <= MOST_ENTRIES && manifest.len() <= data.len());
    let bytes = manifest.encode();
    assert!(bytes.len() <= data.len(), "it grew from {} to {} bytes", data.len(), bytes.len());
    let again = Manifest::decode(&bytes).expect("what was just written");
    assert_eq!(again, manifest);
    assert_eq!(again.hash(), manifest.hash());
    assert!(again.differences(&manifest).is_empty());
    // Lines for a log, whatever stands in the texts.
    let own = Manifest::new(WIRE_VERSION, 60.0);
    assert_eq!(own.differences(&manifest).is_empty(), own == manifest);
}

/// As small games have them.
pub(crate) fn corpus() -> Vec<Vec<u8>> {
    let mut manifest = Manifest::new(WIRE_VERSION, 60.0);
    let mut corpus = vec![manifest.encode()];
    manifest.add("component", "game::Health", "bincode, lane game::Health, every 1, Everyone, FromServer");
    manifest.add("message", "Chat", "on channel dispatch");
    manifest.add("", "ünïcode", &"x".repeat(600));
    corpus.push(manifest.encode());
    corpus
}
