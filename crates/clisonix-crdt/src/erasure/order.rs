//! Orders: what a change says is to be erased, in its header.

use crate::actor::ActorId;
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

/// Longest reason of an erasure, in bytes.
pub const MAX_REASON_BYTES: usize = 512;
/// Longest description of what an erasure was about, in bytes.
pub const MAX_PLACE_BYTES: usize = 256;
/// Most runs of operations that one erasure names.
pub const MAX_ERASED_RUNS: usize = 1 << 20;

/// What one change orders to be erased. It stands in the change's header, so it outlives all
/// content, its own change's included: it names operations by their numbers and says nothing that
/// is derived from what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Why, in its author's words.
    pub(crate) reason: Box<str>,
    /// Where, without keys: a resource type, with a path of element names if it was one value;
    /// empty for a whole record.
    pub(crate) place: Box<str>,
    pub(crate) what: Erased,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Erased {
    /// All operations in the past of the order.
    Past,
    /// Ascending, each in its change's past, not empty, none touching another.
    Runs(Vec<Run>),
}

/// A run of operations of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Run {
    pub(crate) actor: ActorId,
    pub(crate) seq: u32,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Run {
    pub(crate) fn holds(&self, (actor, seq): (ActorId, u32), index: u32) -> bool {
        self.actor == actor && self.seq == seq && index.wrapping_sub(self.first) < self.count
    }

    /// Whether a run that does not begin before this one is of the same change and leaves no gap.
    fn reaches(&self, later: &Run) -> bool {
        (self.actor, self.seq) == (later.actor, later.seq) && later.first - self.first <= self.count
    }
}

impl Default for Erased {
    fn default() -> Self {
        Self::Runs(Vec::new())
    }
}

impl Erased {
    /// Whether an operation is among those named.
    pub(crate) fn names(&self, change: (ActorId, u32), index: u32) -> bool {
        match self {
            Self::Past => true,
            Self::Runs(runs) => {
                let after = runs.partition_point(|run| {
                    (run.actor, run.seq, run.first) <= (change.0, change.1, index)
                });
                let run = after.checked_sub(1).and_then(|at| runs.get(at));
                run.is_some_and(|run| run.holds(change, index))
            }
        }
    }

    /// What several orders name together.
    pub(crate) fn all<'a>(orders: impl Iterator<Item = &'a Erased>) -> Self {
        let mut all = Vec::new();
        for order in orders {
            match order {
                Self::Past => return Self::Past,
                Self::Runs(runs) => all.extend_from_slice(runs),
            }
        }
        all.sort_unstable();
        let mut joined: Vec<Run> = Vec::with_capacity(all.len());
        for run in all {
            match joined.last_mut().filter(|last| last.reaches(&run)) {
                Some(last) => last.count = last.count.max(run.first + run.count - last.first),
                None => joined.push(run),
            }
        }
        Self::Runs(joined)
    }
}

impl Order {
    /// Number of operations named; `None` for all of the past.
    pub(crate) fn count(&self) -> Option<u64> {
        match &self.what {
            Erased::Past => None,
            Erased::Runs(runs) => Some(runs.iter().map(|run| u64::from(run.count)).sum()),
        }
    }

    /// Appends reason, place, and the runs after their number, 0 for all of the past; an actor as
    /// `put_actor` spells it.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        mut put_actor: impl FnMut(&mut Vec<u8>, ActorId),
    ) {
        put_bytes(out, self.reason.as_bytes());
        put_bytes(out, self.place.as_bytes());
        let Erased::Runs(runs) = &self.what else {
            out.push(0);
            return;
        };
        put_u64(out, runs.len() as u64);
        for run in runs {
            put_actor(out, run.actor);
            for number in [run.seq, run.first, run.count] {
                put_u64(out, u64::from(number));
            }
        }
    }

    /// Reads reason and place.
    pub(crate) fn read_words(reader: &mut Reader<'_>) -> Result<(Box<str>, Box<str>), DecodeError> {
        let reason = reader.str(MAX_REASON_BYTES, "reason")?.into();
        let at = reader.at();
        let place = reader.str(MAX_PLACE_BYTES, "place")?;
        if !is_place(place) {
            return Err(DecodeError::Meaningless { what: "place", at });
        }
        Ok((reason, place.into()))
    }

    /// Checks runs that were read.
    pub(crate) fn runs(runs: Vec<Run>) -> Option<Erased> {
        let is_run =
            |run: &Run| run.seq > 0 && run.count > 0 && run.first.checked_add(run.count).is_some();
        let apart = |a: &Run, b: &Run| {
            (a.actor, a.seq) < (b.actor, b.seq)
                || (a.actor, a.seq) == (b.actor, b.seq) && a.first + a.count < b.first
        };
        (runs.iter().all(is_run) && runs.is_sorted_by(apart)).then_some(Erased::Runs(runs))
    }
}

/// Names of FHIR types and elements only, so that no value hides here.
fn is_place(place: &str) -> bool {
    place.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

/// What is left of an erased operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    /// Its index in its change.
    pub(crate) index: u32,
    pub(crate) commitment: [u8; 32],
}

/// The indexes of operations that are left, on and on.
pub(crate) fn left_indexes(erased: &[Gone]) -> impl Iterator<Item = u32> + '_ {
    let mut gone = erased.iter().peekable();
    (0..).filter(move |&index| gone.next_if(|gone| gone.index == index).is_none())
}
