//! How many tests passed and failed, read from the runners' closing lines.

use std::fmt;
use std::ops::AddAssign;

/// Tests that ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    /// Reads one line of output: the closing line of cargo-nextest
    /// (`Summary [...] 3 tests run: 2 passed, 1 failed`), of libtest
    /// (`test result: ok. 2 passed; 0 failed`) or of pytest
    /// (`2 passed, 1 failed in 0.10s`). Any other line counts nothing.
    pub(crate) fn of_line(line: &str) -> Self {
        let line = line.trim().trim_matches('=').trim();
        if !is_closing(line) {
            return Self::default();
        }
        let words: Vec<&str> =
            line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        let mut count = Self::default();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match *what {
                "passed" => count.passed += number,
                // A test that nextest stopped for its time failed too; so did
                // one that pytest could not even begin.
                "failed" | "timed" | "error" | "errors" => count.failed += number,
                _ => {}
            }
        }
        count
    }
}

fn is_closing(line: &str) -> bool {
    let nextest = line.starts_with("Summary [");
    let libtest = line.starts_with("test result: ");
    let pytest = line.starts_with(|first: char| first.is_ascii_digit())
        && line.split_once(" in ").is_some_and(|(_, time)| {
            time.starts_with(|first: char| first.is_ascii_digit()) && time.contains('s')
        });
    nextest || libtest || pytest
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests;
