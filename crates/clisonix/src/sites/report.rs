//! What the demo of three sites found.

use std::fmt;

use clisonix_fhir::json::{Object, Value};

/// The figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Whether all three sites held the same bytes after the line was mended.
    pub(crate) sites_equal: bool,
    /// A digest of them.
    pub(crate) digest: String,
    /// Edits made while one site was cut off.
    pub(crate) edits_submitted: usize,
    /// Those that not every site shows afterwards.
    pub(crate) edits_lost: usize,
    /// Conflicts that are shown.
    pub(crate) conflicts: usize,
    /// Receipts that the sites keep.
    pub(crate) receipts: i64,
    /// Whether all of them verify.
    pub(crate) receipts_valid: bool,
    /// One of them.
    pub(crate) receipt: String,
    /// Edits that the search finds in what the first site said and was told.
    pub(crate) traffic_before: usize,
    /// Sites that showed what was withdrawn before it was.
    pub(crate) withdrawn_before: usize,
    /// Places of the clinic, and of the lines, with what was written after the withdrawal.
    pub(crate) withdrawn_values_found: usize,
    /// Places of a site that still may hold it: the search finds what is there.
    pub(crate) withdrawn_elsewhere: usize,
    /// Words, at all sites together, that were shown before the erasure.
    pub(crate) erased_before: usize,
    /// Places where they are found afterwards.
    pub(crate) erased_values_found: usize,
}

impl Report {
    /// Whether every promise was kept, and every search could have failed.
    pub(crate) fn passed(&self) -> bool {
        self.sites_equal
            && self.receipts_valid
            && self.receipts > 0
            && self.edits_submitted > 0
            && self.edits_lost == 0
            && self.traffic_before > 0
            && self.withdrawn_before == 3
            && self.withdrawn_elsewhere > 1
            && self.withdrawn_values_found == 0
            && self.erased_before > 0
            && self.erased_values_found == 0
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = Object::new();
        object.insert("sites_equal", self.sites_equal);
        object.insert("digest", self.digest.as_str());
        object.insert("edits_submitted", self.edits_submitted as u64);
        object.insert("edits_lost", self.edits_lost as u64);
        object.insert("conflicts", self.conflicts as u64);
        object.insert("receipts", self.receipts.max(0).cast_unsigned());
        object.insert("receipts_valid", self.receipts_valid);
        object.insert("edits_found_in_traffic", self.traffic_before as u64);
        object.insert("withdrawn_shown_before", self.withdrawn_before as u64);
        object.insert("withdrawn_found_where_it_may_be", self.withdrawn_elsewhere as u64);
        object.insert("withdrawn_values_found", self.withdrawn_values_found as u64);
        object.insert("erased_shown_before", self.erased_before as u64);
        object.insert("erased_values_found", self.erased_values_found as u64);
        Value::Object(object)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equal = if self.sites_equal { "the same" } else { "DIFFERENT" };
        writeln!(f, "All three sites show {equal} bytes, SHA-256 {}", self.digest)?;
        let Self { edits_submitted, edits_lost, conflicts, .. } = self;
        writeln!(f, "  edits while one was cut off  {edits_submitted}, lost {edits_lost}")?;
        writeln!(f, "  conflicts shown              {conflicts}")?;
        let valid = if self.receipts_valid { "all valid" } else { "NOT VALID" };
        writeln!(f, "  receipts                     {}, {valid}", self.receipts)?;
        writeln!(f, "  the last one                 {}", self.receipt)?;
        let (found, elsewhere) = (self.withdrawn_values_found, self.withdrawn_elsewhere);
        writeln!(
            f,
            "  after consent was withdrawn  found {found} times at the clinic, {elsewhere} times \
             where it may be"
        )?;
        let (found, before) = (self.erased_values_found, self.erased_before);
        write!(f, "  after the erasure            found {found} times, before {before} times")
    }
}
