//! Shares from outside: sealed, verified without a key, opened, refused, and listed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use clisonix_fhir::json::Value;

use crate::parties::{Parties, REPORT, objects, run, unfinished};
use crate::site::{Site, bundle, number, text};

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

    // Trust is looked at before the key: a share from nobody known does not ask for a pass-phrase.
    let strange = ["open", &share, "--from", &lab, "--as", "clinic", "--out", &out];
    let strange = run(&parties.clinic, &strange);
    assert!(strange.err.contains("not trusted"), "{}", strange.err);

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

#[test]
fn records_are_sealed_as_lines_and_loaded_in_one_command() {
    let parties = Parties::new();
    let file = parties.clinic.file("bundle.json", bundle("clinic", "low"));
    assert_eq!(run(&parties.clinic, &["import", &file]).code, Some(0));
    let (clinic, lab) = (parties.clinic_keys(), parties.lab_keys());
    let seal = |name: &str, what: &[&str]| {
        let share = parties.clinic.path(name).to_string_lossy().into_owned();
        let to = ["seal", "--to", &lab, "--as", "clinic", "--until", "none", "--basis", "consent"];
        let more = ["--purpose", "second opinion", "--out", &share];
        let ended = run(&parties.clinic, &[&to[..], &more, what].concat());
        (share, ended)
    };
    let (whole, ended) = seal("whole.share", &["--record", "MRN-1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let printed =
        run(&parties.lab, &["open", &whole, "--from", &clinic, "--as", "lab", "--out", "-"]);
    assert_eq!(printed.out.lines().count(), 2, "{}", printed.out);
    let (all, ended) = seal("all.share", &["--all"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let again = run(&parties.lab, &["open", &all, "--from", &clinic, "--as", "lab", "--out", "-"]);
    assert_eq!(again.out, printed.out);
    let (allergies, ended) = seal("types.share", &["--type", "AllergyIntolerance"]);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let some =
        run(&parties.lab, &["open", &allergies, "--from", &clinic, "--as", "lab", "--out", "-"]);
    assert_eq!(some.out.lines().count(), 1);
    assert!(some.out.contains("91936005"), "{}", some.out);

    assert_eq!(seal("none.share", &["--type", "Immunization"]).1.code, Some(4));
    assert_eq!(seal("none.share", &["--type", "Nothing"]).1.code, Some(2));
    assert_eq!(seal("none.share", &["--record", "MRN-2"]).1.code, Some(4));
    assert_eq!(seal("none.share", &["--all", &file]).1.code, Some(2), "one or the other");
    assert!(!parties.clinic.path("none.share").exists());

    let open = ["open", &whole, "--from", &clinic, "--as", "lab", "--load"];
    let loaded = objects(&parties.lab, &open).remove(0);
    assert_eq!(number(loaded.get("loaded").expect("a summary"), "messages_applied"), 2);
    let shown = run(&parties.lab, &["show", "MRN-1"]);
    assert!(shown.out.contains("Testa") && shown.out.contains("Allergy to penicillin"));
    assert!(unfinished(&parties.clinic).is_empty() && unfinished(&parties.lab).is_empty());
}

#[test]
fn a_share_is_taken_back_by_who_gave_it() {
    let parties = Parties::new();
    let share = parties.seal("one.share", "none", &[]);
    let clinic = parties.clinic_keys();
    let given = objects(&parties.clinic, &["shares", "list"]).remove(0);
    let name = text(&given, "share").to_owned();
    let out = parties.clinic.path("one.withdrawal").to_string_lossy().into_owned();
    let withdraw = ["shares", "withdraw", &name, "--as", "clinic", "--out", &out];
    assert_eq!(run(&parties.lab, &["shares", "withdraw", &name, "--as", "lab"]).code, Some(4));
    assert_eq!(run(&parties.clinic, &["shares", "withdraw", "x", "--as", "clinic"]).code, Some(2));
    let withdrawn = run(&parties.clinic, &withdraw);
    assert_eq!(withdrawn.code, Some(0), "{}", withdrawn.err);
    assert_eq!(run(&parties.clinic, &withdraw).code, Some(2), "once is enough");

    let verify = ["verify", &share, "--from", &clinic];
    assert_eq!(run(&parties.lab, &verify).code, Some(0), "who has no statement sees none");
    let refused = run(&parties.lab, &[&verify[..], &["--from", &out]].concat());
    assert_eq!(refused.code, Some(7), "{}", refused.err);
    assert!(refused.err.contains("was withdrawn"), "{}", refused.err);
    let lab = parties.lab_keys();
    let strange = run(&parties.lab, &["verify", &share, "--from", &lab, "--from", &out]);
    assert_eq!(strange.code, Some(2), "{}", strange.err);
    let ways = objects(&parties.clinic, &["shares", "list"]);
    let ways: Vec<&str> = ways.iter().map(|it| text(it, "way")).collect();
    assert_eq!(ways, ["given", "withdrawn"]);
}
