//! Sites with keys that have admitted each other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use clisonix_pq::key_file::{self, Cost};
use clisonix_pq::{Keys, Profile};

use crate::site::{Ended, Site};

/// Sites that know each other.
pub(crate) type Names = &'static [&'static str];

/// Of most tests.
pub(crate) const THREE: Names = &["hospital", "laboratory", "clinic"];
/// Of the largest one.
pub(crate) const FIVE: Names = &["hospital", "laboratory", "clinic", "practice", "pharmacy"];

const PASS_PHRASE: &str = "four words for tests";
/// What it costs to try one: commands of many sites need their keys.
const COST: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
/// When the keys were made, in milliseconds.
const MADE_MS: u64 = 1_700_000_000_000;

/// A folder for each of these sites, made once for all tests.
pub(crate) fn made(names: Names) -> &'static Site {
    static MADE: [OnceLock<Site>; 2] = [const { OnceLock::new() }; 2];
    MADE[usize::from(names.len() > THREE.len())].get_or_init(|| make(names))
}

/// Invitations are made, compared and admitted as people do it.
fn make(names: Names) -> Site {
    let all = Site::new();
    let run = |name: &str, arguments: &[&str]| {
        let mut command = all.command();
        command.env("CLISONIX_DATA", all.path(&format!("{name}/data")));
        command.env("CLISONIX_KEYS", all.path(&format!("{name}/keys")));
        command.env("CLISONIX_PASSPHRASE_FILE", all.path(&format!("{name}/pass")));
        let ended = Ended::of(&command.args(arguments).output().expect("the program runs"));
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        ended
    };
    let mut told = Vec::new();
    for name in names {
        private(&all, &format!("{name}/pass"), PASS_PHRASE);
        make_keys(&all, name);
        let (address, out) = (format!("{name}.test:1"), all.path(&format!("{name}.invitation")));
        let identifier = format!("urn:test:organization|{name}");
        let out = out.to_string_lossy();
        let invite = ["peers", "invite", "--address", &address, "--out", &out];
        let ended = run(name, &[&invite[..], &["--identifier", &identifier]].concat());
        let digits = ended.err.split(": ").nth(1).expect("a fingerprint").trim().to_owned();
        told.push((name, out.into_owned(), digits));
    }
    for name in names {
        for (_, file, digits) in told.iter().filter(|(other, ..)| *other != name) {
            let add = ["peers", "add", file, "--fingerprint", digits];
            run(name, &[&add[..], &["--basis", "all", "--shared"]].concat());
        }
    }
    all
}

/// As `keys new` does, at a lower cost.
fn make_keys(all: &Site, name: &str) {
    let random = &mut |bytes: &mut [u8]| getrandom::fill(bytes).expect("random bytes");
    let keys = Keys::generate(Profile::Hybrid, name, MADE_MS, random).expect("keys");
    let secret = key_file::wrap(&keys, PASS_PHRASE.as_bytes(), COST, random).expect("a key file");
    private(all, &format!("{name}/keys/{name}/1.secret"), &secret);
    all.file(&format!("{name}/keys/{name}/1.pub"), keys.public(random).to_text());
}

fn private(all: &Site, name: &str, content: &str) {
    let file = all.file(name, content);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
}
