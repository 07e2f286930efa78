//! `backup`: a consistent copy of everything in one file.

use std::path::PathBuf;

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::BackupReport;

use crate::context::Context;
use crate::exit::Exit;
use crate::plain::hexadecimal;
use crate::results::Results;

/// Options of `backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    /// The file to write; it must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let node = context.open_present()?;
        let report = node.backup(&context.path(&self.file), context.by(&author))?;
        let mut results = context.results();
        print(&report, &mut results)?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

/// Prints size, rows and digest of a backup.
pub(crate) fn print(report: &BackupReport, results: &mut Results) -> std::io::Result<()> {
    let digest = hexadecimal(&report.digest);
    let rows: u64 = report.rows.iter().map(|(_, rows)| rows).sum();
    results.either(
        || {
            let mut object = Object::new();
            object.insert("format", u64::from(report.format));
            object.insert("rows", rows);
            object.insert("access_entries", report.access.entries);
            object.insert("size_bytes", report.size_bytes);
            object.insert("sha256", digest.clone());
            Value::Object(object)
        },
        |results| {
            results.line(format_args!("  rows          {rows}"))?;
            results.line(format_args!("  bytes         {}", report.size_bytes))?;
            results.line(format_args!("  SHA-256       {digest}"))
        },
    )
}
