//! One site of the demo: a serving process of this program with a store and keys of its own.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clisonix_fhir::json::{self, Value};
use clisonix_node::Outside as _;
use clisonix_pq::key_file::Cost;
use clisonix_pq::link::{About, Invitation, Membership};
use clisonix_pq::{Keys, Profile};

use crate::keyring::Keyring;
use crate::new_file::write_new;
use crate::outside::{self, System};
use crate::peers::PeerFolder;
use crate::scratch::make_private;
use crate::site_keys;

/// The pass-phrase of keys that live as long as the demo does.
const PASS_PHRASE: &str = "for a demonstration only";
/// What it costs to try one: nobody else ever has these files.
const COST: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
/// Longest wait for a process to serve.
const PATIENCE: Duration = Duration::from_mins(1);

/// A site.
pub(super) struct Place {
    pub(super) name: &'static str,
    folder: PathBuf,
    keys: Keys,
    serving: Option<Child>,
}

impl Place {
    /// A site with new keys, in a folder of its own.
    pub(super) fn new(name: &'static str, within: &Path) -> Result<Self> {
        let folder = within.join(name);
        make_private(&folder)?;
        let random = &mut outside::random;
        let keys = Keys::generate(Profile::Hybrid, name, System.now_ms(), random)?;
        Keyring::new(folder.join("keys")).vacant(name)?.store_at(
            COST,
            1,
            &keys,
            PASS_PHRASE.as_bytes(),
        )?;
        write_new(&folder.join("words"), PASS_PHRASE)?;
        Ok(Self { name, folder, keys, serving: None })
    }

    /// An identifier of its organization.
    pub(super) fn identifier(&self) -> String {
        format!("urn:demo:organization|{}", self.name)
    }

    /// An invitation to connect at `address`, or to be waited for.
    pub(super) fn invite(&self, address: Option<SocketAddr>) -> Result<Invitation> {
        let about = About {
            name: self.name.to_owned(),
            identifiers: vec![self.identifier()],
            addresses: address.iter().map(ToString::to_string).collect(),
        };
        site_keys::invitation(&self.keys, &about)
    }

    /// Admits another site.
    pub(super) fn admit(&self, invitation: Invitation) -> Result<()> {
        let terms = ["basis=all", "shared"].map(str::to_owned);
        let admission = site_keys::admission(&self.keys, invitation, Membership::Admitted, &terms)?;
        let entry = Keyring::new(self.folder.join("keys")).entry(self.name)?;
        PeerFolder::of(&entry).put(&admission)?;
        Ok(())
    }

    /// Starts the serving process; gives where it listens.
    pub(super) fn serve(&mut self) -> Result<SocketAddr> {
        let mut command = self.program()?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--record"]).arg(self.told());
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let words = child.stderr.take().context("a process without words")?;
        self.serving = Some(child);
        let mut lines = BufReader::new(words).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.strip_prefix("listening at ").and_then(|address| address.parse().ok())
        });
        let address = address.with_context(|| format!("the {} does not serve", self.name))?;
        // Somebody has to read what it says.
        let mut log = fs::File::create(self.folder.join("serve.log"))?;
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
            }
        });
        let begun = Instant::now();
        while !self.folder.join("data").join("serve.socket").exists() {
            ensure!(begun.elapsed() < PATIENCE, "the {} does not serve", self.name);
            thread::sleep(Duration::from_millis(20));
        }
        Ok(address)
    }

    /// Has the serving process end.
    pub(super) fn stop(&mut self) -> Result<()> {
        let Some(mut child) = self.serving.take() else { return Ok(()) };
        let killed = Command::new("kill").arg(child.id().to_string()).status();
        if !killed.is_ok_and(|status| status.success()) {
            child.kill()?;
        }
        child.wait()?;
        Ok(())
    }

    /// Runs a command at the site, which must end with 0; what it prints, as JSON.
    pub(super) fn run(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let output = self.program()?.args(arguments).arg("--json").output()?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("{} at the {}: {words}", arguments.first().unwrap_or(&""), self.name);
        }
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read = |line| json::parse(line).ok().context("a command prints no JSON");
        lines.map(read).collect()
    }

    /// Takes in a bundle of a feed.
    pub(super) fn take_in(&self, feed: &str, bundle: &str) -> Result<()> {
        let path = self.folder.join("message.json");
        fs::write(&path, bundle)?;
        let ended = self.run(&["import", &path.to_string_lossy(), "--feed", feed]);
        // What was taken in must be found in the store only.
        fs::remove_file(&path)?;
        ended.map(|_| ())
    }

    /// Every file of the site's store and keys.
    pub(super) fn files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_type()?.is_file() && entry.path() != self.told() {
                    files.push(entry.path());
                }
            }
        }
        Ok(files)
    }

    /// The site's messages as they were before they were encrypted.
    pub(super) fn told(&self) -> PathBuf {
        self.folder.join("messages")
    }

    fn program(&self) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.env_clear();
        command.env("CLISONIX_DATA", self.folder.join("data"));
        command.env("CLISONIX_AUTHOR", format!("{} demo", self.name));
        command.env("CLISONIX_STORE_KEYS", self.folder.join("store-keys"));
        command.env("CLISONIX_KEYS", self.folder.join("keys"));
        command.env("CLISONIX_PASSPHRASE_FILE", self.folder.join("words"));
        Ok(command)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(child) = &mut self.serving {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
