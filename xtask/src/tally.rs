//! One run of many steps: their times, their outcomes, and the tests counted.

mod count;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

pub(crate) use self::count::Count;
use crate::project;

/// The steps so far.
#[derive(Default)]
pub(crate) struct Tally {
    steps: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    fault: Option<String>,
    count: Option<Count>,
}

impl Tally {
    /// Runs one step that counts nothing, and says whether it passed.
    pub(crate) fn check(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) -> bool {
        self.record(name, || step().map(|()| None))
    }

    /// Runs one test runner, and says whether it passed.
    pub(crate) fn tests(&mut self, name: &'static str, command: &mut Command) -> bool {
        self.record(name, || {
            println!("$ {}", project::shown(command));
            let mut count = Count::default();
            let result = watched(command, &mut count);
            match result {
                Ok(()) => Ok(Some(count)),
                // The counts of a failed run still count.
                Err(error) if count.failed > 0 => Err(error.context(count)),
                Err(error) => Err(error),
            }
        })
    }

    fn record(&mut self, name: &'static str, step: impl FnOnce() -> Result<Option<Count>>) -> bool {
        println!("\n── {name}");
        let start = Instant::now();
        let result = step();
        let took = start.elapsed();
        let (count, fault) = match result {
            Ok(count) => (count, None),
            Err(error) => {
                let count = error.downcast_ref::<Count>().copied();
                // A step that stopped before its runner could count is one failure.
                let count = count.unwrap_or(Count { passed: 0, failed: 1 });
                (Some(count), Some(error.root_cause().to_string()))
            }
        };
        let passed = fault.is_none();
        let outcome = if passed { "passed" } else { "FAILED" };
        println!("── {name}: {outcome} in {}", seconds(took));
        if let Some(fault) = &fault {
            println!("   {fault}");
        }
        self.steps.push(Step { name, took, fault, count });
        passed
    }

    /// Prints the closing table; true when every step passed.
    pub(crate) fn close(&self) -> bool {
        let mut sum = Count::default();
        let mut total = Duration::ZERO;
        println!("\n{:<28} {:>9}  {:<7} tests", "step", "time", "outcome");
        for step in &self.steps {
            let outcome = if step.fault.is_none() { "passed" } else { "FAILED" };
            let tests = step.count.map(|count| count.to_string()).unwrap_or_default();
            let line = format!("{:<28} {:>9}  {outcome:<7} {tests}", step.name, seconds(step.took));
            println!("{}", line.trim_end());
            sum += step.count.unwrap_or_default();
            total += step.took;
        }
        println!("{:<28} {:>9}", "all", seconds(total));
        println!("{sum}");
        self.steps.iter().all(|step| step.fault.is_none())
    }
}

/// Runs a command, passes its output on line by line, and counts the tests in it.
fn watched(command: &mut Command, count: &mut Count) -> Result<()> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("`{}` could not be started", project::shown(command)))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let shared = Mutex::new(count);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            if let Some(err) = err {
                pass_on(err, std::io::stderr(), &shared);
            }
        });
        if let Some(out) = out {
            pass_on(out, std::io::stdout(), &shared);
        }
    });
    let status = child.wait()?;
    ensure!(status.success(), "`{}` failed ({status})", project::shown(command));
    Ok(())
}

fn pass_on(from: impl Read, mut to: impl Write, count: &Mutex<&mut Count>) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
        // A closed terminal must not stop the run.
        let _ = to.write_all(&line);
        if let Ok(mut count) = count.lock() {
            **count += Count::of_line(&String::from_utf8_lossy(&line));
        }
        line.clear();
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
