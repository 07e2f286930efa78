//! What could not be read: kept as received, listed, and replayed on request.

use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::{self, Object, Value};
use clisonix_ingest::Rejected;
use clisonix_store::{Batch, MessageId};
use sha2::{Digest, Sha256};

use crate::error::NodeError;
use crate::load::{Input, Read, TakenIn};
use crate::node::{By, Node};

/// Largest unpacked message that is kept by itself, in bytes: one value of the store, less what
/// stands beside it.
const MAX_MESSAGE_BYTES: usize = clisonix_store::limit::MAX_VALUE_BYTES - (1 << 20);

/// A message in quarantine.
#[derive(Clone, Debug)]
pub struct Quarantined {
    /// Its id.
    pub id: MessageId,
    /// The file it came in.
    pub file: Option<String>,
    /// How often it was tried.
    pub attempts: u32,
    /// Size in bytes.
    pub size_bytes: usize,
    /// Why it is here, as the issues' JSON.
    pub issues: Value,
}

/// Puts a rejected message aside, as received.
pub(crate) fn put(
    batch: &mut Batch,
    read: &Read,
    rejected: &Rejected,
    now_ms: u64,
) -> Result<(), NodeError> {
    let input = read.input();
    // Unpacked, a message can be larger than the store takes; then it stays packed as received.
    let raw = read.raw(rejected);
    let raw = if raw.len() > MAX_MESSAGE_BYTES { &input.bytes } else { raw };
    let reason = rejected.issues.first().map_or("unreadable", |issue| issue.message.as_str());
    let reason: String = reason.chars().take(200).collect();
    batch.quarantine(&clisonix_store::Quarantined {
        message: part_id(read.message(), raw),
        feed: input.feed.clone().unwrap_or_else(|| "-".to_owned()),
        file: Some(input.name.clone()),
        received_ms: now_ms.cast_signed(),
        attempts: 1,
        reason: if reason.is_empty() { "unreadable".to_owned() } else { reason },
        issues: issues_value(&rejected.issues).to_text().into_bytes(),
        bytes: raw.to_vec(),
    })?;
    Ok(())
}

/// The id of one message in an input: the input's id if it is the whole.
fn part_id(input: MessageId, raw: &[u8]) -> MessageId {
    let mut id = [0; 16];
    let digest = Sha256::new().chain_update(input).chain_update(raw).finalize();
    for (to, from) in id.iter_mut().zip(digest) {
        *to = from;
    }
    id
}

/// Issues as a JSON list of `{severity, code, path, message, line, column}`.
pub(crate) fn issues_value(issues: &[Issue]) -> Value {
    let one = |issue: &Issue| {
        let mut object = Object::new();
        object.insert("severity", issue.severity.as_str());
        object.insert("code", issue.code.as_str());
        object.insert("path", issue.path.as_str());
        object.insert("message", issue.message.as_str());
        if let Some(at) = &issue.at {
            object.insert("file", at.file.as_str());
            object.insert("line", i64::from(at.line));
            object.insert("column", i64::from(at.column));
        }
        Value::Object(object)
    };
    issues.iter().map(one).collect()
}

impl Node {
    /// What is in quarantine.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn quarantine(&self) -> Result<Vec<Quarantined>, NodeError> {
        let snapshot = self.store.snapshot()?;
        let mut found = Vec::new();
        for message in snapshot.quarantine(None)? {
            let message = message?;
            found.push(Quarantined {
                id: message.message,
                file: message.file,
                attempts: message.attempts,
                size_bytes: message.bytes.len(),
                issues: json::parse(&message.issues).unwrap_or_default(),
            });
        }
        Ok(found)
    }

    /// Tries every message in quarantine again, with the rules of now. What is taken in leaves the
    /// quarantine; the rest stays with its new issues.
    ///
    /// # Errors
    /// [`NodeError`]; messages tried before the error are settled.
    pub fn retry_quarantine(&self, by: By<'_>) -> Result<TakenIn, NodeError> {
        let ids: Vec<MessageId> =
            self.quarantine()?.into_iter().map(|message| message.id).collect();
        let mut total = TakenIn::default();
        for id in ids {
            let Some(message) = self.store.snapshot()?.quarantined(id)? else { continue };
            let feed = (message.feed != "-").then(|| message.feed.clone());
            let input = Input {
                name: message.file.clone().unwrap_or_default(),
                feed,
                bytes: message.bytes.clone(),
            };
            let read = Read::new(input);
            let mut batch = Batch::new();
            if read.outcomes().iter().all(|outcome| outcome.taken().is_some()) {
                let mut load = self.load(by);
                let taken = load.take(&read)?;
                load.finish()?;
                total.messages += taken.messages;
                total.unchanged += taken.unchanged;
                total.resources += taken.resources;
                total.issues.extend(taken.issues);
                batch.release(id)?;
            } else {
                total.rejected += 1;
                batch.quarantine(&clisonix_store::Quarantined {
                    attempts: message.attempts.saturating_add(1),
                    ..message
                })?;
            }
            self.store.write(batch)?;
        }
        Ok(total)
    }
}
