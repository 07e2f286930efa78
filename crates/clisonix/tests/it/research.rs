//! Research from outside: a cohort is de-identified, sealed, opened by another house and loaded, and
//! no identifier is in any byte that the other house gets.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64ct::{Base64, Encoding};
use clisonix_demo::export;
use clisonix_demo::population::{Body, Person, Population, ROUTES};
use clisonix_fhir::json::{self, Value};

use crate::parties::{Parties, objects, run};
use crate::site::{Ended, Site, number, text};

const PEOPLE: u32 = 24;

/// What must not come out, and what the hospital has of it.
struct Planted {
    population: Population,
    plants: Vec<String>,
}

impl Planted {
    /// Writes the population's files and, of each person, a bundle with identifiers wherever FHIR
    /// lets a text stand.
    fn write(site: &Site) -> Self {
        let population = Population::generate(PEOPLE, 7);
        export::write(&population, &site.path("files")).expect("files");
        let mut plants: Vec<String> = population.people.iter().flat_map(identifiers).collect();
        for person in &population.people {
            let bundle = bundle(person, &mut plants);
            site.file(&format!("files/planted/{}.json", person.number), bundle);
        }
        Self { population, plants }
    }

    /// Those that the bytes hold in any case, with the digits alone, or in base64 at any offset.
    fn found_in(&self, bytes: &[u8]) -> BTreeSet<&str> {
        let mut texts = Forms::default();
        let mut numbers = Forms::default();
        for plant in &self.plants {
            texts.add(plant, plant);
            let hidden = (0..3).map(|shift| base64_inside(plant, shift));
            hidden.filter(|it| it.len() >= 2 * HEAD).for_each(|it| texts.add(&it, plant));
            let own = digits_of(plant);
            if own.len() >= 9 {
                numbers.add(&own, plant);
            }
        }
        let mut found = texts.found_in(&bytes.to_ascii_lowercase());
        found.extend(numbers.found_in(digits(bytes).as_bytes()));
        found
    }
}

/// Texts to be searched for all at once, by how they begin.
#[derive(Default)]
struct Forms<'a>(HashMap<[u8; HEAD], Vec<(String, &'a str)>>);

/// How much of a text is looked at first.
const HEAD: usize = 5;

impl<'a> Forms<'a> {
    fn add(&mut self, form: &str, plant: &'a str) {
        let form = form.to_ascii_lowercase();
        let head = *form.as_bytes().first_chunk().unwrap_or_else(|| panic!("{plant} is short"));
        self.0.entry(head).or_default().push((form, plant));
    }

    fn found_in(&self, bytes: &[u8]) -> BTreeSet<&'a str> {
        let is_digit =
            |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        let stands = |at: usize, form: &str| {
            // A number is one only where it ends there: codes have digits.
            let numeric = form.bytes().all(|byte| byte.is_ascii_digit());
            let part = is_digit(at.checked_sub(1)) || is_digit(Some(at + form.len()));
            let here = bytes.get(at..).is_some_and(|rest| rest.starts_with(form.as_bytes()));
            here && !(numeric && part)
        };
        let mut found = BTreeSet::new();
        for (at, head) in bytes.windows(HEAD).enumerate() {
            let forms = self.0.get(head).map(Vec::as_slice).unwrap_or_default();
            let those = forms.iter().filter(|(form, _)| stands(at, form));
            found.extend(those.map(|(_, plant)| *plant));
        }
        found
    }
}

/// What the generated person is known by, in all three systems.
fn identifiers(person: &Person) -> Vec<String> {
    let mut all = vec![person.shared.clone(), format!("{} {}", person.given, person.family)];
    all.push(format!("{}^{}", person.family, person.given));
    all.extend(ROUTES.map(|route| person.local_id(route).to_owned()));
    all.extend(person.addresses.iter().map(|address| address.line.clone()));
    all.extend(person.phones.iter().map(|phone| phone.number.clone()));
    for fact in &person.facts {
        match &fact.body {
            Body::Encounter(visit) => all.push(visit.number.clone()),
            Body::Immunization(vaccination) => all.push(vaccination.lot.clone()),
            _ => {}
        }
    }
    all
}

/// A bundle about a person, with a new plant at each `@`, and in each `%` one in base64.
fn bundle(person: &Person, plants: &mut Vec<String>) -> String {
    let template = r#"{"resourceType":"Bundle","type":"collection","timestamp":"2025-08-20T08:00:00Z","entry":[
{"fullUrl":"urn:uuid:@","resource":{"resourceType":"Patient","id":"@","language":"en",
 "text":{"status":"additional","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">@</div>"},
 "extension":[{"url":"http://example.org/@","valueString":"@"},{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"@"}],
 "identifier":[{"type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"PI"}]},"system":"urn:oid:2.16.840.1.113883.19.5.99999.1","value":"SHARED"},{"system":"http://example.org/@","value":"@"}],
 "name":[{"text":"@","prefix":["@"]}],"telecom":[{"system":"email","value":"@"}],
 "address":[{"text":"@","line":["@"],"city":"@","district":"@","state":"MA","postalCode":"02139"}],
 "maritalStatus":{"text":"@"},"photo":[{"contentType":"image/png","data":"%","title":"@"}],
 "contact":[{"name":{"family":"@"},"telecom":[{"value":"@"}]}],"gender":"GENDER"}},
{"resource":{"resourceType":"Practitioner","id":"@","identifier":[{"system":"http://hl7.org/fhir/sid/us-npi","value":"@"}],"name":[{"family":"@"}],"birthDate":"1961-02-03"}},
{"resource":{"resourceType":"Observation","id":"@","status":"final","meta":{"source":"http://example.org/@"},
 "code":{"coding":[{"system":"http://loinc.org","code":"718-7","display":"@"}],"text":"@"},
 "subject":{"reference":"PATIENT","display":"@"},"performer":[{"display":"@"}],
 "effectiveDateTime":"2025-03-04T05:06:07Z","valueQuantity":{"value":13.5,"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"},
 "note":[{"authorString":"@","text":"@"}],"bodySite":{"text":"@"}}},
{"resource":{"resourceType":"DocumentReference","id":"@","status":"current","subject":{"reference":"PATIENT"},
 "masterIdentifier":{"system":"urn:ietf:rfc:3986","value":"urn:@"},"description":"@","date":"2025-03-04T05:06:07Z",
 "content":[{"attachment":{"contentType":"text/plain","data":"%","url":"http://example.org/@"}}]}},
{"resource":{"resourceType":"Condition","id":"@","subject":{"reference":"PATIENT"},
 "contained":[{"resourceType":"Practitioner","id":"c","name":[{"family":"@"}]}],"asserter":{"reference":"c-contained"},
 "code":{"coding":[{"system":"http://snomed.info/sct","code":"44054006","display":"@"},{"system":"http://example.org/@","code":"@"}]},
 "onsetDateTime":"2019-05-04","note":[{"text":"@"}],"evidence":[{"detail":[{"reference":"http://example.org/@"}]}]}}]}"#;
    let gender = if person.female { "female" } else { "male" };
    let template = template.replace("SHARED", &person.shared).replace("GENDER", gender);
    let template = template.replace("c-contained", "#c");
    let mut patient = String::new();
    let mut out = String::new();
    for letter in template.chars() {
        let plant = || format!("plant-{:07}-{}", 1_000_000 + plants.len() * 37, person.number);
        match letter {
            '@' | '%' => {
                let plant = plant();
                if patient.is_empty() {
                    patient = format!("urn:uuid:{plant}");
                }
                if letter == '@' {
                    out.push_str(&plant);
                } else {
                    out.push_str(&base64(plant.as_bytes()));
                }
                plants.push(plant);
            }
            letter => out.push(letter),
        }
    }
    out.replace("PATIENT", &patient)
}

/// Runs of digits, joints between them left out.
fn digits(bytes: &[u8]) -> String {
    let joints = |byte: &&u8| !matches!(byte, b'-' | b'.' | b'/' | b'(' | b')' | b' ');
    let mark = |byte: &u8| if byte.is_ascii_digit() { char::from(*byte) } else { ' ' };
    bytes.iter().filter(joints).map(mark).collect()
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What base64 makes of the text wherever it stands, without what its neighbours decide.
fn base64_inside(text: &str, shift: usize) -> String {
    let padded: Vec<u8> = std::iter::repeat_n(b' ', shift).chain(text.bytes()).collect();
    let encoded = base64(&padded);
    let end = encoded.len().saturating_sub(4);
    encoded.get(shift + usize::from(shift > 0)..end).unwrap_or_default().to_owned()
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// The hospital's share of a project; returns what the command printed.
fn share(parties: &Parties, project: &str, profile: &str, out: &str, more: &[&str]) -> Ended {
    let lab = parties.lab_keys();
    let out = parties.clinic.path(out).to_string_lossy().into_owned();
    let what = ["share", "research", "--project", project, "--deidentify", profile, "--out", &out];
    let terms = ["--to", &lab, "--as", "clinic", "--until", "2999-12-31", "--basis", "consent"];
    let purpose = ["--purpose", "diabetes study", "--json"];
    run(&parties.clinic, &[&what[..], &terms, &purpose, more].concat())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| json::parse(line.as_bytes()).expect("JSON")).collect()
}

fn names(resources: &[Value]) -> BTreeSet<String> {
    let name = |it: &Value| format!("{}/{}", text(it, "resourceType"), text(it, "id"));
    resources.iter().map(name).collect()
}

/// Opens a share as the lab, searches all that the lab has then, and returns the resources.
fn open(parties: &Parties, planted: &Planted, share: &str) -> Vec<Value> {
    let (clinic, share) = (parties.clinic_keys(), parties.clinic.path(share));
    let sealed = fs::read(&share).expect("a share");
    let share = share.to_string_lossy().into_owned();
    let verified = run(&parties.lab, &["verify", &share, "--from", &clinic, "--json"]);
    let opened =
        run(&parties.lab, &["open", &share, "--from", &clinic, "--as", "lab", "--out", "-"]);
    assert_eq!((verified.code, opened.code), (Some(0), Some(0)), "{}", opened.err);
    let all = [&sealed[..], opened.out.as_bytes(), verified.out.as_bytes()].concat();
    assert_eq!(planted.found_in(&all), BTreeSet::new(), "{share}");
    lines(&opened.out)
}

/// Loads a share at the lab, and makes sure that all its resources are there under their names.
fn load(parties: &Parties, share: &str, resources: &[Value]) {
    let (clinic, share) = (parties.clinic_keys(), parties.clinic.path(share));
    let share = share.to_string_lossy().into_owned();
    let load = ["open", &share, "--from", &clinic, "--as", "lab", "--load"];
    let loaded = objects(&parties.lab, &load).remove(0);
    let loaded = loaded.get("loaded").expect("a summary");
    assert_eq!(number(loaded, "resources"), i64::try_from(resources.len()).expect("a number"));
    assert_eq!(number(loaded, "messages_rejected"), 0);
    let mut found = BTreeSet::new();
    for resource in resources {
        let (ty, id) = (text(resource, "resourceType"), text(resource, "id"));
        if found.contains(&format!("{ty}/{id}")) {
            continue;
        }
        let bundle = objects(&parties.lab, &["show", &format!("{ty}/{id}")]).remove(0);
        let entries = bundle.get("entry").and_then(Value::as_array).expect("entries");
        let inner: Vec<Value> =
            entries.iter().filter_map(|entry| entry.get("resource").cloned()).collect();
        found.extend(names(&inner));
    }
    assert_eq!(found, names(resources));
}

#[test]
fn a_cohort_leaves_without_identifiers_and_is_loaded_elsewhere() {
    let parties = Parties::new();
    let planted = Planted::write(&parties.clinic);
    assert!(planted.plants.len() > 1_000, "{}", planted.plants.len());
    let files = parties.clinic.path("files").to_string_lossy().into_owned();
    let imported = run(&parties.clinic, &["import", &files]);
    assert_eq!(imported.code, Some(0), "{}", imported.err);

    let named = planted.population.people.iter().skip(4).map(|person| &*person.shared);
    let mut cohort = String::from("# four are not asked for, one is not there\nrecord nobody\n");
    named.for_each(|name| cohort.extend(["record ", name, "\n"]));
    cohort += "having Observation http://loinc.org|718-7 2025..\n";
    let cohort = parties.clinic.file("cohort", cohort);
    let report = parties.clinic.path("report.json").to_string_lossy().into_owned();
    let more = ["--cohort", &cohort, "--report", &report];
    let sealed = share(&parties, "diabetes", "safe-harbor", "one.share", &more);
    assert_eq!(sealed.code, Some(0), "{}", sealed.err);
    let sealed = json::parse(sealed.out.as_bytes()).expect("JSON");
    let account = sealed.get("research").expect("an account");
    assert_eq!(account.get("new_key").and_then(Value::as_bool), Some(true));
    let steps = account.get("attrition").and_then(Value::as_array).expect("steps");
    let left: Vec<i64> = steps.iter().map(|step| number(step, "left")).collect();
    assert_eq!((left.len(), left[1], left[2]), (3, 20, 20), "{left:?}");
    assert!(fs::read_to_string(&report).expect("a report").contains("\"smallestGroup\""));
    assert_eq!(
        text(&sealed, "content"),
        "de-identified FHIR R4 resources, one a line: safe-harbor"
    );
    let key = parties.clinic.path("keys/diabetes.project");
    assert_eq!(fs::metadata(key).expect("a key").permissions().mode() & 0o777, 0o600);

    let resources = open(&parties, &planted, "one.share");
    let of_type = |ty: &str| resources.iter().filter(|it| text(it, "resourceType") == ty).count();
    assert_eq!(of_type("Patient"), 20);
    assert!(of_type("Observation") > 100 && of_type("Condition") > 20, "{}", resources.len());
    for patient in resources.iter().filter(|it| text(it, "resourceType") == "Patient") {
        let born = patient.get("birthDate").and_then(Value::as_str);
        assert!(born.is_none_or(|year| year.len() == 4), "a year or nothing");
    }
    load(&parties, "one.share", &resources);

    // The same project under the other profile: the same people, days kept as distances.
    let having = ["--having", "Condition http://snomed.info/sct|44054006"];
    let again = share(&parties, "diabetes", "expert", "two.share", &having);
    assert_eq!(again.code, Some(0), "{}", again.err);
    let shifted = open(&parties, &planted, "two.share");
    let patients = |all: &[Value]| -> BTreeSet<String> {
        names(all).into_iter().filter(|name| name.starts_with("Patient/")).collect()
    };
    assert_eq!(patients(&shifted).len(), PEOPLE as usize);
    assert!(patients(&resources).is_subset(&patients(&shifted)));
    let days = |all: &[Value]| all.iter().filter(|it| it.to_text().contains("T05:06:07Z")).count();
    assert_eq!((days(&resources), days(&shifted) > 0), (0, true));

    // Another project has other pseudonyms; free text goes out only when asked for, and is seen.
    let file = ["--cohort", &*cohort, "--free-text"];
    let other = share(&parties, "other", "safe-harbor", "three.share", &file);
    assert_eq!(other.code, Some(0), "{}", other.err);
    let (clinic, path) = (parties.clinic_keys(), parties.clinic.path("three.share"));
    let path = path.to_string_lossy().into_owned();
    let told = run(&parties.lab, &["open", &path, "--from", &clinic, "--as", "lab", "--out", "-"]);
    assert!(patients(&lines(&told.out)).is_disjoint(&patients(&shifted)));
    assert!(!planted.found_in(told.out.as_bytes()).is_empty(), "the search sees a leak");

    let ways = |site: &Site| -> Vec<String> {
        let listed = objects(site, &["shares", "list"]);
        listed.iter().map(|it| format!("{} {}", text(it, "way"), text(it, "purpose"))).collect()
    };
    assert_eq!(ways(&parties.clinic), vec!["given diabetes study"; 3]);
    assert_eq!(ways(&parties.lab), vec!["received diabetes study"; 4]);
}

#[test]
fn what_cannot_be_shared_leaves_no_share() {
    let parties = Parties::new();
    let file = parties.clinic.file("one.json", crate::site::bundle("clinic", "low"));
    assert_eq!(run(&parties.clinic, &["import", &file]).code, Some(0));
    let none = ["--having", "Immunization"];
    let empty = share(&parties, "study", "safe-harbor", "x.share", &none);
    assert_eq!(empty.code, Some(4), "{}", empty.err);
    let all = ["--having", "Patient"];
    assert_eq!(share(&parties, "st/udy", "safe-harbor", "x.share", &all).code, Some(2));
    assert_eq!(share(&parties, "study", "unsafe", "x.share", &all).code, Some(4));
    let wrong = parties.clinic.file("rules", "element | Patient.nothing | keep | | x\n");
    let refused = share(&parties, "study", &wrong, "x.share", &all);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert_eq!(share(&parties, "study", "expert", "x.share", &["--having", "No"]).code, Some(2));
    assert_eq!(share(&parties, "study", "expert", "x.share", &[]).code, Some(2), "whose?");
    let key = parties.clinic.file("keys/open.project", "clisonix project key 1\n");
    assert_eq!(share(&parties, "open", "expert", "x.share", &all).code, Some(5), "{key}");
    assert!(!parties.clinic.path("x.share").exists());
    assert!(objects(&parties.clinic, &["shares", "list"]).is_empty());
}
