//! How much is measured.

/// Numbers of documents, edits and runs.
pub struct Size {
    /// Patients per run.
    pub documents: usize,
    /// Field edits per patient, over the three sites.
    pub edits: usize,
    /// Edits of the one long-lived document.
    pub long_edits: usize,
    /// Edits that one replica follows another for.
    pub curve_edits: usize,
    /// Runs, of which the median is reported.
    pub runs: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { documents: 1_000, edits: 50, long_edits: 20_000, curve_edits: 100_000, runs: 3 }
    }
}

impl Size {
    /// More runs of the same.
    pub fn full() -> Self {
        Self { runs: 11, ..Self::default() }
    }

    /// Enough to see that everything works.
    pub fn quick() -> Self {
        Self { documents: 50, edits: 50, long_edits: 2_000, curve_edits: 5_000, runs: 1 }
    }
}
