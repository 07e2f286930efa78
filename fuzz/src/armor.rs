//! Armour: what is read has exactly one text but for line ends and outer white space.

use std::io::{Read, Write};

use clisonix_pq::age::armor::{Reader, Writer};

/// The whole input is an armoured file.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Vec::new();
    if Reader::new(data).read_to_end(&mut bytes).is_err() {
        return;
    }
    let mut writer = Writer::new(Vec::new()).expect("writing to memory");
    writer.write_all(&bytes).expect("writing to memory");
    let written = writer.finish().expect("writing to memory");
    let text: Vec<u8> = data.trim_ascii().iter().copied().filter(|byte| *byte != b'\r').collect();
    assert_eq!(written.trim_ascii(), text, "two texts of one file");
}
