//! Two parties that share data: each with keys, a pass-phrase and a data directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

use clisonix_fhir::json::{self, Value};

use crate::site::{Ended, Site};

/// What the file that [`Parties::seal`] seals says.
pub(crate) const REPORT: &str = "one line\nanother line\n";

/// Two parties, `clinic` and `lab`, each with keys and a data directory of its own.
pub(crate) struct Parties {
    pub(crate) clinic: Site,
    pub(crate) lab: Site,
}

impl Parties {
    pub(crate) fn new() -> Self {
        let parties = Self { clinic: Site::new(), lab: Site::new() };
        for (site, name) in [(&parties.clinic, "clinic"), (&parties.lab, "lab")] {
            let file = site.file("pass", "four words for tests\n");
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
            for part in fs::read_dir(made().path(&format!("keys/{name}"))).expect("a folder") {
                let part = part.expect("a file").path();
                let to = site.path(&format!("keys/{name}"));
                fs::create_dir_all(&to).expect("a folder");
                // Permissions come along.
                fs::copy(&part, to.join(part.file_name().expect("a name"))).expect("a copy");
            }
        }
        parties
    }

    pub(crate) fn clinic_keys(&self) -> String {
        self.clinic.path("keys/clinic/1.pub").to_string_lossy().into_owned()
    }

    pub(crate) fn lab_keys(&self) -> String {
        self.lab.path("keys/lab/1.pub").to_string_lossy().into_owned()
    }

    /// The clinic seals the report for the lab; returns the share's path.
    pub(crate) fn seal(&self, name: &str, until: &str, more: &[&str]) -> String {
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
    pub(crate) fn open(&self, share: &str, out: &str) -> Ended {
        let clinic = self.clinic_keys();
        run(&self.lab, &["open", share, "--from", &clinic, "--as", "lab", "--out", out])
    }
}

/// The keys of both, made once for all tests: a pass-phrase is meant to cost time.
fn made() -> &'static Site {
    static MADE: OnceLock<Site> = OnceLock::new();
    MADE.get_or_init(|| {
        let site = Site::new();
        let file = site.file("pass", "four words for tests\n");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
        for name in ["clinic", "lab"] {
            let made = run(&site, &["keys", "new", name]);
            assert_eq!(made.code, Some(0), "{}", made.err);
        }
        site
    })
}

/// Runs the program with the site's keys.
pub(crate) fn run(site: &Site, arguments: &[&str]) -> Ended {
    let mut command = site.command();
    command.env("CLISONIX_KEYS", site.path("keys"));
    command.env("CLISONIX_PASSPHRASE_FILE", site.path("pass"));
    Ended::of(&command.args(arguments).output().expect("the program runs"))
}

/// The JSON objects that a command prints.
pub(crate) fn objects(site: &Site, arguments: &[&str]) -> Vec<Value> {
    objects_of(&run(site, &[arguments, &["--json"]].concat()))
}

/// The JSON objects that a command printed, which must have ended with 0.
pub(crate) fn objects_of(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, Some(0), "stderr: {}", ended.err);
    ended.out.lines().map(|line| json::parse(line.as_bytes()).expect("JSON")).collect()
}

/// The names in a site's folder that only a command that was cut short leaves.
pub(crate) fn unfinished(site: &Site) -> Vec<String> {
    let entries = fs::read_dir(site.path("")).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name.starts_with('.')).collect()
}
