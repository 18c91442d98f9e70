//! Several pieces in one input: each after its length in two bytes, little-endian.

/// The first pieces of an input, at most `most`. A length that is beyond the end means the rest.
pub(crate) fn split(data: &[u8], most: usize) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = data;
    while parts.len() < most
        && let Some((length, after)) = rest.split_first_chunk::<2>()
    {
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let (part, after) = after.split_at(length);
        parts.push(part);
        rest = after;
    }
    parts
}

/// The input of these pieces, each of which is shorter than 64 KiB.
pub(crate) fn join<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> Vec<u8> {
    let mut data = Vec::new();
    for part in parts {
        let part = part.as_ref();
        let length = u16::try_from(part.len()).expect("pieces are shorter than 64 KiB");
        data.extend(length.to_le_bytes());
        data.extend(part);
    }
    data
}
