//! Every input that the fuzz targets begin with or once failed on, through the targets' own code:
//! `fuzz/corpus` and `fuzz/regressions`.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/apply.rs"]
mod apply;
#[path = "../../../../fuzz/src/bytes.rs"]
mod bytes;
#[path = "../../../../fuzz/src/decode.rs"]
mod decode;
#[path = "../../../../fuzz/src/fhirpath.rs"]
mod fhirpath;
#[path = "../../../../fuzz/src/patch.rs"]
mod patch;
#[path = "../../../../fuzz/src/sample.rs"]
mod sample;
#[path = "../../../../fuzz/src/text.rs"]
mod text;

/// Runs the kept inputs of one target; the name of the one that fails stands in the output.
fn replay(target: &str, run: fn(&[u8])) {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let mut seeds = 0;
    for folder in ["corpus", "regressions"] {
        let Ok(files) = fs::read_dir(fuzz.join(folder).join(target)) else { continue };
        for file in files {
            let path = file.expect("the folder can be read").path();
            eprintln!("{}", path.display());
            run(&fs::read(&path).expect("the input can be read"));
            seeds += usize::from(folder == "corpus");
        }
    }
    assert!(seeds > 0, "the seeds of {target} are missing");
}

#[test]
fn histories() {
    replay("apply", apply::run);
}

#[test]
fn bytes_from_outside() {
    replay("decode", decode::run);
}

#[test]
fn expressions() {
    replay("fhirpath", fhirpath::run);
}

#[test]
fn patches_and_pointers() {
    replay("patch", patch::run);
}

#[test]
fn text_cells() {
    replay("text", text::run);
}
