//! Runs of authors who are not believed, or not known: put aside in the quarantine as they came, and
//! tried again when it is.

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_pq::Fingerprint;
use clisonix_store::{Batch, MessageId, Quarantined};
use clisonix_tide::Outcome;
use sha2::{Digest, Sha256};

use super::replica::take_again;
use crate::error::NodeError;
use crate::load::TakenIn;
use crate::node::{By, Node};
use crate::quarantine::issues_value;

/// No more runs are put aside when the quarantine holds this many bytes.
pub const MAX_ASIDE_BYTES: u64 = 1 << 30;

const FEED: &str = "node ";
const REASON: &str = "an author of the changes is not known or was revoked";

impl Node {
    /// Puts a run aside, durably, unless it is there already or there is no room.
    pub(super) fn put_aside(
        &self,
        record: &str,
        run: &[u8],
        from: Fingerprint,
    ) -> Result<(), NodeError> {
        let snapshot = self.store.snapshot()?;
        let id = id(record, run);
        let (_, bytes) = snapshot.quarantine_size()?;
        let is_full = bytes.saturating_add(run.len() as u64) > MAX_ASIDE_BYTES;
        if is_full || snapshot.quarantined(id)?.is_some() {
            return Ok(());
        }
        let now = self.inside().outside.now_ms();
        let issue = Issue::error(IssueCode::Processing, record, REASON);
        // The name of a record is at most as long as a byte counts.
        let name = [&[record.len() as u8], record.as_bytes()].concat();
        let mut batch = Batch::new();
        batch.quarantine(&Quarantined {
            message: id,
            feed: format!("{FEED}{}", from.hexadecimal()),
            file: None,
            received_ms: now.cast_signed(),
            attempts: 1,
            reason: REASON.to_owned(),
            issues: issues_value(&[issue]).to_text().into_bytes(),
            bytes: [&*name, run].concat(),
        })?;
        self.store.write(batch)?;
        Ok(())
    }

    /// Tries a message of the quarantine again that is a run; `None` of any other.
    pub(crate) fn retry_run(&self, message: &Quarantined, by: By<'_>) -> Option<TakenIn> {
        message.feed.strip_prefix(FEED).and_then(Fingerprint::from_hexadecimal)?;
        let (length, rest) = message.bytes.split_first()?;
        let (record, run) = rest.split_at_checked(usize::from(*length))?;
        let record =
            str::from_utf8(record).ok().filter(|record| id(record, run) == message.message)?;
        if take_again(self, record, run, by) == Outcome::Taken {
            return Some(TakenIn { messages: 1, ..TakenIn::default() });
        }
        let issues = vec![Issue::error(IssueCode::Processing, record, REASON)];
        Some(TakenIn { rejected: 1, issues, ..TakenIn::default() })
    }
}

fn id(record: &str, run: &[u8]) -> MessageId {
    let hasher = Sha256::new().chain_update(b"clisonix run aside 1\0").chain_update(record);
    let digest: [u8; 32] = hasher.chain_update([0]).chain_update(run).finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}
