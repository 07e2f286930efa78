//! age files: headers and whole files, read with a key that opens none of them or some.

use std::sync::OnceLock;

use clisonix_pq::age::{Header, Reader};
use clisonix_pq::{Profile, RecipientKey};

/// The whole input is a file.
pub(crate) fn run(data: &[u8]) {
    static KEY: OnceLock<RecipientKey> = OnceLock::new();
    let key = KEY.get_or_init(|| {
        RecipientKey::from_seed(Profile::Hybrid, &[7; 32]).expect("a seed of 32 bytes")
    });
    if Header::read(&mut &*data).is_err() {
        return;
    }
    if let Ok(mut reader) = Reader::new(data, key) {
        while let Ok(Some(_)) = reader.chunk() {}
    }
}
