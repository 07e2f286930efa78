//! Encrypted stores from outside: by default, converted, under other keys, and what is erased.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clisonix_fhir::json::Value;
use clisonix_node::{Node, Outside};

use crate::site::{Ended, Site, bundle, number, text};

/// In the test's bundle: a name, a code and an identifier.
const PLANTED: [&str; 3] = ["Testa", "91936005", "MRN-1"];

fn found(folder: &Path) -> Vec<&'static str> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        if entry.path().is_dir() {
            found.extend(self::found(&entry.path()));
            continue;
        }
        let bytes = fs::read(entry.path()).expect("a file");
        let holds = |text: &&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        found.extend(PLANTED.into_iter().filter(holds));
    }
    found
}

fn import(site: &Site) {
    let file = site.file("files/one.json", bundle("a", "low"));
    assert_eq!(number(&site.object(0, ["import", &file]), "messages_rejected"), 0);
}

fn encrypted(site: &Site) -> bool {
    let status = site.object(0, ["store", "status"]);
    status.get("encrypted").and_then(Value::as_bool).expect("a flag")
}

#[test]
fn a_new_store_is_encrypted_and_nothing_in_its_folder_is_readable() {
    let site = Site::new();
    let file = site.file("files/one.json", bundle("a", "low"));
    let made = site.run(["import", &file]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(made.err.contains("keep a copy apart"), "{}", made.err);
    assert!(encrypted(&site));
    let backup = site.path("backup").to_string_lossy().into_owned();
    site.object(0, ["backup", &backup]);
    assert!(found(&site.path("data")).is_empty());
    assert!(found(&site.path("store-keys")).is_empty());
    let bytes = fs::read(&backup).expect("a backup");
    assert!(!bytes.windows(5).any(|part| part == b"Testa"));
    assert!(site.run(["show", "MRN-1"]).out.contains("Testa"));
    assert!(site.run(["show", "MRN-1"]).err.is_empty());

    fs::remove_dir_all(site.path("data")).expect("removed");
    site.object(0, ["restore", &backup]);
    assert!(encrypted(&site));
    assert!(site.run(["show", "MRN-1"]).out.contains("Testa"));
    assert_eq!(site.run(["verify"]).code, Some(0));

    fs::rename(site.path("store-keys"), site.path("elsewhere")).expect("renamed");
    let without = site.run(["show", "MRN-1"]);
    assert_eq!(without.code, Some(5), "{}", without.err);
}

/// A clock that stands and bytes that do not repeat soon.
struct Still(u64);

impl Outside for Still {
    fn now_ms(&mut self) -> u64 {
        1_700_000_000_000
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 56) as u8;
        }
    }
}

#[test]
fn a_store_of_before_opens_with_a_word_and_can_be_encrypted() {
    let site = Site::new();
    drop(Node::open(&site.path("data"), Box::new(Still(1))).expect("a plain store"));
    let file = site.file("files/one.json", bundle("a", "low"));
    let taken = site.run(["import", &file]);
    assert_eq!(taken.code, Some(0));
    assert!(taken.err.contains("store encrypt"), "{}", taken.err);
    assert!(!encrypted(&site));
    assert_eq!(site.run(["store", "rotate"]).code, Some(2));
    let shown = site.run(["show", "MRN-1"]).out;
    assert!(!found(&site.path("data")).is_empty());
    assert_eq!(site.run(["store", "encrypt"]).code, Some(0));
    assert!(encrypted(&site));
    assert!(found(&site.path("data")).is_empty());
    assert_eq!(site.run(["store", "encrypt"]).code, Some(2));
    assert_eq!(site.run(["show", "MRN-1"]).out, shown);
    assert_eq!(site.run(["verify"]).code, Some(0));
}

#[test]
fn keys_are_changed_and_put_under_a_pass_phrase() {
    let site = Site::new();
    import(&site);
    assert_eq!(site.run(["store", "rotate"]).code, Some(0));
    let backup = site.path("backup").to_string_lossy().into_owned();
    site.object(0, ["backup", &backup]);
    let rotated = site.object(0, ["store", "rotate", "--key"]);
    assert_eq!(number(&rotated, "key_files"), 2);
    assert!(site.run(["show", "MRN-1"]).out.contains("Testa"));
    assert_eq!(site.run(["verify"]).code, Some(0));

    let words = site.file("words", "four words for tests\n");
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).expect("permissions");
    let mut command = site.command();
    command.env("CLISONIX_STORE_PASSPHRASE_FILE_NEW", &words).args(["store", "passphrase"]);
    let guarded = Ended::of(&command.output().expect("the program runs"));
    assert_eq!(guarded.code, Some(0), "{}", guarded.err);
    assert_eq!(site.run(["show", "MRN-1"]).code, Some(2));
    let with = |arguments: &[&str]| {
        let mut command = site.command();
        command.env("CLISONIX_STORE_PASSPHRASE_FILE", &words).args(arguments);
        Ended::of(&command.output().expect("the program runs"))
    };
    assert!(with(&["show", "MRN-1"]).out.contains("Testa"));
    // A backup from before the change of keys is under the older one.
    fs::remove_dir_all(site.path("data")).expect("removed");
    let restored = with(&["restore", &backup]);
    assert_eq!(restored.code, Some(0), "{}", restored.err);
    assert!(with(&["show", "MRN-1"]).out.contains("Testa"));
}

#[test]
fn a_key_is_handed_in_by_file() {
    let site = Site::new();
    import(&site);
    let status = site.object(0, ["store", "status"]);
    let key = Path::new(text(&status, "keys")).join("1.key");
    let moved = site.path("credential");
    fs::rename(key, &moved).expect("renamed");
    assert_eq!(site.run(["show", "MRN-1"]).code, Some(5));
    let mut command = site.command();
    command.env("CLISONIX_STORE_KEY_FILE", &moved).args(["show", "MRN-1"]);
    assert!(Ended::of(&command.output().expect("the program runs")).out.contains("Testa"));
    fs::set_permissions(&moved, fs::Permissions::from_mode(0o644)).expect("permissions");
    let mut command = site.command();
    command.env("CLISONIX_STORE_KEY_FILE", &moved).args(["show", "MRN-1"]);
    assert_eq!(Ended::of(&command.output().expect("the program runs")).code, Some(5));
}

fn signed(site: &Site, arguments: &[&str]) -> Ended {
    let mut command = site.command();
    command.env("CLISONIX_KEYS", site.path("keys"));
    command.env("CLISONIX_PASSPHRASE_FILE", site.path("pass"));
    Ended::of(&command.args(arguments).output().expect("the program runs"))
}

fn with_keys(site: &Site, name: &str) -> String {
    let file = site.file("pass", "four words for tests\n");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
    assert_eq!(signed(site, &["keys", "new", name]).code, Some(0));
    site.path(&format!("keys/{name}/1.pub")).to_string_lossy().into_owned()
}

#[test]
fn a_record_is_erased_and_an_order_and_a_receipt_are_exchanged() {
    let (clinic, lab) = (Site::new(), Site::new());
    import(&clinic);
    import(&lab);
    let (clinic_keys, lab_keys) = (with_keys(&clinic, "clinic"), with_keys(&lab, "lab"));
    let order = clinic.path("order").to_string_lossy().into_owned();
    let erase = ["erase", "MRN-1", "--reason", "asked for it", "--order", &order, "--as", "clinic"];
    let erased = signed(&clinic, &erase);
    assert_eq!(erased.code, Some(0), "{}", erased.err);
    assert!(erased.out.contains("1 destroyed, 0 kept"), "{}", erased.out);
    assert!(erased.out.contains("generation 2"), "{}", erased.out);
    assert!(!clinic.run(["show", "MRN-1"]).out.contains("Testa"));
    assert_eq!(clinic.run(["verify"]).code, Some(0));

    // The laboratory took the same file in by itself, so it does not have the clinic's change.
    let receipt = lab.path("receipt").to_string_lossy().into_owned();
    let carry_out = [
        "erasure",
        "carry-out",
        &order,
        "--from",
        &clinic_keys,
        "--as",
        "lab",
        "--receipt",
        &receipt,
    ];
    let carried = signed(&lab, &carry_out);
    assert_eq!(carried.code, Some(4), "{} {}", carried.out, carried.err);
    assert!(!Path::new(&receipt).exists());

    // A site without the record says so.
    let empty = Site::new();
    let other = empty.file("files/other.json", bundle("a", "low").replace("MRN-1", "MRN-2"));
    empty.object(0, ["import", &other]);
    let empty_keys = with_keys(&empty, "empty");
    let receipt = empty.path("receipt").to_string_lossy().into_owned();
    let carry_out = [
        "erasure",
        "carry-out",
        &order,
        "--from",
        &clinic_keys,
        "--as",
        "empty",
        "--receipt",
        &receipt,
    ];
    let carried = signed(&empty, &carry_out);
    assert_eq!(carried.code, Some(0), "{}", carried.err);
    assert!(carried.out.contains("not there"), "{}", carried.out);
    let check = |from: &str, by: &str| {
        let about = ["erasure", "check", &receipt, "--from", from, "--order", &order, "--by", by];
        signed(&clinic, &about).code
    };
    assert_eq!(check(&empty_keys, &clinic_keys), Some(0));
    assert_eq!(check(&lab_keys, &clinic_keys), Some(6));
    assert_eq!(check(&empty_keys, &lab_keys), Some(6));
}

#[test]
fn what_is_kept_apart_of_a_patient_is_shown_and_erased_with_the_patient() {
    const LABELLED: &str = r#""resourceType":"AllergyIntolerance","meta":{"security":[{"system":
        "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"}]}"#;
    let site = Site::new();
    let bundle = bundle("a", "low").replace(r#""resourceType":"AllergyIntolerance""#, LABELLED);
    let file = site.file("files/one.json", bundle);
    assert_eq!(number(&site.object(0, ["import", &file]), "messages_rejected"), 0);
    let shown = site.object(0, ["show", "MRN-1"]).to_text();
    assert!(shown.contains("Testa") && shown.contains("91936005"), "{shown}");
    with_keys(&site, "clinic");
    let order = site.path("order").to_string_lossy().into_owned();
    let erase = ["erase", "MRN-1", "--reason", "asked for", "--order", &order, "--as", "clinic"];
    let erased = signed(&site, &erase);
    assert_eq!(erased.code, Some(0), "{}", erased.err);
    assert!(Path::new(&order).exists() && site.path("order-2").exists());
    let shown = site.object(0, ["show", "MRN-1"]).to_text();
    assert!(!shown.contains("Testa") && !shown.contains("91936005"), "{shown}");
    assert!(found(&site.path("data")).is_empty());
}

#[test]
fn a_value_is_erased_and_the_rest_stays() {
    let site = Site::new();
    import(&site);
    let bundle = site.object(0, ["show", "MRN-1"]).to_text();
    let start = bundle.find("p-").expect("a record");
    let patient = format!("Patient/{}", &bundle[start..start + 34]);
    let pointer = ["erase", "MRN-1", "--entry", &patient, "--path", "/birthDate"];
    let erased = site.object(0, [&pointer[..], &["--reason", "typed wrongly"]].concat());
    assert_eq!(number(&erased, "vault_generation"), 2);
    let shown = site.run(["show", "MRN-1", "--json"]).out;
    assert!(shown.contains("Testa") && !shown.contains("1970-02-03"), "{shown}");
    let again = site.run([&pointer[..], &["--reason", "x"]].concat());
    assert_eq!(again.code, Some(4), "{}", again.err);
}

/// What `store status` says of the copies of the vault.
fn copies(site: &Site) -> Vec<String> {
    let status = site.object(0, ["store", "status"]);
    let list = status.get("vault_copies").and_then(Value::as_array).expect("a list");
    list.iter().map(|copy| text(copy, "state").to_owned()).collect()
}

#[test]
fn a_copy_of_the_vault_is_good_until_something_is_erased() {
    let site = Site::new();
    import(&site);
    assert!(copies(&site).is_empty());
    let safe = site.path("safe").to_string_lossy().into_owned();
    site.object(0, ["store", "copy-vault", &safe]);
    assert_eq!(copies(&site), ["current"]);

    // The vault is lost, and comes back.
    let status = site.object(0, ["store", "status"]);
    let vault = Path::new(text(&status, "keys")).join("vault");
    fs::remove_dir_all(&vault).expect("removed");
    assert_ne!(site.run(["show", "MRN-1"]).code, Some(0));
    fs::create_dir(&vault).expect("made");
    for entry in fs::read_dir(&safe).expect("a folder").flatten() {
        fs::copy(entry.path(), vault.join(entry.file_name())).expect("copied");
    }
    assert!(site.run(["show", "MRN-1"]).out.contains("Testa"));

    site.object(0, ["erase", "MRN-1", "--reason", "asked for"]);
    assert_eq!(copies(&site), ["outdated"]);
    site.object(0, ["store", "copy-vault", &safe]);
    assert_eq!(copies(&site), ["current"]);
    site.object(0, ["store", "copy-vault", &safe, "--destroy"]);
    assert!(copies(&site).is_empty());
    assert_eq!(fs::read_dir(&safe).expect("a folder").count(), 0);
    let itself = vault.to_string_lossy().into_owned();
    assert_ne!(site.run(["store", "copy-vault", &itself]).code, Some(0));
    assert_eq!(site.run(["verify"]).code, Some(0));
}
