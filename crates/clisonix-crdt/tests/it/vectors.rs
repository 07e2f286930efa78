//! Vectors of the formats: the same edits give the committed bytes, and the committed bytes can be
//! read. `CLISONIX_WRITE_VECTORS=1` writes them anew. A second decoder, written from the documents
//! alone, reads them in `crates/clisonix-python/tests/`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clisonix_crdt::text::TextEdits;
use clisonix_crdt::{
    ActorId, ActorSecret, Address, Base, ChangeId, ChangeInfo, Coverage, ElementKey, Erasure,
    HybridTime, Link, Origin, Record, Source,
};
use clisonix_fhir::json::{self, Object, Value};
use clisonix_fhir::schema::{ElementId, Scope, resource_named};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::site::{Site, entry_id, exchange, object, value};

const NAME: &str = "patient-123";
const PATIENT: &str = r#"{"resourceType":"Patient","id":"patient-123","active":true,"gender":"male","name":[{"family":"Okafor","given":["Ada","Obi"]}],"telecom":[{"system":"phone","value":"1"},{"system":"phone","value":"2"}],"contact":[{"name":{"text":"A friend"},"gender":"female"}],"birthDate":"1970-01-01","_birthDate":{"extension":[{"url":"http://example.org/sure","valueBoolean":true}]},"multipleBirthInteger":2}"#;
const NOTE: &str =
    "The patient was seen in the morning and slept well, the pain is less than on the day before.";

/// The edits whose bytes the vectors hold: every kind of operation, of source and of place.
fn sites() -> (Site, Site) {
    let mut a = Site::new(b'A');
    a.put(PATIENT);
    a.put(
        r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/patient-123"}}"#,
    );
    a.put(&observation(NOTE));
    let mut b = a.fork(b'B');
    a.set("Patient/patient-123", "gender", Some(r#""female""#));
    b.set("Patient/patient-123", "gender", Some(r#""other""#));
    b.set("Patient/patient-123", "telecom", Some(r#"[{"system":"phone","value":"2"},{"system":"phone","value":"3"},{"system":"phone","value":"1"}]"#));
    b.set("Patient/patient-123", "multipleBirthInteger", None);
    a.remove("Condition/c1");
    a.put(&observation(&NOTE.replace("less", "more")));
    state(&mut a, 1, r#","gender":"female""#);
    state(&mut b, 2, r#","birthDate":"1971-01-01""#);
    exchange(&mut a, &mut b);
    let kept = a.conflicts().into_iter().find(|open| open.path == "Patient.gender");
    let kept = kept.expect("two genders are a conflict");
    a.with(None, |record, origin, actors| {
        record.resolve(
            &kept.entry,
            &kept.address,
            Some(&value(r#"{"gender":"other"}"#)),
            origin,
            actors,
        )
    })
    .expect("the conflict is open");
    b.put(r#"{"resourceType":"Condition","id":"c1","code":{"text":"asthma"},"subject":{"reference":"Patient/patient-123"}}"#);
    (a, b)
}

fn observation(text: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"o1","status":"final","code":{{"text":"course"}},"valueString":"{text}"}}"#
    )
}

fn state(site: &mut Site, message: u8, members: &str) {
    let stated = object(&format!(r#"{{"resourceType":"Patient","id":"patient-123"{members}}}"#));
    let source = Source {
        feed: "adt".into(),
        message: [message; 16],
        event_time_ms: 1_699_999_000_000 + u64::from(message),
    };
    site.with(Some(source), |record, origin, actors| {
        record.state(&[(&stated, Coverage::Partial)], origin, actors)
    })
    .expect("the statement is accepted");
}

fn exchange_vectors() -> Value {
    let (mut a, mut b) = sites();
    let apart = a.record.view().heads();
    let behind = a.record.fork();
    exchange(&mut a, &mut b);
    let mut file = Object::new();
    file.insert("record", NAME);
    file.insert("changes", changes(&a.record));
    let mut batches = Object::new();
    let ids: Vec<ChangeId> = a.record.history(None).iter().map(|change| change.id).collect();
    batches.insert("all", hex(&a.record.changes_since(&[])));
    batches.insert("since", hex(&a.record.changes_since(&apart)));
    let mut small = Site::new(b'S');
    small.put(r#"{"resourceType":"Patient","id":"patient-123","active":true}"#);
    let first = small.record.view().heads();
    small.set("Patient/patient-123", "active", Some("false"));
    small.set("Patient/patient-123", "active", Some("true"));
    batches.insert("columns_not_deflated", hex(&small.record.changes_since(&first)));
    let many = many();
    let first = many.record.history(None)[0].id;
    batches.insert("many_first", hex(&many.record.change(&first).expect("it is here")));
    batches.insert("many", hex(&many.record.changes_since(&[first])));
    file.insert("many", changes(&many.record));
    for (index, id) in ids.iter().enumerate() {
        let name = format!("change_{index}");
        batches.insert(name, hex(&a.record.change(id).expect("it is here")));
    }
    file.insert("batches", batches);
    file.insert("small", changes(&small.record));
    file.insert("link", links(&a.record, &small.record));
    file.insert("state", hex(&a.record.state_bytes()));
    let mut early = behind;
    let late = late(&mut b);
    early.receive(&b.record.change(&late).expect("it is here")).expect("readable");
    assert_eq!(early.waiting_count(), 1);
    file.insert("saved", hex(&a.record.save()));
    file.insert("saved_with_waiting", hex(&early.save()));
    file.insert("texts", text_vectors());
    Value::Object(file)
}

/// A few edits of all kinds: a run that is coded.
fn many() -> Site {
    let mut site = Site::new(b'M');
    site.put(PATIENT);
    for (number, word) in ["one", "two", "three", "four", "five", "\u{e9}"].iter().enumerate() {
        site.set_at("Patient/patient-123", "/telecom/1/value", &format!("555-{number}"));
        site.set_at("Patient/patient-123", "/name/0/family", word);
    }
    state(&mut site, 3, r#","gender":"female""#);
    site.set("Patient/patient-123", "contact", None);
    site.put(
        r#"{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/patient-123"}}"#,
    );
    site.remove("Condition/c1");
    site
}

/// Two sites that type in one note, one after another.
fn text_vectors() -> Value {
    let id = entry_id("Observation/o1");
    let type_in = |site: &mut Site, list: &[(usize, usize, &str)]| {
        let mut edits = TextEdits::new();
        for &(position, deleted, inserted) in list {
            edits.delete(position, deleted).expect("within the limits");
            edits.insert(position, inserted).expect("within the limits");
        }
        site.with(None, |record, origin, actors| {
            record.edit_text(&id, "/note/0/text", &edits, &Base::Current, origin, actors)
        })
        .expect("there is the note");
    };
    let mut a = Site::new(b'A');
    a.put(&format!(
        r#"{{"resourceType":"Observation","id":"o1","status":"final","code":{{"text":"course"}},"note":[{{"authorString":"ward","text":"{NOTE}"}}]}}"#
    ));
    let mut b = a.fork(b'B');
    type_in(&mut a, &[(0, 3, "Our"), (4, 7, "")]);
    b.pull(&a);
    type_in(&mut b, &[(0, 0, "- "), (2, 0, "\"\u{e9}\u{1f600}\"\n"), (5, 1, ""), (4, 1, "")]);
    a.pull(&b);
    type_in(&mut a, &[(0, 1, "*")]);
    let mut file = Object::new();
    file.insert("changes", changes(&a.record));
    file.insert("batch", hex(&a.record.changes_since(&[])));
    file.insert("saved", hex(&a.record.save()));
    file.insert("state", hex(&a.record.state_bytes()));
    file.insert("text", a.record.view().text(&id, "/note/0/text").expect("the note"));
    Value::Object(file)
}

/// One operation of many, a whole change and a whole record erased, and what is left of it.
fn erasure_vectors() -> Value {
    let mut a = Site::new(b'A');
    a.put(PATIENT);
    a.set("Patient/patient-123", "birthDate", Some(r#""1970-01-02""#));
    a.set("Patient/patient-123", "gender", Some(r#""female""#));
    let before = changes(&a.record);
    let patient = entry_id("Patient/patient-123");
    let mut erase = |what: &Erasure<'_>| {
        a.with(None, |record, origin, actors| {
            record.erase(what, &Base::Current, "wrong patient", origin, actors)
        })
        .expect("it is there");
        left(&a.record)
    };
    let mut file = Object::new();
    file.insert("record", NAME);
    file.insert("before", before);
    file.insert("value", erase(&Erasure::Value { entry: &patient, pointer: "/birthDate" }));
    file.insert("element", erase(&Erasure::Value { entry: &patient, pointer: "/name/0" }));
    file.insert("all", erase(&Erasure::Record));
    Value::Object(file)
}

fn left(record: &Record) -> Value {
    let mut file = Object::new();
    file.insert("changes", changes(record));
    file.insert("all", hex(&record.changes_since(&[])));
    let ids = record.history(None);
    let single = |change: &ChangeInfo| hex(&record.change(&change.id).expect("it is here"));
    file.insert("single", ids.iter().map(|id| Value::from(single(id))).collect::<Value>());
    file.insert("saved", hex(&record.save()));
    Value::Object(file)
}

/// A change that the other site cannot apply yet.
fn late(site: &mut Site) -> ChangeId {
    site.set("Patient/patient-123", "active", Some("false"));
    site.set("Patient/patient-123", "active", None);
    site.record.view().heads()[0]
}

/// What a link carries: a record from the start, a second one, then news of both.
fn links(first: &Record, second: &Record) -> Value {
    let mut link = Link::new();
    let mut other = Site::new(b'T');
    other.record = Record::new("p-2");
    other.put(r#"{"resourceType":"Patient","id":"p-2","gender":"male"}"#);
    let mut messages = vec![link.write(first, 0), link.write(&other.record, 0)];
    messages.push(link.write(second, 0));
    other.set("Patient/p-2", "gender", Some(r#""female""#));
    messages.push(link.write(&other.record, 1));
    other.set("Patient/p-2", "gender", Some(r#""other""#));
    messages.push(link.write(&other.record, 2));
    let mut file = Object::new();
    file.insert(
        "messages",
        messages.iter().map(|bytes| Value::from(hex(bytes))).collect::<Value>(),
    );
    file.insert("other", changes(&other.record));
    Value::Object(file)
}

fn changes(record: &Record) -> Value {
    record.history(None).iter().map(clisonix_crdt::ChangeInfo::to_value).collect()
}

/// One change made by hand after `docs/formats/change.md`, byte for byte.
fn small_vectors() -> Value {
    let entry = entry_id("Patient/patient-123");
    let gender = Scope::Type(entry.ty).member("gender").expect("an element").element;
    let text: &[u8] = br#""gender":"male""#;
    let address = (gender.0 + 16).to_be_bytes();
    let mut operations = vec![1, 0];
    assert!(entry.ty.0 >= 128 && entry.ty.0 < 1 << 14);
    operations.extend([entry.ty.0 as u8 | 0x80, (entry.ty.0 >> 7) as u8]);
    put(&mut operations, NAME.as_bytes());
    put(&mut operations, &address);
    put(&mut operations, text);

    let secret = [7; 32];
    // The way to the first change is one zero; its only operation's key is the change's.
    let key: [u8; 32] =
        Sha256::digest([b"clisonix keys 3\0".as_slice(), &[0], &secret].concat()).into();
    let mut said = Vec::new();
    put(&mut said, b"Patient");
    put(&mut said, NAME.as_bytes());
    put(&mut said, &address);
    said.push(0);
    said.extend_from_slice(text);
    let commitment = Sha256::digest(hmac(&key, &said));

    let time = HybridTime::from_millis(1_700_000_000_000);
    let mut header = b"clisonix change 3\0".to_vec();
    put(&mut header, NAME.as_bytes());
    header.extend([5; 16]);
    header.extend([1, 0]);
    leb(&mut header, time.0);
    put(&mut header, b"Dr. A");
    header.extend([0, 0]);
    header.extend_from_slice(&commitment);
    let id = ChangeId(Sha256::digest(&header).into());

    let mut record = Record::new(NAME);
    let resource = object(r#"{"resourceType":"Patient","id":"patient-123","gender":"male"}"#);
    let origin = Origin { author: "Dr. A", time, source: None };
    let mut actors = || (ActorId([5; 16]), ActorSecret(secret));
    let made = record.edit(&[&resource], &Base::Current, &origin, &mut actors);
    assert_eq!(made.expect("accepted"), Some(id), "the document and the code agree");

    let mut file = Object::new();
    file.insert("operations", hex(&operations));
    file.insert("secret", hex(&secret));
    file.insert("commitment", hex(&commitment));
    file.insert("header", hex(&header));
    file.insert("id", id.to_string());
    file.insert("batch", hex(&record.change(&id).expect("it is here")));
    Value::Object(file)
}

fn hmac(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length is a key");
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    leb(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn leb(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Key hashes, and the numbers of the schema that the other vectors use.
fn name_vectors() -> Value {
    let hashed: [&[&str]; 4] = [
        &["content", r#""Ada""#],
        &["id", "x1"],
        &["system=phone", "value=1"],
        &["system=", "value=\u{e9}"],
    ];
    let keys = hashed.iter().map(|parts| {
        let mut key = Object::new();
        key.insert("parts", parts.iter().map(|part| Value::from(*part)).collect::<Value>());
        key.insert("hash", hex(&ElementKey::hash_of(parts.iter().map(|part| part.as_bytes()))));
        Value::Object(key)
    });
    let (mut types, mut elements) = (Object::new(), Object::new());
    for name in ["Condition", "Observation", "Patient"] {
        let ty = resource_named(name).expect("a resource type");
        types.insert(name, i64::from(ty.0));
        for element in Scope::Type(ty).elements() {
            add_element(&mut elements, *element);
        }
    }
    let contact = Scope::Type(entry_id("Patient/x").ty).member("contact").expect("an element");
    for element in Scope::Element(contact.element).elements() {
        add_element(&mut elements, *element);
    }
    let mut file = Object::new();
    file.insert("keys", keys.collect::<Value>());
    file.insert("types", types);
    file.insert("elements", elements);
    file.insert("addresses", address_vectors());
    Value::Object(file)
}

/// One step of an address, written without the merge layer.
enum Step {
    Element(&'static str),
    Key(&'static [&'static str], u16),
    /// Presence, position, content.
    Last(&'static str),
    Unknown(&'static str),
}

/// Addresses spelled by hand from `docs/formats/change.md`. Those that are marked stand in the
/// changes of `exchange.json`; a reader takes all of them.
fn address_vectors() -> Value {
    use Step::{Element, Key, Last, Unknown};
    const PHONE: Step = Key(&[r#"system="phone""#, r#"value="1""#], 0);
    const FRIEND: Step = Key(&["content", r#"{"gender":"female","name":{"text":"A friend"}}"#], 0);
    let spelled: [(bool, &[Step]); 9] = [
        (true, &[Last("presence")]),
        (true, &[Element("gender")]),
        (true, &[Element("multipleBirth")]),
        (true, &[Element("telecom"), PHONE, Last("position")]),
        (true, &[Element("telecom"), PHONE, Last("content")]),
        (true, &[Element("contact"), FRIEND, Last("position")]),
        (true, &[Element("contact"), FRIEND, Element("gender")]),
        (false, &[Element("contact"), FRIEND, Last("presence")]),
        (false, &[Unknown("nickname")]),
    ];
    let vectors = spelled.into_iter().map(|(is_exchanged, steps)| {
        let (bytes, steps, ends) = spell(steps);
        let address = Address::from_bytes(&bytes).expect("an address");
        assert_eq!(address.as_bytes(), bytes);
        for cut in (0..bytes.len()).filter(|cut| !ends.contains(cut)) {
            assert!(Address::from_bytes(&bytes[..cut]).is_err(), "{:02x?}", &bytes[..cut]);
        }
        let mut vector = Object::new();
        vector.insert("steps", steps);
        vector.insert("bytes", hex(&bytes));
        vector.insert("exchanged", is_exchanged);
        Value::Object(vector)
    });
    vectors.collect()
}

/// The bytes of an address, its steps as text, and where steps end.
fn spell(steps: &[Step]) -> (Vec<u8>, Value, Vec<usize>) {
    let mut scope = Scope::Type(entry_id("Patient/x").ty);
    let (mut bytes, mut names, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for step in steps {
        ends.push(bytes.len());
        match step {
            Step::Element(name) => {
                let element = scope.elements().iter().find(|e| e.element().name == *name);
                let element = *element.expect("an element of the type");
                bytes.extend((element.0 + 16).to_be_bytes());
                names.push(Value::from(element.element().path));
                scope = Scope::Element(element);
            }
            Step::Key(parts, occurrence) => {
                let mut hasher = Sha256::new();
                for part in *parts {
                    hasher.update((part.len() as u64).to_be_bytes());
                    hasher.update(part.as_bytes());
                }
                let hash = &hasher.finalize()[..8];
                bytes.extend_from_slice(hash);
                bytes.extend(occurrence.to_be_bytes());
                names.push(Value::from(format!("{}.{occurrence}", hex(hash))));
            }
            Step::Last(name) => {
                let number = ["presence", "position", "content"].iter().position(|n| n == name);
                bytes.extend([0, number.expect("a last step") as u8]);
                names.push(Value::from(format!("#{name}")));
            }
            Step::Unknown(name) => {
                bytes.extend([0, 3, name.len() as u8]);
                bytes.extend(name.as_bytes());
                names.push(Value::from(format!("?{name}")));
            }
        }
    }
    ends.retain(|&end| end > 0);
    (bytes, Value::from(names), ends)
}

fn add_element(elements: &mut Object, element: ElementId) {
    let mut about = Object::new();
    about.insert("path", element.element().path);
    about.insert("list", element.element().is_list());
    elements.insert(element.0.to_string(), about);
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("text can be written");
    }
    text
}

pub(crate) fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("text");
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

pub(crate) fn committed(name: &str) -> Value {
    json::parse(&std::fs::read(file(name)).expect("the vectors are there")).expect("JSON")
}

#[test]
fn the_vectors_are_written() {
    let made = [
        ("names.json", name_vectors()),
        ("small.json", small_vectors()),
        ("exchange.json", exchange_vectors()),
        ("erasure.json", erasure_vectors()),
    ];
    for (name, value) in made {
        let text = format!("{}\n", value.to_pretty());
        if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
            std::fs::write(file(name), &text).expect("the folder can be written");
        }
        let have = std::fs::read_to_string(file(name)).unwrap_or_default();
        assert!(have == text, "{name}: other bytes than the committed ones");
    }
}

#[test]
fn the_vectors_are_read() {
    let vectors = committed("exchange.json");
    let at = |name: &str| vectors.get(name).expect("the vector is there");
    let state = unhex(at("state"));
    let batches = at("batches").as_object().expect("an object");
    let mut whole = Record::new(NAME);
    whole.receive(&unhex(batches.get("all").expect("a batch"))).expect("readable");
    let mut single = Record::new(NAME);
    for (_, batch) in batches.iter().filter(|(name, _)| name.starts_with("change_")) {
        single.receive(&unhex(batch)).expect("readable");
    }
    let mut linked = Record::new(NAME);
    let mut link = Link::new();
    let messages = at("link").get("messages").and_then(Value::as_array).expect("messages");
    let message = link.read(&unhex(&messages[0])).expect("readable");
    linked.receive_message(message).expect("of this record");
    let saved = Record::load(&unhex(at("saved"))).expect("readable");
    assert!(saved.is_sound());
    // As the version before wrote it.
    let before = committed("batch-3.json");
    let before = before.get("batches").and_then(|batches| batches.get("all"));
    let mut older = Record::new(NAME);
    older.receive(&unhex(before.expect("a batch"))).expect("readable");
    for record in [whole, single, linked, saved, older] {
        assert!(record.state_bytes() == state && record.waiting_count() == 0);
        assert_eq!(changes(&record), *at("changes"));
    }
    let erased = committed("erasure.json");
    for step in ["value", "element", "all"].map(|name| erased.get(name).expect("a vector")) {
        let mut fresh = Record::new(NAME);
        let batch = unhex(step.get("all").expect("a batch"));
        assert_eq!(fresh.receive(&batch).expect("readable").refused, []);
        let saved = Record::load(&unhex(step.get("saved").expect("a record"))).expect("readable");
        assert!(saved.is_sound() && saved.state_bytes() == fresh.state_bytes());
        assert_eq!(Some(&changes(&fresh)), step.get("changes"));
    }
    let texts = at("texts");
    let part = |name: &str| unhex(texts.get(name).expect("the vector is there"));
    let mut typed = Record::new(NAME);
    typed.receive(&part("batch")).expect("readable");
    let saved = Record::load(&part("saved")).expect("readable");
    assert!(saved.is_sound());
    for record in [typed, saved] {
        assert!(record.state_bytes() == part("state"));
        let text = record.view().text(&entry_id("Observation/o1"), "/note/0/text");
        assert_eq!(text.ok().as_deref(), texts.get("text").and_then(Value::as_str));
    }
    let waiting = Record::load(&unhex(at("saved_with_waiting"))).expect("readable");
    assert_eq!(waiting.waiting_count(), 1);
}
