//! The clinicians' script: who reads what at which replica, and what they want it to be.
//!
//! Two replicas cannot see each other. Edits in one *group* are about the same thing; an edit
//! either starts from what its author read before anybody else in the group wrote
//! ([`Base::Start`]), or from what the replica shows at the moment ([`Base::Now`]). The script
//! holds the six cases in which general merging goes wrong, each on several patients and in both
//! orders of actors, and ordinary edits beside them.

mod intent;
mod script;

#[cfg(test)]
mod tests;

pub use intent::{Change, Intent};
pub use script::script;

use crate::population::Allergen;

/// One of the two replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replica {
    /// Where the data was taken in.
    A,
    /// Where it was replicated to.
    B,
}

impl Replica {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// What an author had read when writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The state before the group's first edit.
    Start,
    /// The state the replica shows at the time of the edit.
    Now,
}

/// What an edit is about.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// The Patient resource.
    Patient,
    /// The entry that stands for a fact.
    Fact(u32),
    /// An allergy that no system has sent.
    NewAllergy(&'static Allergen),
}

/// One edit.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Edits about the same thing have the same number.
    pub group: u32,
    /// Which of the six cases this belongs to, 1–6.
    pub case: Option<u8>,
    /// Where it is made.
    pub replica: Replica,
    /// By whom.
    pub author: &'static str,
    /// When.
    pub time_ms: u64,
    /// Number of the person.
    pub person: u32,
    /// About what.
    pub target: Target,
    /// Having read what.
    pub base: Base,
    /// What the author wants.
    pub intent: Intent,
}
