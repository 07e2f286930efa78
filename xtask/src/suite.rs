//! `cargo xtask test`: every check and every test, one after the other.

use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::python::{Build, Environment};
use crate::tally::Tally;
use crate::{codegen, dependencies, documents, npm, project};

/// What the Python tests need; maturin builds the wheel.
const PYTHON_PACKAGES: &[&str] = &["maturin", "pytest", "hypothesis"];

/// Runs all steps; a failing step does not keep later ones from running.
pub(crate) fn run() -> bool {
    let mut tally = Tally::default();
    tally.check("formatting", || {
        project::execute(&mut project::cargo(&["fmt", "--all", "--check"]))
    });
    tally.check("crate dependencies", dependencies::run);
    tally.check("documents", documents::run);
    tally.check("generated tables", || codegen::run(true));
    tally.check("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        project::execute(&mut project::cargo(&arguments))
    });
    tally.check("npm packages", || npm::typage().map(drop));
    rust_tests(&mut tally);
    python_tests(&mut tally);
    if !project::root().join("../shared/data").exists() {
        println!("\nSKIPPED in part: tests that read ../shared/data, which is not here");
    }
    if !has_namespaces() {
        println!("\nSKIPPED in part: five sites with faults, which need root, unshare and ip");
    }
    tally.close()
}

/// Whether a test can give a process a network and disks of its own.
fn has_namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "ip", "link"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn rust_tests(tally: &mut Tally) {
    if has_nextest() {
        let arguments = ["nextest", "run", "--workspace", "--no-fail-fast"];
        tally.tests("Rust tests", &mut project::cargo(&arguments));
    } else {
        let arguments =
            ["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--examples"];
        tally.tests("Rust tests", &mut project::cargo(&arguments));
    }
    // nextest runs no documentation tests.
    let arguments = ["test", "--workspace", "--no-fail-fast", "--doc"];
    tally.tests("documentation tests", &mut project::cargo(&arguments));
}

fn python_tests(tally: &mut Tally) {
    let mut environment = None;
    let built = tally.check("Python wheel", || {
        let opened = Environment::open(project::target().join("python"), PYTHON_PACKAGES)?;
        opened.install_wheel(Build::Dev)?;
        environment = Some(opened);
        Ok(())
    });
    let Some(environment) = environment.filter(|_| built) else {
        tally.check("Python tests", || {
            ensure!(built, "not run, for there is no wheel");
            Ok(())
        });
        return;
    };
    let mut pytest = environment.command("python");
    pytest.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "crates/clisonix-python/tests"]);
    tally.tests("Python tests", &mut pytest);
}

fn has_nextest() -> bool {
    let asked = project::cargo(&["nextest", "--version"]).output();
    asked.is_ok_and(|output| output.status.success())
}
