//! How replies lie in the journal: compressed, with a checksum that tells a damaged one.

use super::StoreError;
use zstd::bulk::{Compressor, decompress};

/// The fastest level: replies repeat themselves so much that more effort gains little.
const LEVEL: i32 = 1;
/// The longest reply that is read back, in bytes.
const LONGEST: usize = 256 << 20;

/// Packs one reply after the other.
pub(super) struct Packer(Compressor<'static>);

impl Packer {
    pub(super) fn new() -> Result<Self, StoreError> {
        let made = Compressor::new(LEVEL).and_then(|mut made| {
            made.include_checksum(true)?;
            Ok(made)
        });
        made.map(Self).map_err(|error| StoreError::Pack { cause: error.to_string() })
    }

    pub(super) fn pack(&mut self, reply: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.0.compress(reply).map_err(|error| StoreError::Pack { cause: error.to_string() })
    }
}

/// The reply that was packed, or why it can't be read.
pub(super) fn unpacked(packed: &[u8]) -> Result<Vec<u8>, String> {
    // The frame tells its length; no more is set aside.
    decompress(packed, LONGEST).map_err(|error| error.to_string())
}
