//! The rows of this bench.

use crate::report::{Report, Row};
use crate::size::Size;

/// Every row, in the order of the table: name, title, unit, which values are better.
const ROWS: &[(&str, &str, &str, &str)] = &[
    ("create_us", "create from JSON, µs/document", "us", "lower"),
    ("edit_us", "local edit + its message, µs", "us", "lower"),
    ("message_bytes", "message, B/edit", "B", "lower"),
    ("batch_bytes", "batch of a site's edits, B/edit", "B", "lower"),
    ("merge_us", "merge, message by message, µs/edit", "us", "lower"),
    ("encoded_bytes", "encoded after the edits, B", "B", "lower"),
    ("load_read_us", "load + read as JSON, µs", "us", "lower"),
    ("heap_kib", "heap of a loaded document, KiB", "KiB", "lower"),
    ("long_load_ms", "one document, many edits: load, ms", "ms", "lower"),
    ("long_heap_kib", "one document, many edits: heap, KiB", "KiB", "lower"),
    ("apart_load_ms", "the same, log left on disk: load, ms", "ms", "lower"),
    ("apart_heap_kib", "the same, log left on disk: heap, KiB", "KiB", "lower"),
    ("merge_10_entries_us", "merge into a record of 10 entries, µs/edit", "us", "lower"),
    ("merge_1000_entries_us", "merge into a record of 1,000 entries, µs/edit", "us", "lower"),
    ("merge_20000_entries_us", "merge into a record of 20,000 entries, µs/edit", "us", "lower"),
    ("merge_2_replicas_us", "merge of 2 replicas' offline edits, µs/edit", "us", "lower"),
    ("merge_10_replicas_us", "merge of 10 replicas' offline edits, µs/edit", "us", "lower"),
    ("merge_100_replicas_us", "merge of 100 replicas' offline edits, µs/edit", "us", "lower"),
    ("merge_first_edits_us", "merge, the first 1,000 of many edits, µs/edit", "us", "lower"),
    ("merge_last_edits_us", "merge, the last 1,000 of many edits, µs/edit", "us", "lower"),
    ("safe_cases", "six clinical cases safe in every order", "of 6", "higher"),
    ("erasable", "a value erased, chain still verifies (1 = yes)", "bool", "higher"),
];

/// A report of these rows.
pub fn report(json: bool, size: &Size) -> Report {
    let rows = ROWS.iter().map(|(name, title, unit, better)| Row::new(name, title, unit, better));
    let about = serde_json::json!({
        "documents": size.documents,
        "edits_per_document": size.edits,
        "long_edits": size.long_edits,
        "curve_edits": size.curve_edits,
        "runs": size.runs,
        "time": "CPU time of the thread, median of runs",
    });
    let heading = format!(
        "{} Patients, {} edits each over three sites, median of {} runs, CPU time",
        size.documents, size.edits, size.runs,
    );
    Report::new("crdt", json, rows.collect(), about, &heading)
}
