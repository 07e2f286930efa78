//! How wrong use and missing things end: one sentence and the documented code.

use std::fs;
use std::process::Stdio;

use crate::site::{Ended, Site, bundle};

#[test]
fn wrong_use_ends_with_2() {
    let site = Site::new();
    let wrong: [&[&str]; 5] =
        [&[], &["import"], &["nonsense"], &["demo", "--patients", "0"], &["show"]];
    for arguments in wrong {
        assert_eq!(site.run(arguments).code, Some(2), "{arguments:?}");
    }
}

#[test]
fn without_an_author_nothing_is_read_or_written() {
    let site = Site::new();
    let file = site.file("one.json", bundle("a", "low"));
    for arguments in [["import", &*file], ["show", "MRN-1"]] {
        let output = site.command().env_remove("CLISONIX_AUTHOR").args(arguments).output();
        let ended = Ended::of(&output.expect("the program runs"));
        assert_eq!(ended.code, Some(2));
        assert!(ended.err.contains("--author"), "{}", ended.err);
    }
    let mut command = site.command();
    command.env_remove("CLISONIX_AUTHOR").env("USER", "ada").args(["import", &*file]);
    assert_eq!(command.status().expect("the program runs").code(), Some(0));
}

#[test]
fn what_is_not_there_ends_with_4_and_makes_nothing() {
    let site = Site::new();
    assert_eq!(site.run(["show", "MRN-1"]).code, Some(4));
    assert_eq!(site.run(["import", "no-such-file"]).code, Some(4));
    assert_eq!(site.run(["restore", "no-such-backup"]).code, Some(4));
    assert!(!site.path("data/store.redb").exists());
    let file = site.file("one.json", bundle("a", "low"));
    assert_eq!(site.run(["import", &file]).code, Some(0));
    let missing = site.run(["show", "MRN-2"]);
    assert_eq!(missing.code, Some(4));
    assert_eq!(missing.err.lines().count(), 1, "{}", missing.err);
    assert_eq!(site.run(["history", "MRN-1", "--entry", "Observation"]).code, Some(4));
}

#[test]
fn a_data_directory_that_cannot_be_used_ends_with_5() {
    let site = Site::new();
    let file = site.file("one.json", bundle("a", "low"));
    assert_eq!(site.run(["import", &file]).code, Some(0));

    let held = fs::File::open(site.path("data/lock")).expect("a lock");
    held.lock().expect("nobody else has it");
    let refused = site.run(["show", "MRN-1"]);
    assert_eq!(refused.code, Some(5), "{}", refused.err);
    assert!(refused.err.contains("another process"), "{}", refused.err);
    assert_eq!(refused.err.lines().count(), 1, "{}", refused.err);
    drop(held);
    assert_eq!(site.run(["show", "MRN-1"]).code, Some(0));

    let unusable = site.file("plain", "a file is no directory");
    assert_eq!(site.run(["import", &file, "--data", &unusable]).code, Some(5));
}

#[test]
fn a_backup_of_a_newer_program_ends_with_5() {
    let site = Site::new();
    let header = [b"CLXBACK\n".as_slice(), &99_u32.to_be_bytes(), &[0; 64]].concat();
    let file = site.file("newer.backup", header);
    let refused = site.run(["restore", &file]);
    assert_eq!(refused.code, Some(5), "{}", refused.err);
    assert!(refused.err.contains("format 99"), "{}", refused.err);
    assert!(!site.path("data").exists());
}

#[test]
fn a_file_that_is_no_backup_ends_with_6() {
    let site = Site::new();
    let file = site.file("no.backup", "nothing of the kind, but long enough to hold a header");
    assert_eq!(site.run(["restore", &file]).code, Some(6));
}

#[test]
fn every_shell_gets_a_script() {
    let site = Site::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ended = site.run(["completions", shell]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.out.contains("quarantine"), "{shell}");
    }
}

#[test]
fn help_documents_the_exit_codes() {
    let ended = Site::new().run(["--help"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.out.contains("Exit codes:") && ended.out.contains("quarantine"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let site = Site::new();
    let mut command = site.command();
    let child = command.args(["completions", "bash"]).stdout(Stdio::piped());
    let mut child = child.stderr(Stdio::piped()).spawn().expect("the program runs");
    drop(child.stdout.take());
    let ended = Ended::of(&child.wait_with_output().expect("it ends"));
    assert_eq!((ended.code, &*ended.err), (Some(0), ""));
}
