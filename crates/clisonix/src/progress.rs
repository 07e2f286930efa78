//! How far an import is: a bar on a terminal, now and then a line elsewhere, and issues as they come.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use clisonix_fhir::issue::Issue;
use indicatif::{ProgressBar, ProgressStyle};

use crate::outlet;
use crate::plain::Plain;
use crate::tally::Tally;

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Is told what happens while files are taken in.
pub(crate) trait Watch {
    /// A file was dealt with.
    fn advanced(&mut self, tally: &Tally);
    /// An issue is to be shown.
    fn issue(&mut self, line: &str);
}

/// Shows nothing.
pub(crate) struct Quiet;

impl Watch for Quiet {
    fn advanced(&mut self, _tally: &Tally) {}

    fn issue(&mut self, _line: &str) {}
}

/// Shows everything on stderr.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    files: usize,
    bytes: u64,
    last: Instant,
}

impl Progress {
    /// For this many files, together this many bytes.
    pub(crate) fn new(files: usize, bytes: u64) -> Self {
        let is_seen = !outlet::is_for_another() && io::stderr().is_terminal();
        let bar = is_seen.then(|| bar(bytes));
        Self { bar, files, bytes, last: Instant::now() }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watch for Progress {
    fn advanced(&mut self, tally: &Tally) {
        let rate = tally.resources_per_s();
        if let Some(bar) = &self.bar {
            bar.set_position(tally.bytes());
            bar.set_message(format!(
                "{} of {} files, {} resources, {rate:.0}/s",
                tally.files(),
                self.files,
                tally.resources()
            ));
        } else if self.last.elapsed() >= LINE_EVERY {
            self.last = Instant::now();
            let left = seconds_left(tally, self.bytes);
            tell(&format!(
                "{} of {} files, {} resources, {rate:.0} resources/s, about {left:.0} s left",
                tally.files(),
                self.files,
                tally.resources()
            ));
        }
    }

    fn issue(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(line)),
            None => tell(line),
        }
    }
}

/// Prints a line on stderr.
pub(crate) fn tell(line: &str) {
    // Without stderr there is nobody to tell.
    let _ = writeln!(outlet::err(), "{}", Plain(line));
}

fn bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes);
    let style = ProgressStyle::with_template("{bar:24} {percent:>3}%  {msg}  ETA {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

// Sizes and times here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn seconds_left(tally: &Tally, bytes: u64) -> f64 {
    let done = tally.bytes().max(1) as f64;
    tally.seconds() / done * bytes.saturating_sub(tally.bytes()) as f64
}

/// An issue as a line: file, place, words; the file only once.
pub(crate) fn issue_line(file: &str, issue: &Issue) -> String {
    match &issue.at {
        Some(_) => issue.to_string(),
        None => format!("{file}: {issue}"),
    }
}
