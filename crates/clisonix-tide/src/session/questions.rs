//! Questions that wait for their answers.

use std::collections::BTreeMap;

use super::exchange::Wanted;
use super::gifts::Gift;
use crate::message::Message;

/// After how long a question is asked again at first, in milliseconds.
pub const RETRY_MS: u64 = 3_000;
/// After how long at most, in milliseconds.
pub const MAX_RETRY_MS: u64 = 60_000;
/// How much longer than twice the shortest an answer may take that is still quick, in milliseconds.
const QUICK_MS: u64 = 250;

/// Open questions, and how long answers take.
#[derive(Debug)]
pub(super) struct Questions {
    next: u64,
    open: BTreeMap<u64, Question>,
    /// How long answers took of late, in milliseconds.
    answer_ms: u64,
    /// The shortest time that an answer took.
    least_ms: u64,
    /// Whether the last answer took not much longer: little is in its way.
    is_quick: bool,
}

#[derive(Debug)]
struct Question {
    asked: Asked,
    message: Vec<u8>,
    asked_ms: u64,
    tries: u32,
}

/// What was asked.
#[derive(Debug)]
pub(super) enum Asked {
    Hello,
    Symbols { count: u64 },
    List,
    Want(Vec<Wanted>),
    Give(Vec<Gift>),
    Receipt,
}

impl Questions {
    pub(super) fn new(first: u64) -> Self {
        Self {
            next: first,
            open: BTreeMap::new(),
            answer_ms: 0,
            least_ms: u64::MAX,
            is_quick: false,
        }
    }

    /// Opens a question and gives the bytes to send.
    pub(super) fn ask(
        &mut self,
        now_ms: u64,
        asked: Asked,
        message: impl FnOnce(u64) -> Message,
    ) -> Vec<u8> {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let message = message(number).write();
        // Runs are made anew when they are sent again: the scope may be another one then.
        let is_kept = !matches!(asked, Asked::Hello | Asked::Want(_) | Asked::Give(_));
        let kept = if is_kept { message.clone() } else { Vec::new() };
        self.open.insert(number, Question { asked, message: kept, asked_ms: now_ms, tries: 1 });
        message
    }

    /// What was asked with this number; its answer is there now.
    pub(super) fn take(&mut self, number: u64, now_ms: u64) -> Option<Asked> {
        let question = self.open.remove(&number)?;
        if question.tries == 1 {
            let took = now_ms.abs_diff(question.asked_ms);
            self.least_ms = self.least_ms.min(took);
            self.is_quick = took <= self.least_ms.saturating_mul(2).saturating_add(QUICK_MS);
            // One that comes very late tells little of the others.
            let most = self.answer_ms * 2 + RETRY_MS / 4;
            let took = took.min(most).min(MAX_RETRY_MS);
            self.answer_ms = (self.answer_ms * 3 + took) / 4;
        }
        Some(question.asked)
    }

    /// Whether the last answer came without waiting behind others.
    pub(super) fn is_quick(&self) -> bool {
        self.is_quick
    }

    /// A question is given up.
    pub(super) fn give_up(&mut self, number: u64) -> Option<Asked> {
        self.open.remove(&number).map(|question| question.asked)
    }

    /// What an open question is about.
    pub(super) fn asked(&self, number: u64) -> Option<&Asked> {
        self.open.get(&number).map(|question| &question.asked)
    }

    /// After how long without an answer something is sent again.
    pub(super) fn retry_ms(&self, tries: u32) -> u64 {
        let first = (self.answer_ms * 4).max(RETRY_MS);
        (first << tries.saturating_sub(1).min(10)).min(MAX_RETRY_MS)
    }

    /// The questions that are due to be asked again, with how often they were asked.
    pub(super) fn due(&self, now_ms: u64) -> Vec<(u64, u32)> {
        let is_due = |question: &Question| {
            now_ms.abs_diff(question.asked_ms) >= self.retry_ms(question.tries)
        };
        let due = self.open.iter().filter(|(_, question)| is_due(question));
        due.map(|(number, question)| (*number, question.tries)).collect()
    }

    /// The bytes of a question to be sent again as they were.
    pub(super) fn again(&mut self, number: u64, now_ms: u64) -> Option<Vec<u8>> {
        let question = self.open.get_mut(&number)?;
        question.asked_ms = now_ms;
        question.tries = question.tries.saturating_add(1);
        Some(question.message.clone())
    }

    /// Forgets all questions of a kind.
    pub(super) fn drop_all(&mut self, of: impl Fn(&Asked) -> bool) {
        self.open.retain(|_, question| !of(&question.asked));
    }

    pub(super) fn count(&self, of: impl Fn(&Asked) -> bool) -> usize {
        self.open.values().filter(|question| of(&question.asked)).count()
    }

    pub(super) fn has(&self, of: impl Fn(&Asked) -> bool) -> bool {
        self.count(of) > 0
    }
}
