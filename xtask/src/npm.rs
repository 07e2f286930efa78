//! The npm packages that tests and benches hold this project against, at locked versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::project;

/// What belongs to a peer beside its packages; the lock file says their versions and digests.
const FILES: [&str; 3] = ["package.json", "package-lock.json", "peer.mjs"];

/// Installs typage under the target folder and returns its folder. Does nothing if it is there.
///
/// Without Node.js or the network that is told and no error, but in CI it is one.
pub(crate) fn typage() -> Result<PathBuf> {
    let from = project::root().join("crates/clisonix-pq/tests/typage");
    let to = project::target().join("typage");
    match install(&from, &to) {
        Err(error) if std::env::var("CI").as_deref() != Ok("true") => {
            println!("SKIPPED: typage could not be installed: {error:#}");
        }
        result => result?,
    }
    Ok(to)
}

fn install(from: &Path, to: &Path) -> Result<()> {
    let lock = fs::read(from.join("package-lock.json"))?;
    // Written last: it tells that the rest is there.
    let present = fs::read(to.join("installed")).is_ok_and(|installed| installed == lock);
    fs::create_dir_all(to)?;
    for file in FILES {
        fs::copy(from.join(file), to.join(file)).with_context(|| file.to_owned())?;
    }
    if present {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.current_dir(to).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    npm.args(["--omit-lockfile-registry-resolved", "--fetch-retries=1", "--fetch-timeout=60000"]);
    project::execute(&mut npm)?;
    Ok(fs::write(to.join("installed"), lock)?)
}
