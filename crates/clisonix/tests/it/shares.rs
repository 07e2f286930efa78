//! Shares from outside: sealed, verified without a key, opened, refused, and listed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use clisonix_fhir::json::{self, Value};

use crate::site::{Ended, Site, number, text};

const REPORT: &str = "one line\nanother line\n";

/// Two parties, `clinic` and `lab`, each with keys and a data directory of its own.
struct Parties {
    clinic: Site,
    lab: Site,
}

impl Parties {
    fn new() -> Self {
        let parties = Self { clinic: Site::new(), lab: Site::new() };
        for (site, name) in [(&parties.clinic, "clinic"), (&parties.lab, "lab")] {
            let file = site.file("pass", "four words for tests\n");
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
            let made = run(site, &["keys", "new", name]);
            assert_eq!(made.code, Some(0), "{}", made.err);
        }
        parties
    }

    fn clinic_keys(&self) -> String {
        self.clinic.path("keys/clinic/1.pub").to_string_lossy().into_owned()
    }

    fn lab_keys(&self) -> String {
        self.lab.path("keys/lab/1.pub").to_string_lossy().into_owned()
    }

    /// The clinic seals the report for the lab; returns the share's path.
    fn seal(&self, name: &str, until: &str, more: &[&str]) -> String {
        let file = self.clinic.file("report.txt", REPORT);
        let share = self.clinic.path(name).to_string_lossy().into_owned();
        let lab = self.lab_keys();
        let seal = ["seal", &file, "--to", &lab, "--as", "clinic", "--out", &share];
        let terms = ["--until", until, "--basis", "consent of May", "--purpose", "second opinion"];
        let ended = run(&self.clinic, &[&seal[..], &terms, more].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        share
    }

    /// The lab opens a share of the clinic into `out`.
    fn open(&self, share: &str, out: &str) -> Ended {
        let clinic = self.clinic_keys();
        run(&self.lab, &["open", share, "--from", &clinic, "--as", "lab", "--out", out])
    }
}

fn run(site: &Site, arguments: &[&str]) -> Ended {
    let mut command = site.command();
    command.env("CLISONIX_KEYS", site.path("keys"));
    command.env("CLISONIX_PASSPHRASE_FILE", site.path("pass"));
    Ended::of(&command.args(arguments).output().expect("the program runs"))
}

fn objects(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let ended = run(site, &[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "stderr: {}", ended.err);
    ended.out.lines().map(|line| json::parse(line.as_bytes()).expect("JSON")).collect()
}

/// The names in a site's folder that only a command that was cut short leaves.
fn unfinished(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.path("")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn a_file_is_sealed_verified_without_a_key_opened_and_listed() {
    let parties = Parties::new();
    let share = parties.seal("one.share", "2999-12-31", &["--content", "a report"]);
    let hidden = parties.seal("two.share", "none", &["--hide-recipients", "--hide-size"]);
    assert!(!fs::read(&share).expect("a share").windows(8).any(|part| part == b"one line"));

    let stranger = Site::new();
    let verified = objects(&stranger, &["verify", &share, "--from", &parties.clinic_keys()]);
    assert_eq!(verified[0].get("sound").and_then(Value::as_bool), Some(true));
    assert_eq!(text(&verified[0], "purpose"), "second opinion");
    assert_eq!(text(&verified[0], "until"), "2999-12-31T23:59:59Z");
    assert_eq!(number(&verified[0], "recipients"), 1);

    let out = parties.lab.path("opened.txt").to_string_lossy().into_owned();
    let opened = parties.open(&share, &out);
    assert_eq!(opened.code, Some(0), "{}", opened.err);
    assert!(opened.out.contains("second opinion"), "{}", opened.out);
    assert_eq!(fs::read_to_string(&out).expect("the content"), REPORT);
    assert_eq!(fs::metadata(&out).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(parties.open(&share, &out).code, Some(2), "a file that is there stays");
    let printed = parties.open(&hidden, "-");
    assert_eq!((printed.code, &*printed.out), (Some(0), REPORT));

    let ways = |site: &Site| -> Vec<(String, String)> {
        let listed = objects(site, &["shares", "list"]);
        listed.iter().map(|it| (text(it, "way").to_owned(), text(it, "share").to_owned())).collect()
    };
    let (given, received) = (ways(&parties.clinic), ways(&parties.lab));
    assert_eq!(given.len(), 2);
    assert_eq!(given[0], ("given".to_owned(), text(&verified[0], "share").to_owned()));
    let shares = |ways: &[(String, String)]| ways.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
    assert_eq!(shares(&given), shares(&received));
    assert!(received.iter().all(|(way, _)| way == "received"));
    assert!(objects(&stranger, &["shares", "list"]).is_empty());
    assert!(unfinished(&parties.clinic).is_empty() && unfinished(&parties.lab).is_empty());
}

#[test]
fn what_must_not_be_opened_is_refused_and_leaves_nothing() {
    let parties = Parties::new();
    let clinic = parties.clinic_keys();
    let share = parties.seal("one.share", "none", &[]);
    let out = parties.lab.path("opened.txt").to_string_lossy().into_owned();

    let own = ["open", &share, "--from", &clinic, "--as", "clinic", "--out", &out];
    let wrong = run(&parties.clinic, &own);
    assert_eq!(wrong.code, Some(7), "{}", wrong.err);
    assert!(wrong.err.contains("not sealed for this key"), "{}", wrong.err);

    let lab = parties.lab_keys();
    let open = ["open", &share, "--as", "lab", "--out", &out];
    let untrusted = run(&parties.lab, &[&open[..], &["--from", &lab]].concat());
    assert_eq!(untrusted.code, Some(7), "{}", untrusted.err);
    assert!(untrusted.err.contains("not trusted"), "{}", untrusted.err);
    assert_eq!(run(&parties.lab, &open).code, Some(2), "nobody is trusted by default");
    assert_eq!(run(&parties.lab, &["verify", &share, "--from", &lab]).code, Some(7));

    let expired = parties.seal("old.share", "2020-01-01", &[]);
    let refused = parties.open(&expired, &out);
    assert_eq!(refused.code, Some(7), "{}", refused.err);
    assert!(refused.err.contains("expired on 2020-01-01T23:59:59Z"), "{}", refused.err);
    assert_eq!(run(&parties.lab, &["verify", &expired, "--from", &clinic]).code, Some(7));

    let mut altered = fs::read(&share).expect("a share");
    let late = altered.len() - 2000;
    altered[late] ^= 1;
    let altered = parties.lab.file("altered.share", altered);
    assert_eq!(parties.open(&altered, &out).code, Some(6));
    assert_eq!(parties.open(&clinic, &out).code, Some(6), "no share at all");

    let revoke = ["keys", "revoke", "clinic", "--reason", "compromised"];
    assert_eq!(run(&parties.clinic, &revoke).code, Some(0));
    let folder = parties.clinic.path("keys/clinic").to_string_lossy().into_owned();
    let revoked = run(&parties.lab, &["verify", &share, "--from", &folder]);
    assert_eq!(revoked.code, Some(7), "{}", revoked.err);
    assert!(revoked.err.contains("revoked"), "{}", revoked.err);

    assert!(!parties.lab.path("opened.txt").exists());
    assert!(unfinished(&parties.clinic).is_empty() && unfinished(&parties.lab).is_empty());
    assert!(objects(&parties.lab, &["shares", "list"]).is_empty());
}

#[test]
fn a_share_needs_a_purpose_and_a_ledger_that_holds() {
    let parties = Parties::new();
    let file = parties.clinic.file("report.txt", REPORT);
    let lab = parties.lab_keys();
    let seal = ["seal", &file, "--to", &lab, "--as", "clinic", "--basis", "law"];
    let out = parties.clinic.path("one.share").to_string_lossy().into_owned();
    let to = ["--out", &out, "--until"];
    let purpose = ["--purpose", "second opinion"];
    assert_eq!(run(&parties.clinic, &[&seal[..], &to, &["none"]].concat()).code, Some(2));
    let no_day = run(&parties.clinic, &[&seal[..], &to, &["2026-02-30"], &purpose].concat());
    assert_eq!(no_day.code, Some(2), "{}", no_day.err);

    parties.seal("one.share", "none", &[]);
    let ledger = parties.clinic.path("data/shares.ledger");
    let lines = fs::read_to_string(&ledger).expect("a ledger");
    fs::write(&ledger, lines.replacen("given", "received", 1) + &lines).expect("written");
    let listed = run(&parties.clinic, &["shares", "list"]);
    assert_eq!(listed.code, Some(6), "{}", listed.err);
    let other = parties.clinic.path("two.share").to_string_lossy().into_owned();
    let to = ["--out", &other, "--until", "none"];
    let sealed = run(&parties.clinic, &[&seal[..], &to, &purpose].concat());
    assert_eq!(sealed.code, Some(6), "{}", sealed.err);
    assert!(!parties.clinic.path("two.share").exists());
}
