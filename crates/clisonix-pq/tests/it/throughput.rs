//! How fast and in how much memory a large file is sealed, verified and opened.
//!
//! Slow, so only with `CLISONIX_SHARE_MIB` (how much to seal), and alone:
//! `CLISONIX_SHARE_MIB=1024 cargo test -p clisonix-pq --test it throughput -- --nocapture`.

use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};

use clisonix_pq::aead::ChaCha20Poly1305;
use clisonix_pq::age::{CHUNK_BYTES, Reader, Writer};
use clisonix_pq::share::{Moment, Opening, Sealing, Terms, Trust, seal, verify};
use clisonix_pq::{Identity, Profile, RecipientKey};

use crate::chance::Seeded;

/// The kernel counts processor time in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;
/// What all of it may take, the program itself included.
const MAX_MEMORY_KIB: u64 = 32 * 1024;

#[test]
#[allow(clippy::print_stdout, reason = "a measurement that is asked for")]
fn a_large_share_is_fast_and_small() {
    let Ok(mib) = std::env::var("CLISONIX_SHARE_MIB") else { return };
    let mib: u32 = mib.parse().expect("a number of MiB");
    let bytes = u64::from(mib) << 20;
    let megabytes = f64::from(mib) * 1.048_576;
    let row = |name: &str, seconds: f64| {
        println!("{name:<28} {:>8.0} MB/s (processor time)", megabytes / seconds);
    };
    let raw = timed(|| raw(bytes));
    row("ChaCha20-Poly1305, in place", raw);

    let mut random = Seeded::new(4);
    let issuer = Identity::generate(Profile::Hybrid, &mut random).expect("a key");
    let reader = RecipientKey::generate(Profile::Hybrid, &mut random).expect("a key");
    let text = vec![7; CHUNK_BYTES];
    row(
        "age, seal",
        timed(|| {
            let out = std::io::sink();
            let mut writer = Writer::new(out, &[reader.public()], &mut random).expect("a header");
            for _ in 0..bytes / CHUNK_BYTES as u64 {
                writer.write_all(&text).expect("a chunk");
            }
            writer.finish().expect("the end");
        }),
    );

    let mut file = tempfile::tempfile().expect("a file");
    let now: Moment = "2026-11-23T02:10:00Z".parse().expect("a moment");
    let words = || "a measurement".to_owned();
    let terms = Terms {
        created: now,
        until: None,
        purpose: words(),
        basis: words(),
        content: words(),
        previous: None,
    };
    let recipients = [reader.public().clone()];
    let sealing = Sealing {
        issuer: &issuer,
        recipients: &recipients,
        terms,
        name: "measured",
        hide_recipients: false,
        hide_size: false,
    };
    row(
        "share, seal and sign",
        timed(|| {
            let content = std::io::repeat(7).take(bytes);
            seal(&sealing, content, bytes, &mut file, &mut random).expect("a share");
        }),
    );
    let mut trust = Trust::nobody();
    trust.accept(issuer.public().clone());
    row(
        "share, verify",
        timed(|| {
            verify(rewound(&mut file), &trust, now).expect("a share");
        }),
    );
    row(
        "share, open",
        timed(|| {
            let opening =
                Opening::start(rewound(&mut file), &trust, &reader, now).expect("a share");
            opening.copy_to(&mut std::io::sink()).expect("a share");
        }),
    );

    let mut age = tempfile::tempfile().expect("a file");
    let mut writer = Writer::new(&mut age, &[reader.public()], &mut random).expect("a header");
    for _ in 0..bytes / CHUNK_BYTES as u64 {
        writer.write_all(&text).expect("a chunk");
    }
    writer.finish().expect("the end");
    row(
        "age, open",
        timed(|| {
            let input = BufReader::new(rewound(&mut age));
            let mut opened = Reader::new(input, &reader).expect("a header");
            while opened.chunk().expect("a chunk").is_some() {}
        }),
    );
    let memory = memory_kib();
    println!("{:<28} {:>8} KiB at most", "memory", memory);
    assert!(memory <= MAX_MEMORY_KIB, "{memory} KiB");
}

/// The payload's cipher alone, on memory that stays where it is.
fn raw(bytes: u64) {
    let aead = ChaCha20Poly1305::with_key(&[1; 32]);
    let mut text = vec![7; CHUNK_BYTES];
    for chunk in 0..bytes / CHUNK_BYTES as u64 {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&chunk.to_le_bytes());
        aead.seal_in_place(&nonce, b"", &mut text);
    }
}

fn rewound(file: &mut File) -> &mut File {
    file.rewind().expect("a file");
    file
}

/// Seconds that this process spent in its own code. The kernel's time is that of the files, which
/// `cp` needs as well.
fn timed(work: impl FnOnce()) -> f64 {
    let start = user_seconds();
    work();
    (user_seconds() - start).max(1.0 / TICKS_A_SECOND)
}

/// `utime` of proc(5), the fourteenth field; the second one, a name, ends with the last bracket.
fn user_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let behind = stat.rsplit(')').next().expect("a name");
    let ticks: f64 = behind.split_whitespace().nth(11).expect("utime").parse().expect("a number");
    ticks / TICKS_A_SECOND
}

/// The most memory this process ever had.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
