//! Compression of stored records and of batches: raw DEFLATE (RFC 1951) with a preset dictionary.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::wire::DecodeError;

/// Texts that FHIR resources share; part of the format.
pub(crate) const FHIR_TEXTS: &[u8] = include_bytes!("deflate/dictionary.txt");
/// DEFLATE looks back this far.
const WINDOW_BYTES: usize = 32 << 10;

// A compressor takes some 270 KiB and a decompressor 40, each for a few hundred bytes of work:
// making one anew each time costs more than the work, and leaves the heap full of holes.
thread_local! {
    static BEST: RefCell<Compress> = RefCell::new(Compress::new(Compression::best(), false));
    static FAST: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
    static BACK: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Compresses `bytes`, which may refer back to `dictionary`.
pub(crate) fn deflate(bytes: &[u8], dictionary: &[u8]) -> Vec<u8> {
    BEST.with_borrow_mut(|by| compress(bytes, dictionary, by))
}

/// As [`deflate`], for what is soon written again: several times as fast, and somewhat larger.
pub(crate) fn deflate_fast(bytes: &[u8], dictionary: &[u8]) -> Vec<u8> {
    FAST.with_borrow_mut(|by| compress(bytes, dictionary, by))
}

fn compress(bytes: &[u8], dictionary: &[u8], compress: &mut Compress) -> Vec<u8> {
    compress.reset();
    // Only a stream that has begun refuses a dictionary.
    let _ = compress.set_dictionary(last_window(dictionary));
    let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
    loop {
        let done = compress.total_in() as usize;
        let rest = bytes.get(done..).unwrap_or_default();
        match compress.compress_vec(rest, &mut out, FlushCompress::Finish) {
            Ok(Status::StreamEnd) | Err(_) => return out,
            Ok(_) => out.reserve(out.len().max(64)),
        }
    }
}

/// Undoes [`deflate`]; `len` is what comes out, and no more is ever written.
pub(crate) fn inflate(bytes: &[u8], len: usize, dictionary: &[u8]) -> Result<Vec<u8>, DecodeError> {
    BACK.with_borrow_mut(|by| decompress(bytes, len, dictionary, by))
}

fn decompress(
    bytes: &[u8],
    len: usize,
    dictionary: &[u8],
    decompress: &mut Decompress,
) -> Result<Vec<u8>, DecodeError> {
    let wrong = DecodeError::Meaningless { what: "compressed bytes", at: 0 };
    decompress.reset(false);
    decompress.set_dictionary(last_window(dictionary)).map_err(|_| wrong)?;
    // A hostile length costs memory only as far as the bytes can fill it (1,032 to 1 at most).
    if len > bytes.len().saturating_mul(1_040) + 64 {
        return Err(wrong);
    }
    let mut out = Vec::with_capacity(len);
    let status = decompress.decompress_vec(bytes, &mut out, FlushDecompress::Finish);
    match status {
        Ok(Status::StreamEnd)
            if out.len() == len && decompress.total_in() as usize == bytes.len() =>
        {
            Ok(out)
        }
        _ => Err(wrong),
    }
}

fn last_window(dictionary: &[u8]) -> &[u8] {
    dictionary.get(dictionary.len().saturating_sub(WINDOW_BYTES)..).unwrap_or(dictionary)
}
