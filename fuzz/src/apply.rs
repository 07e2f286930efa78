//! Random histories over three replicas: whatever was edited, sent twice, late, out of order,
//! damaged, stored or forked, the replicas end with the same bytes.

use std::fmt::Write as _;

use clisonix_crdt::text::TextEdits;
use clisonix_crdt::{Base, Coverage, EditError, Erasure, Patch, Record, RefusalReason, Source};
use clisonix_fhir::json::{self, Value};

use super::bytes::Bytes;
use super::sample::{self, NAME};
use crate::site::{Site, entry_id, object, value};

/// Steps of one history.
const MAX_ACTS: usize = 40;
/// Forks of one history.
const MAX_FORKS: u8 = 8;

const ENTRIES: [&str; 5] =
    ["Patient/patient-123", "Patient/p1", "Observation/o", "Condition/c", "MedicationRequest/m"];

const POINTERS: [&str; 16] = [
    "/gender",
    "/birthDate",
    "/_birthDate",
    "/name",
    "/name/0",
    "/name/0/given",
    "/name/0/given/1",
    "/telecom/0/value",
    "/telecom/1",
    "/contact/0/name/family",
    "/deceasedBoolean",
    "/deceasedDateTime",
    "/status",
    "/extension/0/valueString",
    "/contained/0/status",
    "/code/coding/0/code",
];

const VALUES: [&str; 16] = [
    r#""male""#,
    r#""1970-01-01""#,
    "null",
    "true",
    "[]",
    "{}",
    r#"["A","B","A"]"#,
    r#"["A",null]"#,
    r#"[{"family":"N1"},{"family":"N2"}]"#,
    r#"{"family":"N1","given":["A"]}"#,
    r#"{"extension":[{"url":"u","valueString":"s"}]}"#,
    "1.50",
    r#""""#,
    r#""final""#,
    r#"{"system":"phone","value":"9"}"#,
    r#"[{"system":"phone","value":"9"},{"system":"phone","value":"9"}]"#,
];

const PATCHES: [&str; 8] = [
    r#"[{"op":"add","path":"/telecom/-","value":{"system":"email","value":"e"}}]"#,
    r#"[{"op":"remove","path":"/name/0"}]"#,
    r#"[{"op":"move","from":"/telecom/1","path":"/telecom/0"}]"#,
    r#"[{"op":"copy","from":"/name/0","path":"/name/0"}]"#,
    r#"[{"op":"replace","path":"/gender","value":"unknown"}]"#,
    r#"[{"op":"add","path":"/name/0/given","value":["B","B"]},{"op":"add","path":"/active","value":true}]"#,
    r#"[{"op":"remove","path":"/telecom"},{"op":"remove","path":"/gender"}]"#,
    r#"[{"op":"add","path":"/extension","value":[{"url":"u","valueString":"x"}]}]"#,
];

struct World {
    sites: Vec<Site>,
    forks: u8,
}

pub(crate) fn run(data: &[u8]) {
    let mut data = Bytes::new(data);
    let mut world =
        World { sites: vec![Site::new(b'A'), Site::new(b'B'), Site::new(b'C')], forks: 0 };
    for _ in 0..MAX_ACTS {
        if data.is_empty() {
            break;
        }
        world.act(&mut data);
    }
    let order = u64::from(data.u16());
    world.finish(order);
}

impl World {
    fn act(&mut self, data: &mut Bytes<'_>) {
        let act = data.below(19);
        let at = data.below(3);
        match act {
            0..=3 => self.put(at, &Base::Current, data),
            4 => {
                let base = self.old(at, data);
                self.put(at, &base, data);
            }
            5 => self.put(at, &Base::Assertion, data),
            6 => {
                let id = entry_id(data.one_of(&ENTRIES));
                let base = if data.byte() < 128 { Base::Current } else { self.old(at, data) };
                self.try_edit(at, None, |record, origin, actors| {
                    record.remove(&id, &base, origin, actors).map(drop)
                });
            }
            7 => self.state(at, data),
            8 => self.resolve(at, data),
            9 => self.pull(at, data.below(3)),
            10 => self.reload(at),
            11 => {
                let (id, pointer) = (entry_id(data.one_of(&ENTRIES)), data.one_of(&POINTERS));
                let value = value(data.one_of(&VALUES));
                self.try_edit(at, None, |record, origin, actors| {
                    record.set(&id, pointer, &value, origin, actors).map(drop)
                });
            }
            12 => self.undo(at, data),
            13 => {
                let (id, patch) = (entry_id(data.one_of(&ENTRIES)), value(data.one_of(&PATCHES)));
                let base = if data.byte() < 128 { Base::Current } else { self.old(at, data) };
                self.try_edit(at, None, |record, origin, actors| {
                    record.patch(&id, Patch::Json(&patch), &base, origin, actors).map(drop)
                });
            }
            14 => self.fork(at, data.below(3)),
            15 => self.damage(at, data),
            16 => self.type_in(at, data),
            17 => self.type_on(at, data),
            _ => self.erase(at, data),
        }
    }

    /// An edit that may be refused; then the record is as it was.
    fn try_edit(
        &mut self,
        at: usize,
        source: Option<Source>,
        edit: impl FnOnce(
            &mut Record,
            &clisonix_crdt::Origin<'_>,
            &mut dyn clisonix_crdt::ActorSource,
        ) -> Result<(), EditError>,
    ) {
        let site = &mut self.sites[at];
        let before = site.record.state_bytes();
        let outcome = site.with(source, edit);
        if outcome.is_err() {
            assert_eq!(site.record.state_bytes(), before, "a refused edit changed the record");
        }
    }

    /// A version of the site's past, of one or two heads.
    fn old(&self, at: usize, data: &mut Bytes<'_>) -> Base {
        let history = self.sites[at].record.history(None);
        let heads = (0..=data.below(2))
            .filter_map(|_| Some(history.get(data.below(history.len().clamp(1, 256)))?.id));
        Base::Heads(heads.collect())
    }

    fn put(&mut self, at: usize, base: &Base, data: &mut Bytes<'_>) {
        let first = object(&resource(data));
        let second = object(&resource(data));
        let count = 1 + data.below(2);
        let both = [&first, &second];
        self.try_edit(at, None, |record, origin, actors| {
            record.edit(&both[..count], base, origin, actors).map(drop)
        });
    }

    fn state(&mut self, at: usize, data: &mut Bytes<'_>) {
        let (feed, message) = (data.below(2), data.byte() % 8);
        // What a message says is a function of its name: a feed sends one message to all sites.
        let seed = [message, message.wrapping_mul(37), message.wrapping_mul(91), message];
        let text = resource(&mut Bytes::new(&seed));
        let coverage = if message.is_multiple_of(2) { Coverage::Stated } else { Coverage::Whole };
        let source = Source {
            feed: format!("feed-{feed}").into(),
            message: [message; 16],
            event_time_ms: 1_600_000_000_000 + u64::from(message % 3),
        };
        let object = object(&text);
        self.try_edit(at, Some(source), |record, origin, actors| {
            record.state(&[(&object, coverage)], origin, actors).map(drop)
        });
    }

    fn resolve(&mut self, at: usize, data: &mut Bytes<'_>) {
        let conflicts = self.sites[at].conflicts();
        if conflicts.is_empty() {
            return;
        }
        let conflict = &conflicts[data.below(conflicts.len().min(256))];
        let value = match data.below(4) {
            0 => None,
            1 => Some(Value::Bool(true)),
            2 => Some(value(data.one_of(&VALUES))),
            _ => conflict.sides[data.below(conflict.sides.len().clamp(1, 256))].value.clone(),
        };
        self.try_edit(at, None, |record, origin, actors| {
            let (id, address) = (&conflict.entry, &conflict.address);
            record.resolve(id, address, value.as_ref(), origin, actors).map(drop)
        });
    }

    /// Edits the text of a note as it is, or was.
    fn type_in(&mut self, at: usize, data: &mut Bytes<'_>) {
        let (id, pointer) = (entry_id("Observation/o"), data.one_of(&NOTES));
        let base = if data.byte() < 192 { Base::Current } else { self.old(at, data) };
        let edits = edits(data);
        self.try_edit(at, None, |record, origin, actors| {
            record.edit_text(&id, pointer, &edits, &base, origin, actors).map(drop)
        });
    }

    /// Types letter after letter in a note, and nobody asks what is there.
    fn type_on(&mut self, at: usize, data: &mut Bytes<'_>) {
        let (id, pointer) = (entry_id("Observation/o"), data.one_of(&NOTES));
        let site = &mut self.sites[at];
        for _ in 0..=data.below(6) {
            let edits = edits(data);
            let _ = site.with(None, |record, origin, actors| {
                record.type_text(&id, pointer, &edits, origin, actors)
            });
        }
    }

    /// Erases a value, an entry or everything, as it is or was.
    fn erase(&mut self, at: usize, data: &mut Bytes<'_>) {
        let id = entry_id(data.one_of(&ENTRIES));
        let what = match data.below(8) {
            0 => Erasure::Record,
            1 | 2 => Erasure::Entry(&id),
            3 | 4 => Erasure::Value { entry: &id, pointer: "/note/0" },
            _ => Erasure::Value { entry: &id, pointer: data.one_of(&POINTERS) },
        };
        let base = if data.byte() < 192 { Base::Current } else { self.old(at, data) };
        let site = &mut self.sites[at];
        let before = site.record.state_bytes();
        let outcome = site.with(None, |record, origin, actors| {
            record.erase(&what, &base, "a reason", origin, actors)
        });
        if outcome.is_err() {
            assert_eq!(site.record.state_bytes(), before, "a refused erasure changed the record");
        }
    }

    fn undo(&mut self, at: usize, data: &mut Bytes<'_>) {
        let history = self.sites[at].record.history(None);
        let Some(change) = history.get(data.below(history.len().clamp(1, 256))) else { return };
        let id = change.id;
        self.try_edit(at, None, |record, origin, actors| {
            record.undo(&id, origin, actors).map(drop)
        });
    }

    fn pull(&mut self, to: usize, from: usize) {
        let heads = self.sites[to].record.view().heads();
        let from = &self.sites[from].record;
        let (short, whole) = (from.changes_since(&heads), from.whole_changes_since(&heads));
        take(&mut self.sites[to].record, &short, &whole);
    }

    fn reload(&mut self, at: usize) {
        let record = &mut self.sites[at].record;
        let before = record.state_bytes();
        let shown = record.view().bundle_text();
        *record = Record::load(&record.save()).expect("what was saved is read");
        assert_eq!(record.state_bytes(), before);
        assert_eq!(record.view().bundle_text(), shown);
    }

    /// Another replica goes on from where this one is, as actors of its own.
    fn fork(&mut self, to: usize, from: usize) {
        if to == from || self.forks >= MAX_FORKS {
            return;
        }
        self.pull(from, to);
        self.forks += 1;
        self.sites[to] = self.sites[from].fork(b'C' + self.forks);
    }

    /// A damaged batch may say something else; then it may do so only to a copy.
    fn damage(&mut self, at: usize, data: &mut Bytes<'_>) {
        let mut bytes = self.sites[data.below(3)].record.changes_since(&[]);
        for _ in 0..=data.below(3) {
            let index = usize::from(data.u16()) % bytes.len();
            bytes[index] ^= data.byte();
        }
        let mut copy = self.sites[at].record.clone();
        let before = copy.state_bytes();
        match copy.receive(&bytes) {
            Ok(_) => sample::check(&copy),
            Err(_) => assert_eq!(copy.state_bytes(), before, "damaged bytes changed the record"),
        }
    }

    fn finish(mut self, mut order: u64) {
        let both = |record: &Record| (record.changes_since(&[]), record.whole_changes_since(&[]));
        let all: Vec<_> = self.sites.iter().map(|site| both(&site.record)).collect();
        for site in &mut self.sites {
            for (short, whole) in &all {
                take(&mut site.record, short, whole);
            }
        }
        let record = &self.sites[0].record;
        let (expected, shown) = (record.state_bytes(), record.view().bundle_text());
        assert!(json::parse(shown.as_bytes()).is_ok());
        let conflicts = record.view().conflicts();
        for site in &self.sites {
            assert_eq!(site.record.state_bytes(), expected);
            assert_eq!(site.record.view().bundle_text(), shown);
            assert_eq!(site.record.view().conflicts(), conflicts);
        }
        // One change a message, in any order, every third one twice, stored on the way.
        let ids: Vec<_> = record.history(None).iter().map(|change| change.id).collect();
        let both = |id| Some((record.change(id)?, record.whole_change(id)?));
        let mut singles: Vec<_> = ids.iter().filter_map(both).collect();
        for index in (1..singles.len()).rev() {
            order = order.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            singles.swap(index, (order >> 33) as usize % (index + 1));
        }
        let mut fresh = Record::new(NAME);
        for (index, (short, whole)) in singles.iter().enumerate() {
            take(&mut fresh, short, whole);
            if index % 3 == 0 {
                take(&mut fresh, short, whole);
            }
            if index == singles.len() / 2 {
                fresh = Record::load(&fresh.save()).expect("what was saved is read");
            }
        }
        assert_eq!(fresh.waiting_count(), 0);
        assert_eq!(fresh.state_bytes(), expected);
        assert_eq!(fresh.view().bundle_text(), shown);
        sample::check(&fresh);
    }
}

/// Honest changes are never refused; what overwrites something that was erased here is to come in
/// whole form.
fn take(record: &mut Record, short: &[u8], whole: &[u8]) {
    let received = record.receive(short).expect("an honest batch is read");
    let refused = &received.refused;
    let is_base = refused.iter().all(|refused| refused.reason == RefusalReason::Base);
    assert!(is_base, "an honest change was refused: {refused:?}");
    if !refused.is_empty() {
        let received = record.receive(whole).expect("an honest batch is read");
        assert!(received.refused.is_empty(), "a change was refused: {:?}", received.refused);
    }
}

const NOTES: [&str; 3] = ["/note/0/text", "/note/0/text", "/note/1/text"];
const TYPED: [&str; 6] = ["a", "n", " bc", "\"\n", "😀", ""];

/// Some edits near the beginning of a text.
fn edits(data: &mut Bytes<'_>) -> TextEdits {
    let mut edits = TextEdits::new();
    for _ in 0..=data.below(2) {
        let (position, count) = (data.below(5), data.below(8) / 6);
        edits.delete(position, count).expect("there is room");
        edits.insert(position, data.one_of(&TYPED)).expect("there is room");
    }
    edits
}

/// A resource of few words, so that edits meet.
fn resource(data: &mut Bytes<'_>) -> String {
    let (entry, has) = (data.one_of(&ENTRIES), data.u16());
    let (ty, id) = entry.split_once('/').expect("Type/id");
    let mut text = format!(r#"{{"resourceType":"{ty}","id":"{id}""#);
    let members: &[(&str, &[&str])] = match ty {
        "Patient" => &PATIENT,
        "Observation" => &OBSERVATION,
        "Condition" => &CONDITION,
        _ => &REQUEST,
    };
    for (index, (name, values)) in members.iter().enumerate() {
        if has >> (index % 16) & 1 == 1 {
            let _ = write!(text, r#","{name}":{}"#, data.one_of::<&str>(values));
        }
    }
    text.push('}');
    text
}

const PATIENT: [(&str, &[&str]); 14] = [
    ("gender", &[r#""male""#, r#""female""#, r#""other""#]),
    ("_gender", &[r#"{"extension":[{"url":"g","valueString":"x"}]}"#, r#"{"id":"g1"}"#]),
    ("birthDate", &[r#""1970-01-01""#, r#""1970""#, r#""1971-02""#]),
    (
        "name",
        &[
            r#"[{"family":"N1"}]"#,
            r#"[{"family":"N2","given":["A","B"]},{"family":"N1"}]"#,
            r#"[{"given":["A","A"],"_given":[null,{"id":"x"}]}]"#,
            r#"[{"use":"official","text":"N"},{"use":"official","text":"N"}]"#,
        ],
    ),
    (
        "telecom",
        &[
            r#"[{"system":"phone","value":"1"}]"#,
            r#"[{"system":"phone","value":"2"},{"system":"phone","value":"1"}]"#,
            r#"[{"system":"phone","value":"1","rank":1},{"system":"phone","value":"1"}]"#,
            r#"[{"value":"3"},{"value":"2"},{"value":"1"},{"system":"email","value":"1"}]"#,
        ],
    ),
    ("deceasedBoolean", &["true", "false"]),
    (
        "identifier",
        &[r#"[{"system":"s","value":"1"}]"#, r#"[{"system":"s","value":"2"},{"value":"1"}]"#],
    ),
    (
        "contact",
        &[
            r#"[{"name":{"family":"C1"},"telecom":[{"value":"1"}]}]"#,
            r#"[{"name":{"family":"C1"},"gender":"male"},{"id":"c","name":{"family":"C2"}}]"#,
        ],
    ),
    (
        "communication",
        &[
            r#"[{"language":{"coding":[{"code":"en"}]}}]"#,
            r#"[{"language":{"text":"de"},"preferred":true},{"language":{"coding":[{"code":"en"}]}}]"#,
        ],
    ),
    (
        "extension",
        &[
            r#"[{"url":"u","valueString":"s"}]"#,
            r#"[{"url":"u","extension":[{"url":"a","valueInteger":1},{"url":"b","valueCode":"c"}]}]"#,
        ],
    ),
    (
        "contained",
        &[
            r#"[{"resourceType":"Organization","id":"o1","name":"O"}]"#,
            r#"[{"resourceType":"Observation","id":"o2","status":"final","code":{"text":"t"}}]"#,
        ],
    ),
    ("managingOrganization", &[r##"{"reference":"#o1"}"##, r#"{"display":"O"}"#]),
    (
        "text",
        &[r#"{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">t</div>"}"#],
    ),
    ("strange", &["1", r#"{"a":[1,{"b":2}]}"#]),
];

const OBSERVATION: [(&str, &[&str]); 8] = [
    ("status", &[r#""final""#, r#""amended""#, r#""entered-in-error""#]),
    ("code", &[r#"{"coding":[{"system":"l","code":"1"}]}"#, r#"{"text":"t"}"#]),
    ("subject", &[r#"{"reference":"Patient/patient-123"}"#, r#"{"reference":"Patient/p1"}"#]),
    ("valueQuantity", &[r#"{"value":5.0,"unit":"mg"}"#, r#"{"value":5,"comparator":"<"}"#]),
    ("effectiveDateTime", &[r#""2024-01-01T10:00:00Z""#, r#""2024-01-01""#]),
    (
        "component",
        &[
            r#"[{"code":{"text":"a"},"valueString":"x"}]"#,
            r#"[{"code":{"text":"b"},"valueQuantity":{"value":1}},{"code":{"text":"a"},"valueBoolean":true}]"#,
        ],
    ),
    ("category", &[r#"[{"text":"v"}]"#, r#"[{"coding":[{"code":"v"}]},{"text":"v"}]"#]),
    ("note", &[r#"[{"text":"n"}]"#, r#"[{"text":"n"},{"text":"n","time":"2024"}]"#]),
];

const CONDITION: [(&str, &[&str]); 5] = [
    (
        "clinicalStatus",
        &[r#"{"coding":[{"code":"active"}]}"#, r#"{"coding":[{"code":"resolved"}]}"#],
    ),
    (
        "verificationStatus",
        &[r#"{"coding":[{"code":"confirmed"}]}"#, r#"{"coding":[{"code":"entered-in-error"}]}"#],
    ),
    ("abatementDateTime", &[r#""2024""#, r#""2025""#]),
    ("code", &[r#"{"text":"a"}"#, r#"{"coding":[{"code":"b"}]}"#]),
    ("subject", &[r#"{"reference":"Patient/patient-123"}"#]),
];

const REQUEST: [(&str, &[&str]); 6] = [
    ("status", &[r#""active""#, r#""stopped""#]),
    ("intent", &[r#""order""#, r#""plan""#]),
    ("doNotPerform", &["true", "false"]),
    ("medicationCodeableConcept", &[r#"{"text":"m"}"#, r#"{"coding":[{"code":"m"}]}"#]),
    (
        "dosageInstruction",
        &[
            r#"[{"sequence":1,"text":"d"}]"#,
            r#"[{"sequence":1,"doseAndRate":[{"doseQuantity":{"value":1}}]},{"sequence":2,"text":"e"}]"#,
        ],
    ),
    ("subject", &[r#"{"reference":"Patient/patient-123"}"#]),
];
