//! What hides how many recipients a share has and how large it is.

/// What the number of recipients is filled up to: the next of 4, 8, 16, 32 and 64.
pub(super) fn recipients(count: usize) -> usize {
    count.next_power_of_two().max(4)
}

/// The next size that keeps only the leading bits of `bytes`: Padmé (Nikitin and others, Reducing
/// Metadata Leakage from Encrypted Files, 2019). Adds at most 12 percent, and tells no more than the
/// order of magnitude and a few steps of it.
pub(super) fn size(bytes: u64) -> u64 {
    let exponent = bytes.max(2).ilog2();
    let kept = exponent.ilog2() + 1;
    bytes.next_multiple_of(1 << (exponent.saturating_sub(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_by_at_most_twelve_percent_to_few_values() {
        assert_eq!(size(9), 10);
        assert_eq!(size(1 << 20), 1 << 20);
        let mut sizes = std::collections::BTreeSet::new();
        for bytes in 1000..1_000_000 {
            let padded = size(bytes);
            assert!(padded >= bytes && padded - bytes <= bytes * 12 / 100, "{bytes}");
            assert_eq!(size(padded), padded);
            sizes.insert(padded);
        }
        assert!(sizes.len() < 250, "{}", sizes.len());
    }
}
