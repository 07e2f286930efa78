//! The records that are written to, and what of them may be where.

use std::collections::BTreeSet;

use clisonix_fhir::json::{self, Value};
use clisonix_node::ActorId;
use clisonix_node::consent::{Basis, PeerRule};

/// What every value that is written begins with; nothing else that travels holds it.
pub(crate) const MARK: &[u8] = b"Zqj";

/// What the patient says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Consent {
    /// Nothing.
    None,
    /// All may have it.
    OptIn,
    /// Nobody may have it but nodes of the same organisation.
    OptOut,
}

impl Consent {
    /// Whether a peer may hold the record on this basis.
    pub(crate) fn permits(self, basis: Basis) -> bool {
        match (basis, self) {
            (Basis::Own, _) | (Basis::All, Self::None | Self::OptIn) => true,
            (Basis::Consent, consent) => consent == Self::OptIn,
            _ => false,
        }
    }

    fn code(self) -> &'static str {
        if self == Self::OptOut { "OPTOUT" } else { "OPTIN" }
    }
}

/// A rule on a basis.
pub(crate) fn rule(basis: Basis) -> PeerRule {
    PeerRule { basis, shared: true, purposes: ["TREAT".to_owned()].into(), ..PeerRule::default() }
}

/// A record.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Its number.
    pub(crate) number: usize,
    /// Its id.
    pub(crate) id: String,
    /// Where it was made, and where its consent is changed.
    pub(crate) home: usize,
    /// Whether it has a consent.
    pub(crate) has_consent: bool,
    /// What the patient said, with the change that said it, in order.
    pub(crate) said: Vec<(ActorId, u64, Consent)>,
    /// Whether it is not known for sure what the patient said last.
    pub(crate) is_vague: bool,
    /// Every value that somebody tried to write.
    pub(crate) written: BTreeSet<String>,
}

impl Plan {
    /// A record that is not made yet.
    pub(crate) fn new(number: usize, home: usize, has_consent: bool) -> Self {
        Self {
            number,
            id: String::new(),
            home,
            has_consent,
            said: Vec::new(),
            is_vague: false,
            written: BTreeSet::new(),
        }
    }

    /// A value that was not written before.
    pub(crate) fn value(&mut self) -> String {
        let mark = String::from_utf8_lossy(MARK);
        let value = format!("{mark}{:02}v{}", self.number, self.written.len());
        self.written.insert(value.clone());
        value
    }

    /// What is taken in first.
    pub(crate) fn bundle(&self, value: &str) -> String {
        let consent = if self.has_consent {
            let consent = self.consent("urn:uuid:1", Consent::OptIn);
            format!(r#",{{"fullUrl":"urn:uuid:2","resource":{consent}}}"#)
        } else {
            String::new()
        };
        format!(
            r#"{{"resourceType":"Bundle","type":"collection","timestamp":"2024-01-01T00:00:00Z",
            "entry":[{{"fullUrl":"urn:uuid:1","resource":{{"resourceType":"Patient","identifier":[
            {{"type":{{"coding":[{{"code":"MR"}}]}},"system":"urn:oid:1.2.3","value":"{}"}}],
            "gender":"male","name":[{{"family":"{value}"}}]}}}}{consent}]}}"#,
            self.number
        )
    }

    fn consent(&self, patient: &str, consent: Consent) -> String {
        format!(
            r#"{{"resourceType":"Consent","identifier":[{{"system":"urn:oid:1.2.4","value":"{}"}}],
            "status":"active","scope":{{"coding":[{{"system":
            "http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}}]}},
            "category":[{{"coding":[{{"system":"http://loinc.org","code":"59284-0"}}]}}],
            "patient":{{"reference":"{patient}"}},"policyRule":{{"coding":[{{"system":
            "http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"{}"}}]}}}}"#,
            self.number,
            consent.code()
        )
    }

    /// Whether a node could hold it at some time.
    pub(crate) fn may_ever(&self, basis: Basis) -> bool {
        [Consent::None, Consent::OptIn].iter().any(|consent| {
            (self.has_consent == (*consent == Consent::OptIn)) && consent.permits(basis)
        })
    }
}

/// The entry of a type in what is shown of a record.
pub(crate) fn entry(bundle: &Value, ty: &str) -> Option<Value> {
    let entries = bundle.get("entry").and_then(Value::as_array).unwrap_or_default();
    let mut found = entries.iter().filter_map(|entry| entry.get("resource"));
    found.find(|resource| resource.resource_type() == Some(ty)).cloned()
}

/// The consent as it is shown, saying something else.
pub(crate) fn saying(shown: &Value, consent: Consent) -> Value {
    let text = shown.to_text();
    let other = if consent == Consent::OptOut { Consent::OptIn } else { Consent::OptOut };
    let text = text.replace(other.code(), consent.code());
    json::parse(text.as_bytes()).expect("JSON")
}

/// The numbers of the records whose values stand in bytes.
pub(crate) fn marked(bytes: &[u8]) -> BTreeSet<usize> {
    values(bytes).filter_map(number).collect()
}

/// The values that stand in bytes.
pub(crate) fn values(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let starts = bytes.windows(MARK.len()).enumerate().filter(|(_, part)| *part == MARK);
    let values = starts.filter_map(|(at, _)| {
        let rest = &bytes[at..];
        let end = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
        str::from_utf8(&rest[..end.unwrap_or(rest.len())]).ok()
    });
    // Ids and signatures are random texts that may begin as values do.
    values.filter(|value| number(value).is_some())
}

/// The number of the record that a value is of.
fn number(value: &str) -> Option<usize> {
    let (number, rest) = value.get(MARK.len()..)?.split_at_checked(2)?;
    rest.starts_with('v').then(|| number.parse().ok())?
}
