//! Fuzz targets: everything that reads bytes of a peer, as plain functions of any bytes.
//!
//! Each target asserts more than the absence of a panic: what decodes encodes to the same again, what is refused has
//! changed nothing, memory stays within what is declared, and whoever behaves goes on as if nothing had happened.
//!
//! ```text
//!              a stream of bits          datagrams                     an App and a hostile peer on a link of it
//! bytes ──┬──► bits, quantisers,         handshake, datagrams, frames  records, inputs, messages, greetings
//!         │    range_coder, body_frames,        │                             │
//!         │    manifest, codecs              Pair of Peers               Host, Guest ◄── Stranger, a bare Peer
//!         └─── random, or a mutated entry of the target's corpus, which is valid
//! ```
//!
//! | what a peer sends | target |
//! |---|---|
//! | bits, varints, exp-Golomb and Rice codes | [`bits()`] |
//! | quantised numbers, angles, directions, rotations | [`quantisers()`] |
//! | the range coder; frames of bodies | [`range_coder()`], [`body_frames()`] |
//! | a manifest | [`manifest()`] |
//! | datagrams before, and on, a connection | [`handshake()`], [`datagrams()`] |
//! | well-formed frames in any order: fragments, reliable and ordered channels | [`frames()`] |
//! | a component's bits, whole and as differences | [`codecs()`] |
//! | replicated state and requests to start over | [`records_to_server()`], [`records_to_client()`] |
//! | inputs; what the server says of them | [`inputs()`], [`feedback()`] |
//! | typed messages, events, requests, responses | [`messages_to_server()`], [`messages_to_client()`] |
//! | what both sides say of themselves in the handshake | [`hello()`], [`welcome()`] |

mod bits;
mod body_frames;
mod codecs;
mod datagrams;
mod frames;
mod game;
mod greetings;
mod guest;
mod handshake;
mod host;
mod inputs;
mod manifest;
mod messages;
mod pair;
mod parts;
mod quantisers;
mod range_coder;
mod recording;
mod records;
mod steps;
mod stranger;

pub use self::bits::bits;
pub use self::body_frames::body_frames;
pub use self::codecs::codecs;
pub use self::datagrams::datagrams;
pub use self::frames::frames;
pub use self::greetings::{hello, welcome};
pub use self::handshake::handshake;
pub use self::inputs::{feedback, inputs};
pub use self::manifest::manifest;
pub use self::messages::{messages_to_client, messages_to_server};
pub use self::quantisers::quantisers;
pub use self::range_coder::range_coder;
pub use self::records::{records_to_client, records_to_server};

/// One entry point.
#[derive(Clone, Copy)]
pub struct Target {
    /// The function's name, and that of its file in `tests/fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes; panics where something that reads them does not hold what it must.
    pub run: fn(&[u8]),
    /// Valid inputs, to start from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// How many inputs a short run takes.
    pub short_run: usize,
}

/// Inputs of a short run; fewer where each drives an `App`.
const MANY: usize = 2_000;
const SOME: usize = 150;

const fn target(name: &'static str, run: fn(&[u8]), corpus: fn() -> Vec<Vec<u8>>, short_run: usize) -> Target {
    Target { name, run, corpus, short_run }
}

/// All targets.
pub const TARGETS: &[Target] = &[
    target("bits", bits, bits::corpus, MANY),
    target("quantisers", quantisers, quantisers::corpus, MANY),
    target("range_coder", range_coder, range_coder::corpus, MANY),
    target("body_frames", body_frames, body_frames::corpus, MANY),
    target("manifest", manifest, manifest::corpus, MANY),
    target("handshake", handshake, handshake::corpus, MANY),
    target("datagrams", datagrams, datagrams::corpus, MANY),
    target("frames", frames, frames::corpus, MANY),
    target("codecs", codecs, codecs::corpus, MANY),
    target("records_to_server", records_to_server, records::to_server_corpus, SOME),
    target("records_to_client", records_to_client, records::to_client_corpus, SOME),
    target("inputs", inputs, inputs::inputs_corpus, SOME),
    target("feedback", feedback, inputs::feedback_corpus, SOME),
    target("messages_to_server", messages_to_server, messages::to_server_corpus, SOME),
    target("messages_to_client", messages_to_client, messages::to_client_corpus, SOME),
    target("hello", hello, greetings::hello_corpus, SOME),
    target("welcome", welcome, greetings::welcome_corpus, SOME),
];
