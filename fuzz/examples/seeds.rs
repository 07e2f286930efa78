//! Writes the seed inputs that are real bytes: `cargo +nightly run --example seeds`.
#![allow(clippy::expect_used)]

use std::fs;
use std::path::Path;

fn main() {
    for (target, name, bytes) in clisonix_fuzz::seeds() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder).expect("the folder can be made");
        fs::write(folder.join(name), bytes).expect("the seed can be written");
    }
}
