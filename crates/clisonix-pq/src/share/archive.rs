//! The container of a share: a tar archive (POSIX.1-1988 ustar) of fixed members in a fixed order,
//! so that any tar takes it apart. Of every header there is exactly one text, which is compared.

use std::io::{Read, Write};

use super::ShareError;
use crate::age::read_fully;

/// Bytes of a header, and what members are filled up to.
pub(super) const BLOCK_BYTES: u64 = 512;
/// Bytes of zeros that end an archive.
pub(super) const END_BYTES: u64 = 2 * BLOCK_BYTES;

const BLOCK: usize = BLOCK_BYTES as usize;
/// Where the size stands in a header, and how long it is.
const SIZE_PLACE: std::ops::Range<usize> = 124..136;
/// The largest size in octal digits; beyond, the field is binary, as GNU tar writes it.
const MAX_OCTAL: u64 = 0o777_7777_7777;

/// Bytes that a member takes with its header.
pub(super) fn member_bytes(size: u64) -> u64 {
    BLOCK_BYTES + size + filling(size)
}

/// Zeros behind a member.
fn filling(size: u64) -> u64 {
    size.next_multiple_of(BLOCK_BYTES) - size
}

/// The header of a member. `name` has at most 100 bytes.
fn header(name: &str, size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |place: usize, bytes: &[u8]| {
        block.iter_mut().skip(place).zip(bytes).for_each(|(own, byte)| *own = *byte);
    };
    put(0, name.as_bytes());
    // Mode, owner, group; the owner and the time of a member are nobody's business.
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    if size <= MAX_OCTAL {
        put(SIZE_PLACE.start, format!("{size:011o}\0").as_bytes());
    } else {
        put(SIZE_PLACE.start, &[0x80, 0, 0, 0]);
        put(SIZE_PLACE.start + 4, &size.to_be_bytes());
    }
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    let sum = format!("{sum:06o}\0 ");
    block.iter_mut().skip(148).zip(sum.as_bytes()).for_each(|(own, byte)| *own = *byte);
    block
}

fn size(block: &[u8; BLOCK]) -> Option<u64> {
    let field = block.get(SIZE_PLACE)?;
    if let [0x80, 0, 0, 0, binary @ ..] = field {
        return Some(u64::from_be_bytes(binary.try_into().ok()?));
    }
    let digits = std::str::from_utf8(field.strip_suffix(b"\0")?).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

/// Writes the header of a member, whose `size` bytes must follow.
pub(super) fn begin(out: &mut impl Write, name: &str, size: u64) -> Result<(), ShareError> {
    Ok(out.write_all(&header(name, size))?)
}

/// Writes the zeros behind a member of `size` bytes.
pub(super) fn fill(out: &mut impl Write, size: u64) -> Result<(), ShareError> {
    zeros(out, filling(size))
}

/// Writes the end of the archive.
pub(super) fn end(out: &mut impl Write) -> Result<(), ShareError> {
    zeros(out, END_BYTES)
}

/// Writes `count` zeros.
pub(super) fn zeros(out: &mut impl Write, count: u64) -> Result<(), ShareError> {
    std::io::copy(&mut std::io::repeat(0).take(count), out)?;
    Ok(())
}

/// Reads the header of the member `name` and returns its size. `part` names the archive in errors.
pub(super) fn next(
    input: &mut impl Read,
    name: &str,
    part: &'static str,
) -> Result<u64, ShareError> {
    let mut block = [0; BLOCK];
    let filled = read_fully(input, &mut block)?;
    if filled < BLOCK {
        return Err(ShareError::Truncated { part });
    }
    let size = size(&block).ok_or(ShareError::Container { part })?;
    if header(name, size) != block {
        return Err(ShareError::Container { part });
    }
    Ok(size)
}

/// Reads a small member whole.
pub(super) fn small(
    input: &mut impl Read,
    size: u64,
    limit: u64,
    part: &'static str,
) -> Result<Vec<u8>, ShareError> {
    if size > limit {
        return Err(ShareError::TooLarge { part });
    }
    let mut bytes = vec![0; size as usize];
    if read_fully(input, &mut bytes)? < bytes.len() {
        return Err(ShareError::Truncated { part });
    }
    skip_filling(input, size, part)?;
    Ok(bytes)
}

/// Reads the zeros behind a member.
pub(super) fn skip_filling(
    input: &mut impl Read,
    size: u64,
    part: &'static str,
) -> Result<(), ShareError> {
    skip_zeros(input, filling(size), part)
}

/// Reads `zeros` zeros, with which the archive ends, and makes sure that nothing follows.
pub(super) fn finish_with(
    input: &mut impl Read,
    zeros: u64,
    part: &'static str,
) -> Result<(), ShareError> {
    skip_zeros(input, zeros, part)?;
    if read_fully(input, &mut [0])? > 0 {
        return Err(ShareError::Trailing);
    }
    Ok(())
}

/// Reads `count` zeros.
fn skip_zeros(input: &mut impl Read, mut count: u64, part: &'static str) -> Result<(), ShareError> {
    let mut block = [0; 8 * BLOCK];
    while count > 0 {
        let size = count.min(block.len() as u64);
        let room = block.get_mut(..size as usize).unwrap_or_default();
        if read_fully(input, room)? < room.len() {
            return Err(ShareError::Truncated { part });
        }
        if room.iter().any(|byte| *byte != 0) {
            return Err(ShareError::Container { part });
        }
        count -= size;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_come_back_small_and_large() {
        for bytes in [0, 1, 511, 512, 513, MAX_OCTAL, MAX_OCTAL + 1, u64::MAX] {
            let block = header("payload.age", bytes);
            assert_eq!(size(&block), Some(bytes));
            assert_eq!(next(&mut &block[..], "payload.age", "x").unwrap(), bytes);
            assert!(next(&mut &block[..], "payload", "x").is_err());
        }
    }

    #[test]
    fn every_changed_bit_of_a_header_is_seen() {
        let block = header("payload.age", 4711);
        for place in 0..block.len() {
            for bit in 0..8 {
                let mut changed = block;
                changed[place] ^= 1 << bit;
                assert!(next(&mut &changed[..], "payload.age", "x").is_err());
            }
        }
    }
}
