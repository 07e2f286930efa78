//! A virtual environment under the target folder, and the Python wheel in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::project;

/// A virtual environment of its own, never the machine's Python.
pub(crate) struct Environment {
    folder: PathBuf,
}

/// How the wheel is compiled.
#[derive(Clone, Copy)]
pub(crate) enum Build {
    /// As the tests are, so that they share compiled crates.
    Dev,
    Release,
}

impl Environment {
    /// Opens the environment in `folder`, making it where there is none, with
    /// the named packages installed.
    pub(crate) fn open(folder: PathBuf, packages: &[&str]) -> Result<Self> {
        let environment = Self { folder };
        if !environment.program("python").exists() {
            let mut make = Command::new("python3");
            project::execute(make.args(["-m", "venv"]).arg(&environment.folder))
                .context("a Python 3.11 or later with its venv module is needed")?;
        }
        if !environment.has(packages)? {
            let mut install = environment.command("python");
            install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            project::execute(install.args(packages))?;
        }
        Ok(environment)
    }

    /// A command inside the environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.program(program));
        command.current_dir(project::root()).env("VIRTUAL_ENV", &self.folder);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Builds the project's wheel and installs exactly that file.
    pub(crate) fn install_wheel(&self, build: Build) -> Result<()> {
        let wheels = self.folder.join("wheels");
        if wheels.exists() {
            std::fs::remove_dir_all(&wheels)?;
        }
        let manifest = project::root().join("crates/clisonix-python/Cargo.toml");
        let profile = match build {
            Build::Dev => "dev",
            Build::Release => "release",
        };
        let mut maturin = self.command("maturin");
        maturin.args(["build", "--quiet", "--profile", profile, "--interpreter"]);
        maturin.arg(self.program("python")).arg("--manifest-path").arg(manifest);
        project::execute(maturin.arg("--out").arg(&wheels))?;

        let wheel = only_file(&wheels)?;
        let mut install = self.command("python");
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        project::execute(install.args(["--no-deps", "--force-reinstall"]).arg(wheel))
    }

    fn has(&self, packages: &[&str]) -> Result<bool> {
        let mut show = self.command("python");
        let output = show.args(["-m", "pip", "show", "--quiet"]).args(packages).output()?;
        // pip tells of a missing package on its error output and may still succeed.
        Ok(output.status.success() && output.stderr.is_empty())
    }

    fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }
}

fn only_file(folder: &Path) -> Result<PathBuf> {
    let mut files = std::fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let first = files.pop().context("maturin made no wheel")?;
    ensure!(files.is_empty(), "maturin made more than one wheel");
    Ok(first.path())
}
