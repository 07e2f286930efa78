//! The rows, as a table for people or as one JSON object a line.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::size::Size;

/// One row of the comparison.
pub struct Row {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// Whether `lower` or `higher` values are better.
    pub better: &'static str,
}

/// Every row, in the order of the table.
pub const ROWS: &[Row] = &[
    row("create_us", "create from JSON, µs/document", "us", "lower"),
    row("edit_us", "local edit + its message, µs", "us", "lower"),
    row("message_bytes", "message, B/edit", "B", "lower"),
    row("batch_bytes", "batch of a site's edits, B/edit", "B", "lower"),
    row("merge_us", "merge, message by message, µs/edit", "us", "lower"),
    row("encoded_bytes", "encoded after the edits, B", "B", "lower"),
    row("load_read_us", "load + read as JSON, µs", "us", "lower"),
    row("heap_kib", "heap of a loaded document, KiB", "KiB", "lower"),
    row("long_load_ms", "one document, many edits: load, ms", "ms", "lower"),
    row("long_heap_kib", "one document, many edits: heap, KiB", "KiB", "lower"),
    row("safe_cases", "six clinical cases safe in every order", "of 6", "higher"),
    row("erasable", "a value erased, chain still verifies (1 = yes)", "bool", "higher"),
];

const fn row(
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    better: &'static str,
) -> Row {
    Row { name, title, unit, better }
}

/// Collects values and prints them.
pub struct Report {
    json: bool,
    subjects: Vec<&'static str>,
    values: BTreeMap<(&'static str, &'static str), f64>,
}

impl Report {
    /// Prints what is measured, and on what.
    pub fn new(json: bool, size: &Size) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        let versions: serde_json::Map<String, Value> = versions();
        if json {
            let about = json!({
                "versions": versions,
                "load_1min": load,
                "documents": size.documents,
                "edits_per_document": size.edits,
                "long_edits": size.long_edits,
                "runs": size.runs,
                "time": "CPU time of the thread, median of runs",
            });
            println!("{}", json!({ "bench": "crdt", "about": about }));
        } else {
            println!(
                "{} Patients, {} edits each over three sites, median of {} runs, CPU time; load {}",
                size.documents,
                size.edits,
                size.runs,
                load.map_or_else(|| "unknown".to_owned(), |load| load.to_string()),
            );
            println!("{}", Value::Object(versions));
        }
        Self { json, subjects: Vec::new(), values: BTreeMap::new() }
    }

    /// Takes one value.
    pub fn value(&mut self, subject: &'static str, name: &'static str, value: f64) {
        if !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
        self.values.insert((name, subject), value);
        let Some(row) = ROWS.iter().find(|row| row.name == name) else { return };
        if self.json {
            let value = (value * 1_000.0).round() / 1_000.0;
            let line = json!({ "bench": "crdt", "row": name, "subject": subject, "value": value,
                               "unit": row.unit, "better": row.better });
            println!("{line}");
        }
    }

    /// Prints the table.
    pub fn close(&self) {
        if self.json {
            return;
        }
        print!("{:<48}", "");
        self.subjects.iter().for_each(|subject| print!("{subject:>12}"));
        println!();
        for row in ROWS {
            print!("{:<48}", row.title);
            for subject in &self.subjects {
                match self.values.get(&(row.name, *subject)) {
                    None => print!("{:>12}", "-"),
                    Some(value) if value.fract() == 0.0 => print!("{value:>12.0}"),
                    Some(value) => print!("{value:>12.2}"),
                }
            }
            println!();
        }
    }
}

/// What the lock file says was compiled in.
fn versions() -> serde_json::Map<String, Value> {
    let lock = include_str!("../../Cargo.lock");
    let wanted = ["automerge", "clisonix-crdt", "loro", "serde_json", "yrs"];
    let sections = lock.split("[[package]]").filter_map(|section| {
        let member = |name: &str| {
            let line = section.lines().find(|line| line.starts_with(name))?;
            line.split('"').nth(1).map(ToOwned::to_owned)
        };
        Some((member("name = ")?, json!(member("version = ")?)))
    });
    sections.filter(|(name, _)| wanted.contains(&&**name)).collect()
}
