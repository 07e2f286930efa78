//! What is taken in, and what became of it.

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

    /// The bytes of one rejected message.
    pub(crate) fn raw(&self, rejected: &Rejected) -> &[u8] {
        let content = self.unpacked.as_deref().unwrap_or(&self.input.bytes);
        content.get(rejected.raw.clone()).unwrap_or(content)
    }
}

/// The id of an input: half a SHA-256 over the feed's name and the bytes.
pub(crate) fn input_id(input: &Input) -> MessageId {
    let mut hasher = Sha256::new();
    let feed = input.feed.as_deref().unwrap_or_default();
    hasher.update((feed.len() as u64).to_be_bytes());
    hasher.update(feed);
    hasher.update(&input.bytes);
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(hasher.finalize()) {
        *to = from;
    }
    id
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
