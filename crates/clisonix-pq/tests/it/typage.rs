//! Files that this crate and typage, the npm package `age-encryption`, write for each other.
//!
//! `cargo xtask test` installs the package at its pinned version; without it the test is skipped
//! visibly, and fails in CI.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clisonix_pq::age::{Reader, Writer, identity_text, recipient_text};
use clisonix_pq::{Profile, PublicRecipient, RecipientKey};

use crate::chance::Seeded;

const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, 3_000_000];
const RECIPIENTS: [usize; 3] = [1, 2, 20];

/// Where `cargo xtask test` puts the package and the program that uses it.
#[allow(clippy::print_stdout, reason = "a skipped test says so")]
fn program() -> Option<PathBuf> {
    let given = std::env::var_os("CLISONIX_TYPAGE").map(PathBuf::from);
    let folder =
        given.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("typage"));
    let program = folder.join("peer.mjs");
    if folder.join("node_modules/age-encryption").exists() && program.exists() {
        return Some(program);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "typage is not installed");
    println!("SKIPPED: typage is not installed; `cargo xtask test` installs it");
    None
}

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place % 241) as u8).collect()
}

/// Seals or opens with typage: file names in `folder`, what to do and with which keys.
fn peer(program: &Path, folder: &Path, jobs: &[(&str, String, String, Vec<String>)]) {
    let mut lines = String::new();
    for (action, from, to, keys) in jobs {
        let (from, to) = (folder.join(from), folder.join(to));
        let (from, to) = (from.display(), to.display());
        writeln!(lines, r#"{{"do":"{action}","in":"{from}","out":"{to}","keys":{keys:?}}}"#)
            .expect("a string");
    }
    let mut node = Command::new("node");
    node.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = node.spawn().expect("node runs");
    let mut input = running.stdin.take().expect("its input");
    input.write_all(lines.as_bytes()).expect("the jobs");
    drop(input);
    let output = running.wait_with_output().expect("node ends");
    assert!(output.status.success(), "typage failed");
    let done = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    assert_eq!(done.count(), jobs.len());
}

#[test]
fn each_opens_what_the_other_sealed() {
    let Some(program) = program() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = Seeded::new(5);
    let keys: Vec<_> = (0..20)
        .map(|_| RecipientKey::generate(Profile::Hybrid, &mut random).expect("a key"))
        .collect();
    let mut jobs = Vec::new();
    for (size, count) in cases() {
        let recipients: Vec<&PublicRecipient> =
            keys.iter().take(count).map(RecipientKey::public).collect();
        let mut ours = Writer::new(Vec::new(), &recipients, &mut random).expect("a header");
        ours.write_all(&text(size)).expect("the text");
        let name = format!("{size}-{count}");
        fs::write(folder.path().join(&name), text(size)).expect("a file");
        let sealed = ours.finish().expect("the end");
        fs::write(folder.path().join(format!("{name}.ours")), sealed).expect("a file");
        let last = identity_text(&keys[count - 1]).expect("an identity").to_string();
        jobs.push(("open", format!("{name}.ours"), format!("{name}.opened"), vec![last]));
        let to = recipients.iter().map(|key| recipient_text(key).expect("a recipient"));
        jobs.push(("seal", name.clone(), format!("{name}.theirs"), to.collect()));
    }
    peer(&program, folder.path(), &jobs);
    for (size, count) in cases() {
        let read = |end: &str| {
            fs::read(folder.path().join(format!("{size}-{count}.{end}"))).expect("a file")
        };
        assert!(read("opened") == text(size), "ours, {size} bytes, {count} recipients");
        let theirs = read("theirs");
        let mut reader = Reader::new(&*theirs, &keys[count - 1]).expect("a header");
        let mut opened = Vec::new();
        while let Some(chunk) = reader.chunk().expect("a chunk") {
            opened.extend_from_slice(chunk);
        }
        assert!(opened == text(size), "theirs, {size} bytes, {count} recipients");
    }
}

fn cases() -> impl Iterator<Item = (usize, usize)> {
    SIZES.into_iter().flat_map(|size| RECIPIENTS.into_iter().map(move |count| (size, count)))
}
