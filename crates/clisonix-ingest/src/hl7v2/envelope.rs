//! What the header says about a message: feed, control id, time, zone.

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_hl7v2::batch::BatchFault;
use clisonix_hl7v2::{Message, Timestamp};

use super::{Marks, tables};
use crate::Hint;

/// The feed of a message that names neither application nor facility.
const NAMELESS_FEED: &str = "hl7v2";

/// What is known of a message before its content is read.
pub(super) struct Envelope {
    /// The feed: given, else `application|facility` (MSH-3, MSH-4).
    pub(super) feed: String,
    /// MSH-10.
    pub(super) control_id: Option<String>,
    /// EVN-2, else MSH-7.
    pub(super) event_time_ms: Option<i64>,
    /// The zone of times without one: that of MSH-7 (HL7 v2 2.A.22), else the feed's.
    pub(super) zone_minutes: i32,
    /// Who gives names that only the sender knows, as part of a URI.
    pub(super) facility: String,
}

impl Envelope {
    /// Reads the header; the leaves that made the envelope are marked as used.
    pub(super) fn read(message: &Message<'_>, hint: &Hint, used: &mut Marks<'_>) -> Self {
        let application = first_of(message, &["MSH-3", "MSH-3.2"]);
        let facility = first_of(message, &["MSH-4", "MSH-4.2"]);
        // The delimiters and the character set were used to read everything else.
        for address in ["MSH-1", "MSH-2", "MSH-18"] {
            used.mark(index_of(message, address));
        }
        let feed = hint.feed.clone().unwrap_or_else(|| {
            for found in [&application, &facility].into_iter().flatten() {
                used.mark(Some(found.index));
            }
            feed_name(text_of(application.as_ref()), text_of(facility.as_ref()))
        });
        let control = first_of(message, &["MSH-10"]);
        used.mark(control.as_ref().map(|found| found.index));
        let sent = first_of(message, &["MSH-7"]);
        let zone_minutes = hint.zone_minutes_of(sent.as_ref().map(|sent| sent.text.as_str()));
        let zone = i16::try_from(zone_minutes).ok();
        let happened = first_of(message, &["EVN-2"]);
        let event = [happened, sent].into_iter().flatten().find_map(|found| {
            let time = Timestamp::parse(&found.text)?;
            let offset_minutes = time.offset_minutes.or(zone);
            Some((found.index, Timestamp { offset_minutes, ..time }.epoch_ms()))
        });
        used.mark(event.map(|(index, _)| index));
        let names = [text_of(facility.as_ref()), text_of(application.as_ref()), &feed];
        let facility = names.into_iter().find_map(tables::uri_part).unwrap_or_default();
        Self {
            control_id: control.map(|found| found.text),
            event_time_ms: event.map(|(_, ms)| ms),
            zone_minutes,
            facility,
            feed,
        }
    }
}

/// An issue for a batch whose parts contradict each other.
pub(super) fn batch_issue(fault: BatchFault) -> Issue {
    let (path, text) = match fault {
        BatchFault::MessageCount { .. } => ("BTS-1", "the batch has another number of messages"),
        BatchFault::BatchCount { .. } => ("FTS-1", "the file has another number of batches"),
        BatchFault::TrailerMissing { .. } => ("BTS", "a batch or file has no trailer"),
        _ => ("BHS", "the batch has more messages than the limit"),
    };
    Issue::warning(IssueCode::Incomplete, path, text)
}

/// A header value and the index of its leaf.
struct Found {
    text: String,
    index: usize,
}

fn first_of(message: &Message<'_>, addresses: &[&str]) -> Option<Found> {
    addresses.iter().find_map(|address| {
        let index = index_of(message, address)?;
        let leaf = message.leaves().get(index)?;
        let text = message.text(leaf).ok()?.value.trim().to_owned();
        (!text.is_empty() && !message.is_delete(leaf)).then_some(Found { text, index })
    })
}

fn text_of(found: Option<&Found>) -> &str {
    found.map_or("", |found| found.text.as_str())
}

fn index_of(message: &Message<'_>, address: &str) -> Option<usize> {
    let leaf = message.at(&address.parse().ok()?)?;
    message.leaves().binary_search(leaf).ok()
}

fn feed_name(application: &str, facility: &str) -> String {
    if application.is_empty() && facility.is_empty() {
        return NAMELESS_FEED.to_owned();
    }
    format!("{application}|{facility}")
}
