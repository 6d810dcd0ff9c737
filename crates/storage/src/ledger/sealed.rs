//! Values with a CRC behind them, over key and value.

const CRC_BYTES: usize = size_of::<u32>();

/// Bytes of a value with its CRC.
pub(super) fn sealed_len(value: &[u8]) -> usize {
    value.len() + CRC_BYTES
}

/// Writes a value and its CRC into a place of `sealed_len` bytes.
pub(super) fn seal(key: &[u8], value: &[u8], place: &mut [u8]) {
    let (body, tail) = place.split_at_mut(value.len());
    body.copy_from_slice(value);
    tail.copy_from_slice(&crc(key, value).to_le_bytes());
}

/// The value, if key and value are those that were sealed.
pub(super) fn unseal<'a>(key: &[u8], sealed: &'a [u8]) -> Result<&'a [u8], redb::Error> {
    let split = sealed.len().checked_sub(CRC_BYTES);
    let parts = split.and_then(|at| sealed.split_at_checked(at));
    match parts {
        Some((value, tail)) if tail == crc(key, value).to_le_bytes() => Ok(value),
        _ => Err(redb::Error::Corrupted(
            "a value does not match its checksum".to_owned(),
        )),
    }
}

fn crc(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}
