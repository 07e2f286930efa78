//! What could not be read: kept as received, listed, and replayed on request.

use std::io::Read as _;

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_ingest::Rejected;
use clisonix_store::{Batch, MessageId};
use sha2::{Digest, Sha256};

use crate::error::NodeError;
use crate::load::{Input, MAX_WHOLE_BYTES, Read, TakenIn};
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
    pub size_bytes: u64,
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
    // A line that is too long has no bytes here; its number tells it from others.
    let at = rejected.issues.first().and_then(|issue| issue.at.as_ref()).map(|at| at.line);
    let place = if raw.is_empty() { at.unwrap_or_default().to_be_bytes() } else { [0; 4] };
    let id = part_id(read.message(), raw, place);
    put_as(batch, input, id, &rejected.issues, raw, now_ms)
}

/// Puts an input aside whose bytes only the store's raw input holds; it goes by that one's id.
pub(crate) fn put_whole(
    batch: &mut Batch,
    input: &Input,
    message: MessageId,
    issue: &Issue,
    now_ms: u64,
) -> Result<(), NodeError> {
    put_as(batch, input, message, std::slice::from_ref(issue), &[], now_ms)
}

fn put_as(
    batch: &mut Batch,
    input: &Input,
    id: MessageId,
    issues: &[Issue],
    bytes: &[u8],
    now_ms: u64,
) -> Result<(), NodeError> {
    batch.quarantine(&clisonix_store::Quarantined {
        message: id,
        feed: input.feed.clone().unwrap_or_else(|| "-".to_owned()),
        file: Some(input.name.clone()),
        received_ms: now_ms.cast_signed(),
        attempts: 1,
        reason: reason(issues),
        issues: issues_value(issues).to_text().into_bytes(),
        bytes: bytes.to_vec(),
    })?;
    Ok(())
}

fn reason(issues: &[Issue]) -> String {
    let first = issues.first().map_or("", |issue| issue.message.as_str());
    let reason: String = first.chars().take(200).collect();
    if reason.is_empty() { "unreadable".to_owned() } else { reason }
}

/// The id of one message in an input.
fn part_id(input: MessageId, raw: &[u8], place: [u8; 4]) -> MessageId {
    let mut id = [0; 16];
    let digest = Sha256::new().chain_update(input).chain_update(raw).chain_update(place);
    for (to, from) in id.iter_mut().zip(digest.finalize()) {
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
            let size_bytes = self.kept_bytes(&message)?;
            found.push(Quarantined {
                id: message.message,
                file: message.file,
                attempts: message.attempts,
                size_bytes,
                issues: json::parse(&message.issues).unwrap_or_default(),
            });
        }
        Ok(found)
    }

    fn kept_bytes(&self, message: &clisonix_store::Quarantined) -> Result<u64, NodeError> {
        if !message.bytes.is_empty() {
            return Ok(message.bytes.len() as u64);
        }
        let content = self.store.raw_content(message.message)?;
        Ok(content.map_or(0, |content| content.size_bytes()))
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
            let taken = self.retry(&message, by)?;
            let mut batch = Batch::new();
            if taken.rejected == 0 {
                batch.release(id)?;
            } else {
                batch.quarantine(&clisonix_store::Quarantined {
                    attempts: message.attempts.saturating_add(1),
                    reason: reason(&taken.issues),
                    issues: issues_value(&taken.issues).to_text().into_bytes(),
                    ..message
                })?;
            }
            self.store.write(batch)?;
            total.add(taken);
        }
        Ok(total)
    }

    /// Tries one message; if it is rejected again, nothing of it is applied.
    fn retry(
        &self,
        message: &clisonix_store::Quarantined,
        by: By<'_>,
    ) -> Result<TakenIn, NodeError> {
        if let Some(taken) = self.retry_run(message, by) {
            return Ok(taken);
        }
        let mut input = Input {
            name: message.file.clone().unwrap_or_default(),
            feed: (message.feed != "-").then(|| message.feed.clone()),
            bytes: message.bytes.clone(),
        };
        let mut load = self.load(by);
        if input.bytes.is_empty() {
            let Some(mut content) = self.store.raw_content(message.message)? else {
                // A line that is too long lies only within its file.
                let issue = Issue::error(IssueCode::NotSupported, "", message.reason.as_str());
                return Ok(TakenIn { rejected: 1, issues: vec![issue], ..TakenIn::default() });
            };
            if content.size_bytes() > MAX_WHOLE_BYTES {
                return load.retry_stored(message.message, &input);
            }
            content.read_to_end(&mut input.bytes)?;
        }
        let read = Read::new(input);
        let rejected = read.outcomes().iter().filter(|outcome| outcome.taken().is_none()).count();
        if rejected > 0 {
            let rejected = rejected as u64;
            return Ok(TakenIn { rejected, issues: read.rejections(), ..TakenIn::default() });
        }
        let taken = load.take(&read)?;
        load.finish()?;
        Ok(taken)
    }
}
