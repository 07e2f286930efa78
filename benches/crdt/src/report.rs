//! The rows, as a table for people or as one JSON object a line.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// One row of the comparison.
pub struct Row {
    /// Its name in JSON.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The unit of its values.
    pub unit: &'static str,
    /// Whether `lower` or `higher` values are better.
    pub better: &'static str,
}

impl Row {
    /// A row.
    pub fn new(name: &str, title: &str, unit: &'static str, better: &'static str) -> Self {
        Self { name: name.to_owned(), title: title.to_owned(), unit, better }
    }
}

/// Collects values and prints them.
pub struct Report {
    bench: &'static str,
    rows: Vec<Row>,
    json: bool,
    subjects: Vec<&'static str>,
    values: BTreeMap<(String, &'static str), f64>,
}

impl Report {
    /// Prints what is measured, and on what: `about` in JSON, `heading` for people.
    pub fn new(
        bench: &'static str,
        json: bool,
        rows: Vec<Row>,
        about: Value,
        heading: &str,
    ) -> Self {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        let versions: Map<String, Value> = versions();
        if json {
            let mut head = Map::new();
            head.insert("versions".to_owned(), Value::Object(versions));
            head.insert("load_1min".to_owned(), json!(load));
            head.extend(about.as_object().cloned().unwrap_or_default());
            println!("{}", json!({ "bench": bench, "about": head }));
        } else {
            let load = load.map_or_else(|| "unknown".to_owned(), |load| load.to_string());
            println!("{heading}; load {load}");
            println!("{}", Value::Object(versions));
        }
        Self { bench, rows, json, subjects: Vec::new(), values: BTreeMap::new() }
    }

    /// Takes one value.
    pub fn value(&mut self, subject: &'static str, name: &str, value: f64) {
        if !self.subjects.contains(&subject) {
            self.subjects.push(subject);
        }
        self.values.insert((name.to_owned(), subject), value);
        let Some(row) = self.rows.iter().find(|row| row.name == name) else { return };
        if self.json {
            let value = (value * 1_000.0).round() / 1_000.0;
            let line = json!({ "bench": self.bench, "row": name, "subject": subject, "value": value,
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
        for row in &self.rows {
            print!("{:<48}", row.title);
            for subject in &self.subjects {
                match self.values.get(&(row.name.clone(), *subject)) {
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
fn versions() -> Map<String, Value> {
    let lock = include_str!("../../Cargo.lock");
    let wanted = [
        "automerge",
        "aws-lc-rs",
        "clisonix-crdt",
        "clisonix-pq",
        "clisonix-tide",
        "diamond-types",
        "loro",
        "ml-dsa",
        "ml-kem",
        "negentropy",
        "serde_json",
        "x-wing",
        "yrs",
    ];
    let sections = lock.split("[[package]]").filter_map(|section| {
        let member = |name: &str| {
            let line = section.lines().find(|line| line.starts_with(name))?;
            line.split('"').nth(1).map(ToOwned::to_owned)
        };
        Some((member("name = ")?, json!(member("version = ")?)))
    });
    sections.filter(|(name, _)| wanted.contains(&&**name)).collect()
}
