//! Shares: manifests, and whole shares of an issuer who is trusted.

use clisonix_pq::share::{Manifest, Moment, ShareError, Trust, verify};

/// The first byte says what the rest is.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    if kind % 2 == 0 {
        if let Ok(manifest) = Manifest::from_bytes(rest) {
            assert_eq!(manifest.to_bytes(), rest, "two texts of one manifest");
        }
        return;
    }
    let now = Moment::from_seconds(1_800_000_000).expect("a moment");
    let ended = verify(rest, &Trust::nobody(), now);
    assert!(!matches!(ended, Ok(_) | Err(ShareError::Signature)), "nobody is trusted");
}
