//! Known failures of the hazard suite, each with its reason. The list may only get shorter.

use super::suite::Case;

/// Cases that are known to be merged unsafely.
pub(crate) struct Known {
    /// A part of the cases' names.
    pub(crate) part: &'static str,
    /// Why, and what the remedy would be.
    #[expect(dead_code, reason = "for people")]
    pub(crate) reason: &'static str,
}

impl Known {
    pub(crate) fn covers(&self, case: &Case) -> bool {
        case.name.contains(self.part)
    }
}

pub(crate) const FAILURES: &[Known] = &[];
