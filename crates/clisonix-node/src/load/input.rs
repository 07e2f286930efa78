//! What is taken in, and what became of it.

use std::io;

use clisonix_fhir::issue::Issue;
use clisonix_ingest::{Hint, Outcome, Rejected};
use clisonix_store::MessageId;
use sha2::{Digest, Sha256};

/// One file or transmission.
#[derive(Clone, Debug)]
pub struct Input {
    /// The file's name, for issues and the journal.
    pub name: String,
    /// The feed; `None` lets the content name it.
    pub feed: Option<String>,
    /// The bytes as received.
    pub bytes: Vec<u8>,
}

/// An input that has been read but not applied; reading needs no node and can run beside it.
pub struct Read {
    input: Input,
    message: MessageId,
    outcomes: Vec<Outcome>,
    /// The content of a compressed input, if parts of it were rejected.
    unpacked: Option<Vec<u8>>,
}

impl Read {
    /// Recognises and reads an input; every message in it ends in one outcome.
    pub fn new(input: Input) -> Self {
        let hint =
            Hint { feed: input.feed.clone(), file: Some(input.name.clone()), ..Hint::default() };
        let outcomes = clisonix_ingest::take_in(&input.bytes, &hint);
        let rejected = outcomes.iter().any(|outcome| outcome.taken().is_none());
        let unpack = || clisonix_ingest::recognition::unpack(&input.bytes).ok();
        let unpacked = if rejected { unpack().map(std::borrow::Cow::into_owned) } else { None };
        let message = input_id(&input);
        Self { input, message, outcomes, unpacked }
    }

    /// Some lines of an input that is read in pieces.
    pub(crate) fn piece(
        input: &Input,
        message: MessageId,
        bytes: Vec<u8>,
        mut outcomes: Vec<Outcome>,
    ) -> Self {
        sort_by_record(&mut outcomes);
        let input = Input { bytes, ..input.clone() };
        Self { input, message, outcomes, unpacked: None }
    }

    /// The outcomes, one for each message.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    pub(crate) fn message(&self) -> MessageId {
        self.message
    }

    /// The issues of all rejected messages.
    pub(crate) fn rejections(&self) -> Vec<Issue> {
        let rejected = self.outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Rejected(rejected) => Some(&rejected.issues),
            Outcome::Taken(_) => None,
        });
        rejected.flatten().cloned().collect()
    }

    /// The bytes of one rejected message.
    pub(crate) fn raw(&self, rejected: &Rejected) -> &[u8] {
        let content = self.unpacked.as_deref().unwrap_or(&self.input.bytes);
        content.get(rejected.raw.clone()).unwrap_or(content)
    }
}

/// Brings the messages about one record together, in their order, so that a record is loaded and
/// its state written once for all of them. Messages about several records keep every message in
/// its place.
fn sort_by_record(outcomes: &mut [Outcome]) {
    let records = |outcome: &Outcome| outcome.taken().map_or(0, |intake| intake.statements.len());
    if outcomes.iter().all(|outcome| records(outcome) <= 1) {
        outcomes.sort_by_cached_key(|outcome| {
            outcome.taken().and_then(|intake| Some(intake.statements.first()?.record.clone()))
        });
    }
}

/// The id of an input: half a SHA-256 over the feed's name and the bytes.
pub(crate) fn input_id(input: &Input) -> MessageId {
    let mut hasher = InputHasher::new(input);
    hasher.0.update(&input.bytes);
    hasher.finish()
}

/// Makes the id of an input whose bytes are written to it.
pub(crate) struct InputHasher(Sha256);

impl InputHasher {
    /// Begins with the feed's name.
    pub(crate) fn new(input: &Input) -> Self {
        let feed = input.feed.as_deref().unwrap_or_default();
        let hasher = Sha256::new().chain_update((feed.len() as u64).to_be_bytes());
        Self(hasher.chain_update(feed))
    }

    pub(crate) fn finish(self) -> MessageId {
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(self.0.finalize()) {
            *to = from;
        }
        id
    }
}

impl io::Write for InputHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What became of one input.
#[derive(Clone, Debug, Default)]
pub struct TakenIn {
    /// Messages applied.
    pub messages: u64,
    /// Messages that had been taken in before or changed nothing.
    pub unchanged: u64,
    /// Messages in quarantine.
    pub rejected: u64,
    /// Resources stated by the applied messages.
    pub resources: u64,
    /// Source values used.
    pub used: u64,
    /// Source values kept aside.
    pub kept: u64,
    /// Every issue, also of messages that were applied.
    pub issues: Vec<Issue>,
}
