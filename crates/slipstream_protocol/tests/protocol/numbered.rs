//! Messages that carry their own number and a pattern made from it, so that a mixed-up or damaged one is seen.

/// The `index`-th message, of `bytes` bytes (four at least).
pub fn numbered(index: u32, bytes: usize) -> Vec<u8> {
    let mut payload = index.to_le_bytes().to_vec();
    payload.extend((4..bytes.max(4)).map(|position| pattern(index, position)));
    payload
}

/// The number of a message made by [`numbered`]; panics if a byte of it is not what it was.
pub fn number_of(payload: &[u8]) -> u32 {
    let (number, rest) = payload.split_first_chunk::<4>().expect("a numbered message has four bytes at least");
    let index = u32::from_le_bytes(*number);
    for (offset, byte) in rest.iter().enumerate() {
        assert_eq!(*byte, pattern(index, offset + 4), "byte {} of message {index} is damaged", offset + 4);
    }
    index
}

fn pattern(index: u32, position: usize) -> u8 {
    index.wrapping_mul(2_654_435_761).wrapping_add((position as u32).wrapping_mul(40_503)).to_be_bytes()[0]
}
