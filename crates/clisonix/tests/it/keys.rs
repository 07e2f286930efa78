//! Keys from outside: made, shown, followed, exported and revoked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use clisonix_fhir::json::{self, Value};

use crate::site::{Ended, Site, number, text};

const PASS_PHRASE: &str = "four words for tests";

/// A site whose pass-phrase lies in a file that only its owner reads.
fn site(pass_phrase: &str) -> Site {
    let site = Site::new();
    let file = site.file("pass", format!("{pass_phrase}\n"));
    allow(&file, 0o600);
    site
}

fn allow(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

fn command(site: &Site, arguments: &[&str]) -> Command {
    let mut command = site.command();
    command.env("CLISONIX_KEYS", site.path("keys"));
    command.env("CLISONIX_PASSPHRASE_FILE", site.path("pass"));
    command.arg("keys").args(arguments);
    command
}

fn run(site: &Site, arguments: &[&str]) -> Ended {
    Ended::of(&command(site, arguments).output().expect("the program runs"))
}

fn objects(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let ended = run(site, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "stderr: {}", ended.err);
    ended.out.lines().map(|line| json::parse(line.as_bytes()).expect("JSON")).collect()
}

#[test]
fn keys_are_made_rotated_exported_and_revoked() {
    let site = site(PASS_PHRASE);
    let made = objects(&site, &["new", "institute"]).remove(0);
    assert_eq!((text(&made, "state"), number(&made, "generation")), ("current", 1));
    assert_eq!(text(&made, "fingerprint").len(), 8 * 5 + 7);
    let secret = site.path("keys/institute/1.secret");
    let permissions = fs::metadata(&secret).expect("a file").permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);

    let rotated = objects(&site, &["rotate", "institute"]).remove(0);
    assert_eq!((text(&rotated, "state"), number(&rotated, "generation")), ("current", 2));
    assert_ne!(text(&rotated, "sign"), text(&made, "sign"));
    let shown = objects(&site, &["show", "institute"]);
    let states: Vec<&str> = shown.iter().map(|it| text(it, "state")).collect();
    assert_eq!(states, ["followed", "current"]);
    assert_eq!(text(&shown[0], "successor"), text(&rotated, "sign"));

    let exported = run(&site, &["export", "institute"]);
    let path = site.file("institute.pub", &exported.out);
    let read = objects(&site, &["show", &path]).remove(0);
    assert_eq!(text(&read, "sign"), text(&rotated, "sign"));
    let statement =
        run(&site, &["export", "institute", "--generation", "1", "--what", "succession"]);
    assert!(statement.out.starts_with("clisonix succession 1\n"));
    assert_eq!(run(&site, &["export", "institute", "--what", "revocation"]).code, Some(4));

    let revoked = objects(&site, &["revoke", "institute", "--reason", "compromised"]).remove(0);
    assert_eq!((text(&revoked, "state"), text(&revoked, "reason")), ("revoked", "compromised"));
    assert_eq!(text(&objects(&site, &["list"])[0], "state"), "revoked");
    assert_eq!(run(&site, &["rotate", "institute"]).code, Some(2));
    assert_eq!(run(&site, &["revoke", "institute", "--reason", "retired"]).code, Some(2));
}

#[test]
fn keys_are_revoked_without_the_secret() {
    let site = site(PASS_PHRASE);
    let made = objects(&site, &["new", "institute"]).remove(0);
    let kept = site.path("elsewhere");
    fs::rename(text(&made, "prepared_file"), &kept).expect("moved");
    let rotated = objects(&site, &["rotate", "institute"]).remove(0);
    fs::remove_file(text(&made, "secret_file")).expect("lost");
    fs::remove_file(site.path("pass")).expect("lost");

    let kept = kept.to_string_lossy().into_owned();
    let wrong = run(&site, &["revoke", "institute", "--prepared", text(&rotated, "public_file")]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    let revoked = objects(&site, &["revoke", "institute", "--prepared", &kept]).remove(0);
    assert_eq!((text(&revoked, "state"), number(&revoked, "generation")), ("revoked", 1));
    assert_eq!(text(&revoked, "reason"), "compromised");
    assert_eq!(run(&site, &["revoke", "institute", "--prepared", &kept]).code, Some(2));
    assert_eq!(text(&objects(&site, &["list"])[0], "state"), "current");
    let exported =
        run(&site, &["export", "institute", "--generation", "1", "--what", "revocation"]);
    assert_eq!(exported.out, fs::read_to_string(&kept).expect("the statement"));
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let site = site(PASS_PHRASE);
    assert_eq!(run(&site, &["new", "lab", "--profile", "cnsa2"]).code, Some(0));
    allow(site.path("keys/lab/1.secret"), 0o640);
    let refused = run(&site, &["rotate", "lab"]);
    assert_eq!(refused.code, Some(5));
    assert!(refused.err.contains("can be read by others"), "{}", refused.err);
    allow(site.path("keys/lab/1.secret"), 0o600);
    allow(site.path("pass"), 0o644);
    assert_eq!(run(&site, &["rotate", "lab"]).code, Some(5));
    allow(site.path("pass"), 0o600);
    site.file("pass", "another pass-phrase\n");
    let wrong = run(&site, &["rotate", "lab"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.err.contains("wrong pass-phrase"), "{}", wrong.err);
}

#[test]
fn a_rotation_that_was_cut_short_leaves_the_old_keys_current() {
    let site = site(PASS_PHRASE);
    assert_eq!(run(&site, &["new", "lab"]).code, Some(0));
    assert_eq!(run(&site, &["rotate", "lab"]).code, Some(0));
    fs::remove_file(site.path("keys/lab/1.succession")).expect("a statement");
    let shown = objects(&site, &["show", "lab"]);
    assert_eq!(shown.len(), 1);
    assert_eq!(text(&shown[0], "state"), "current");
}

#[test]
fn wrong_use_is_told_before_anything_is_made() {
    let site = site("too short");
    assert_eq!(run(&site, &["new", "lab"]).code, Some(2));
    assert_eq!(run(&site, &["new", "../lab"]).code, Some(2));
    assert_eq!(run(&site, &["new", "lab", "--profile", "classic"]).code, Some(2));
    assert_eq!(run(&site, &["show", "lab"]).code, Some(4));
    assert_eq!(run(&site, &["rotate", "lab"]).code, Some(4));
    let mut silent = command(&site, &["new", "lab"]);
    let ended = silent.env_remove("CLISONIX_PASSPHRASE_FILE").output().expect("the program runs");
    assert_eq!(Ended::of(&ended).code, Some(2));
    assert!(objects(&site, &["list"]).is_empty());
}

#[test]
fn a_damaged_public_file_is_told_as_damaged() {
    let site = site(PASS_PHRASE);
    assert_eq!(run(&site, &["new", "lab"]).code, Some(0));
    let path = site.path("keys/lab/1.pub");
    let text = fs::read_to_string(&path).expect("a public file");
    fs::write(&path, text.replace("name: lab", "name: lob")).expect("written");
    let ended = run(&site, &["show", "lab"]);
    assert_eq!(ended.code, Some(6), "{}", ended.err);
}
