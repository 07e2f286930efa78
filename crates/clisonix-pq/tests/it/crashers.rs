//! Every input that the fuzz targets of this crate begin with or once failed on, through the
//! targets' own code: `fuzz/corpus` and `fuzz/regressions`.

use std::path::Path;

use crate::vectors;

#[path = "../../../../fuzz/src/age.rs"]
mod age;
#[path = "../../../../fuzz/src/armor.rs"]
mod armor;
#[path = "../../../../fuzz/src/checkpoint.rs"]
mod checkpoint;
#[path = "../../../../fuzz/src/key.rs"]
mod key;
#[path = "../../../../fuzz/src/share.rs"]
mod share;

type Target = fn(&[u8]);

#[test]
fn every_kept_input_is_taken_or_refused() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let targets: [(&str, Target); 5] = [
        ("age", age::run),
        ("armor", armor::run),
        ("checkpoint", checkpoint::run),
        ("key", key::run),
        ("share", share::run),
    ];
    for (target, run) in targets {
        let mut files = vectors::all_files(&fuzz.join("corpus").join(target));
        assert!(!files.is_empty(), "no corpus of {target}");
        files.extend(vectors::all_files(&fuzz.join("regressions").join(target)));
        for file in files {
            run(&vectors::read(&file));
        }
    }
}

/// Changes of every kept input, without a fuzzer: each byte replaced, removed and doubled.
#[test]
fn every_neighbour_of_a_kept_input_is_taken_or_refused() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, run) in [("armor", armor::run as Target), ("share", share::run)] {
        for file in vectors::all_files(&fuzz.join(target)) {
            let input = vectors::read(&file);
            for place in 0..input.len() {
                let (start, rest) = input.split_at(place);
                for replacement in [&[][..], b"\n", b" ", b"=", b"\xff", &rest[..1].repeat(2)] {
                    run(&[start, replacement, &rest[1..]].concat());
                }
            }
        }
    }
}
