//! Taking back what one edit did, as a new edit of the current text.

use super::graph::Event;
use super::merge::Merge;
use super::operations::Kind;
use super::{EventId, EventRun, Text, TextEdits, TextError};

impl Text {
    /// Edits of the current text that take these events back: characters that they inserted and
    /// that are still there go, characters that they alone deleted come back. Reads the whole
    /// history.
    ///
    /// # Errors
    /// [`TextError::Unknown`] if an event is not here.
    pub fn undone(&self, run: EventRun) -> Result<TextEdits, TextError> {
        let history = &self.history;
        let mut merge = Merge::new(history, 0);
        merge.catch_up(history, history.len()).map_err(|at| self.misplaced(at))?;
        merge.see_all(history);
        let (mut inserted, mut deleted): (Vec<Event>, Vec<Event>) = (Vec::new(), Vec::new());
        for seq in run.seq..run.seq.saturating_add(run.count) {
            let event = self.event(EventId { agent: run.agent, seq })?;
            match history.operations.piece(event, event + 1).kind {
                Kind::Insert => inserted.push(event),
                Kind::DeleteOn | Kind::DeleteBack => deleted.push(merge.target(event)),
            }
        }
        inserted.sort_unstable();
        deleted.sort_unstable();
        let mut edits = TextEdits::new();
        let mut position = 0;
        for span in merge.all_spans() {
            let end = span.start + span.count;
            let touched = |events: &[Event]| {
                events
                    .get(events.partition_point(|&event| event < span.start))
                    .is_some_and(|&e| e < end)
            };
            if !touched(&inserted) && !touched(&deleted) {
                position += if span.gone { 0 } else { span.count as usize };
                continue;
            }
            for event in span.start..end {
                let is_own = inserted.binary_search(&event).is_ok();
                if !span.gone && is_own {
                    edits.delete(position, 1)?;
                } else if !span.gone {
                    position += 1;
                } else if !is_own && span.state == 2 && deleted.binary_search(&event).is_ok() {
                    edits.insert(position, history.operations.piece(event, event + 1).content)?;
                    position += 1;
                }
            }
        }
        Ok(edits)
    }
}
