//! Results on stdout, for people or as JSON.

use std::fmt::Display;
use std::io::{self, BufWriter, Write};

use clisonix_fhir::json::Value;

use crate::outlet;

/// The one writer of results. Errors reach the caller, a reader that went away among them.
pub(crate) struct Results {
    json: bool,
    out: BufWriter<Box<dyn Write>>,
}

impl Results {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, out: BufWriter::new(outlet::out()) }
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)
    }

    /// Prints the JSON on one line, or what `people` prints.
    pub(crate) fn either(
        &mut self,
        value: impl FnOnce() -> Value,
        people: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.json { self.line(value().to_text()) } else { people(self) }
    }

    /// Hands everything to the reader.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
