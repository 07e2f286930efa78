//! HL7 v2, C-CDA and FHIR into statements about records.
//!
//! One walk: bytes are unpacked and recognised by their content ([`recognition`]), split into
//! messages, each message is read into draft resources (by mapping tables for HL7 v2 and C-CDA,
//! directly for FHIR), and [`identity`] gives every draft an id derived from its meaning and sorts
//! the drafts into records. Each message ends in exactly one [`Outcome`]: taken in,
//! taken in with kept leaves listed, or rejected.

mod ccda;
pub mod fhir;
mod hl7v2;
pub mod identity;
mod intake;
pub mod mapping;
mod mappings;
pub mod recognition;
pub mod sensitivity;
pub mod terminology;
pub mod timestamp;

pub use intake::{
    Extent, Hint, Intake, Kept, Outcome, RecordKey, RecordKind, Rejected, Stated, Statement,
    message_id,
};
pub use mappings::{Mappings, Overlay};
pub use recognition::{Format, recognise};

use clisonix_fhir::issue::{Issue, IssueCode};

/// Takes in one file or one transmission, which may hold many messages.
///
/// Every message gets its own outcome, in order; a bad one never spoils the others. The answer
/// is never empty: bytes that are no message at all give one [`Outcome::Rejected`].
pub fn take_in(bytes: &[u8], hint: &Hint) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    take_in_each(bytes, hint, &mut |outcome| outcomes.push(outcome));
    outcomes
}

/// Like [`take_in`], handing over each outcome as soon as it is known, so that a large file of
/// many messages needs the memory of one message.
pub fn take_in_each(bytes: &[u8], hint: &Hint, sink: &mut dyn FnMut(Outcome)) {
    if let Ok(mappings) = Mappings::built_in() {
        return take_in_with(mappings, bytes, hint, sink);
    }
    let fault = "the mapping tables that come with the program have mistakes";
    let issue = Issue::error(IssueCode::Processing, hint.file_name(), fault);
    sink(Outcome::rejected(0..bytes.len(), issue));
}

/// Like [`take_in_each`], by a site's own mapping tables.
pub fn take_in_with(mappings: &Mappings, bytes: &[u8], hint: &Hint, sink: &mut dyn FnMut(Outcome)) {
    let unpacked = match recognition::unpack(bytes) {
        Ok(unpacked) => unpacked,
        Err(issue) => return sink(Outcome::rejected(0..bytes.len(), issue)),
    };
    let content: &[u8] = &unpacked;
    if let Some(issue) = recognition::unreadable(content) {
        return sink(Outcome::rejected(0..content.len(), issue));
    }
    match recognise(content) {
        Some(Format::Hl7v2) => {
            hl7v2::take_in(content, hint, &mappings.hl7v2).into_iter().for_each(sink);
        }
        Some(Format::Ccda) => sink(ccda::take_in(content, hint, &mappings.ccda)),
        Some(Format::FhirJson) => sink(fhir::take_in(content, hint)),
        Some(Format::FhirNdjson) => fhir::lines::take_in(content, hint, sink),
        None => sink(Outcome::rejected(
            0..content.len(),
            Issue::error(
                IssueCode::NotSupported,
                hint.file_name(),
                "the content is not recognised as HL7 v2, C-CDA or FHIR JSON",
            ),
        )),
    }
}
