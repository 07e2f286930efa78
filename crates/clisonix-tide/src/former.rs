//! Entries that stood for records lately, and stand for them no more.

/// How many of them are remembered at most.
const REMEMBERED: usize = 1 << 10;

/// A peer that shows one of them has the record as it was here then, and lacks what came since.
/// Each lies where its own last bits say, in place of the one before; one that is forgotten costs
/// half a round trip.
#[derive(Clone, Debug)]
pub(crate) struct Former(Box<[u64]>);

impl Default for Former {
    fn default() -> Self {
        Self(vec![0; REMEMBERED].into())
    }
}

impl Former {
    pub(crate) fn note(&mut self, id: u64) {
        if let Some(place) = self.0.get_mut(place(id)) {
            *place = id;
        }
    }

    /// Whether it is remembered; it is not any more then.
    pub(crate) fn take(&mut self, id: u64) -> bool {
        let held = self.0.get_mut(place(id)).filter(|held| **held == id && id != 0);
        held.map(|held| *held = 0).is_some()
    }
}

fn place(id: u64) -> usize {
    id as usize % REMEMBERED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_told_of_once() {
        let mut former = Former::default();
        assert!(!former.take(0) && !former.take(7));
        former.note(7);
        former.note(8);
        assert!(!former.take(7 + REMEMBERED as u64));
        assert!(former.take(7) && !former.take(7));
        former.note(8 + REMEMBERED as u64);
        assert!(!former.take(8));
    }
}
