//! The vectors of `docs/formats/key.md`: files that must read, made from a known random source.
//! `CLISONIX_WRITE_VECTORS` writes them again.

use std::fs;
use std::path::{Path, PathBuf};

use clisonix_pq::key_file::{self, Cost};
use clisonix_pq::{Keys, Profile, ProjectKey, PublicKeys, Reason, Revocation, Succession};

use crate::chance::Seeded;

const PASS_PHRASE: &[u8] = b"a pass-phrase of the vectors";
/// Cheap: the vectors are about bytes, not about work.
const COST: Cost = Cost { memory_kib: 64, passes: 2, lanes: 1 };

fn path(profile: Profile, ending: &str) -> PathBuf {
    folder().join(format!("{profile}.{ending}"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/key")
}

/// Holds made text to the file, or writes it.
fn hold(profile: Profile, ending: &str, made: &str) {
    hold_at(&path(profile, ending), made);
}

fn hold_at(path: &Path, made: &str) {
    if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
        fs::write(path, made).expect("written");
    }
    let kept = fs::read_to_string(path).unwrap_or_else(|_| panic!("no {}", path.display()));
    assert_eq!(kept, made, "{}", path.display());
}

#[test]
fn key_files_and_statements_are_what_the_format_page_says() {
    for profile in Profile::ALL {
        let mut random = Seeded::new(u64::from(profile.suite()));
        let generate = |made, random: &mut Seeded| {
            Keys::generate(profile, "vector", made, random).expect("keys")
        };
        let (keys, next) =
            (generate(1_700_000_000_000, &mut random), generate(1_800_000_000_000, &mut random));
        let secret = key_file::wrap(&keys, PASS_PHRASE, COST, &mut random).expect("a file");
        let (public, successor) = (keys.public(&mut random), next.public(&mut random));
        let identity = keys.identity();
        let succession = Succession::sign(identity, &successor, 1_800_000_000_001, &mut random);
        let succession = succession.expect("a statement");
        let revocation =
            Revocation::sign(identity, Reason::Superseded, 1_800_000_000_002, &mut random);
        hold(profile, "secret", &secret);
        hold(profile, "pub", public.to_text());
        hold(profile, "2.pub", successor.to_text());
        hold(profile, "succession", succession.to_text());
        hold(profile, "revocation", revocation.to_text());
        hold(profile, "fingerprint", &format!("{}\n", public.fingerprint()));
        let read = |ending| fs::read(path(profile, ending)).expect("a vector");
        let back = key_file::unwrap(&read("secret"), PASS_PHRASE).expect("keys");
        assert_eq!(back.identity().public(), public.identity());
        let read_successor = PublicKeys::from_text(&read("2.pub")).expect("keys");
        let read = Succession::from_text(&read("succession"), public.identity());
        assert!(read.expect("a statement").names(&read_successor));
    }
}

#[test]
fn a_project_key_is_what_the_format_page_says() {
    let mut random = Seeded::new(3);
    let made = ProjectKey::generate("vector", 1_700_000_000_000, &mut random).expect("a key");
    let text = made.wrap(PASS_PHRASE, COST, &mut random).expect("a file");
    hold_at(&folder().join("project"), &text);
    let kept = fs::read(folder().join("project")).expect("the vector");
    let read = ProjectKey::unwrap(&kept, PASS_PHRASE).expect("a key");
    let keyed = read.keyed(b"made-up").map(|byte| format!("{byte:02x}")).concat();
    hold_at(&folder().join("project.keyed"), &format!("{keyed}\n"));
}
