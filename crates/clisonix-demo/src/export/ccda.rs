//! The clinic's C-CDA R2.1 Continuity of Care Documents.
//!
//! Header and templates follow HL7 CDA R2 IG "C-CDA Templates for Clinical Notes" R2.1 (2015);
//! every section carries a narrative table beside its entries. A later document of the same
//! patient repeats what the earlier one said, as summaries do.

mod entries;
mod markup;

use markup::{Section, escape, template};

use super::{Export, Message, halfway, horizon, known, stated};
use crate::calendar::Instant;
use crate::chance::Chance;
use crate::population::{Body, Fact, Person, Route, SHARED_OID};

/// The clinic's own patient numbers.
pub const CLINIC_OID: &str = "2.16.840.1.113883.19.5.2";

/// Puts one person's documents into files.
pub(super) fn render(person: &Person, seed: u64, export: &mut Export) {
    let mut chance = Chance::child(seed, "ccda arrival", u64::from(person.number));
    let mut documents = vec![document(person, 2, horizon())];
    if chance.percent(55) {
        documents.insert(0, document(person, 1, halfway()));
        if chance.percent(25) {
            documents.swap(0, 1);
        }
    }
    if chance.percent(15)
        && let Some(again) = documents.first().cloned()
    {
        documents.push(Message { resend: true, ..again });
    }
    for (place, document) in documents.into_iter().enumerate() {
        let file = format!("ccda/{:04}-{}.xml", person.number, place + 1);
        export.add(&file, person, Route::Ccda, document);
    }
}

fn document(person: &Person, number: u32, at: Instant) -> Message {
    let facts = known(person, Route::Ccda, None, at);
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <ClinicalDocument xmlns=\"urn:hl7-org:v3\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:sdtc=\"urn:hl7-org:sdtc\">\n",
    );
    text.push_str(&header(person, number, at));
    text.push_str("<component><structuredBody>\n");
    for section in sections(&facts, at) {
        text.push_str(&section.write());
    }
    text.push_str("</structuredBody></component>\n</ClinicalDocument>\n");
    let facts = facts.into_iter().map(|fact| stated(fact, at)).collect();
    Message { at, resend: false, facts, bytes: text.into_bytes() }
}

fn header(person: &Person, number: u32, at: Instant) -> String {
    let time = at.compact();
    let clinic = "<id root=\"2.16.840.1.113883.4.6\" extension=\"1568455321\"/>\
                  <name>Mesa Family Clinic</name>";
    format!(
        "<realmCode code=\"US\"/>\
         <typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_HD000040\"/>{}{}\
         <id root=\"2.16.840.1.113883.19.5.2.9\" extension=\"{}-{number}\"/>\
         <code code=\"34133-9\" codeSystem=\"2.16.840.1.113883.6.1\" codeSystemName=\"LOINC\" \
         displayName=\"Summarization of Episode Note\"/>\
         <title>Continuity of Care Document</title><effectiveTime value=\"{time}\"/>\
         <confidentialityCode code=\"N\" codeSystem=\"2.16.840.1.113883.5.25\"/>\
         <languageCode code=\"en-US\"/>\n{}\n\
         <author><time value=\"{time}\"/><assignedAuthor>\
         <id root=\"2.16.840.1.113883.4.6\" extension=\"1245319599\"/>{ADDRESS}\
         <telecom use=\"WP\" value=\"tel:+1-480-555-0100\"/>\
         <assignedPerson><name><given>Samuel</given><family>Brooks</family></name>\
         </assignedPerson></assignedAuthor></author>\n\
         <custodian><assignedCustodian><representedCustodianOrganization>{clinic}\
         <telecom use=\"WP\" value=\"tel:+1-480-555-0100\"/>{ADDRESS}\
         </representedCustodianOrganization></assignedCustodian></custodian>\n\
         <documentationOf><serviceEvent classCode=\"PCPR\"><effectiveTime>\
         <low value=\"20230101\"/><high value=\"{}\"/></effectiveTime></serviceEvent>\
         </documentationOf>\n",
        template("2.16.840.1.113883.10.20.22.1.1", "2015-08-01"),
        template("2.16.840.1.113883.10.20.22.1.2", "2015-08-01"),
        person.local_id(Route::Ccda),
        record_target(person, at),
        at.local_day().compact()
    )
}

const ADDRESS: &str = "<addr use=\"WP\"><streetAddressLine>40 W Main St</streetAddressLine>\
                       <city>Mesa</city><state>AZ</state><postalCode>85201</postalCode>\
                       <country>US</country></addr>";

fn record_target(person: &Person, at: Instant) -> String {
    let address = person.address_at(at).map_or_else(String::new, |address| {
        format!(
            "<addr use=\"HP\"><streetAddressLine>{}</streetAddressLine><city>{}</city>\
             <state>AZ</state><postalCode>{}</postalCode><country>US</country></addr>",
            escape(&address.line),
            address.city,
            address.zip
        )
    });
    let phone = person.phone_at(at).map_or_else(String::new, |phone| {
        format!("<telecom use=\"HP\" value=\"tel:+1-{}\"/>", phone.number)
    });
    let (sex, sex_display) = if person.female { ("F", "Female") } else { ("M", "Male") };
    format!(
        "<recordTarget><patientRole><id root=\"{SHARED_OID}\" extension=\"{}\"/>\
         <id root=\"{CLINIC_OID}\" extension=\"{}\"/>{address}{phone}\
         <patient><name use=\"L\"><given>{}</given><family>{}</family></name>\
         <administrativeGenderCode code=\"{sex}\" codeSystem=\"2.16.840.1.113883.5.1\" \
         displayName=\"{sex_display}\"/><birthTime value=\"{}\"/>\
         <raceCode nullFlavor=\"UNK\"/><ethnicGroupCode nullFlavor=\"UNK\"/>\
         <languageCommunication><languageCode code=\"en\"/></languageCommunication>\
         </patient></patientRole></recordTarget>",
        person.shared,
        person.local_id(Route::Ccda),
        escape(person.given),
        escape(person.family),
        person.birth.compact()
    )
}

fn sections(facts: &[&Fact], at: Instant) -> [Section; 6] {
    [
        section(&ALLERGIES, facts, at, |body| matches!(body, Body::Allergy(_))),
        section(&MEDICATIONS, facts, at, |body| matches!(body, Body::Medication(_))),
        section(&PROBLEMS, facts, at, |body| matches!(body, Body::Condition(_))),
        section(&RESULTS, facts, at, |b| matches!(b, Body::Measure(m) if m.order.is_some())),
        section(&VITALS, facts, at, |b| matches!(b, Body::Measure(m) if m.order.is_none())),
        section(&IMMUNIZATIONS, facts, at, |body| matches!(body, Body::Immunization(_))),
    ]
}

fn section(kind: &Kind, facts: &[&Fact], at: Instant, belongs: impl Fn(&Body) -> bool) -> Section {
    let facts: Vec<&Fact> = facts.iter().copied().filter(|fact| belongs(&fact.body)).collect();
    Section {
        template: kind.template,
        code: kind.code,
        title: kind.title,
        columns: kind.columns,
        rows: facts.iter().map(|fact| entries::row(fact, at)).collect(),
        entries: entries::entries(&facts, at),
    }
}

struct Kind {
    template: (&'static str, &'static str),
    code: (&'static str, &'static str),
    title: &'static str,
    columns: &'static [&'static str],
}

static ALLERGIES: Kind = Kind {
    template: ("2.16.840.1.113883.10.20.22.2.6.1", "2015-08-01"),
    code: ("48765-2", "Allergies and adverse reactions Document"),
    title: "Allergies and Intolerances",
    columns: &["Substance", "Reaction", "Since"],
};
static MEDICATIONS: Kind = Kind {
    template: ("2.16.840.1.113883.10.20.22.2.1.1", "2014-06-09"),
    code: ("10160-0", "History of Medication use Narrative"),
    title: "Medications",
    columns: &["Medication", "Instructions", "Start"],
};
static PROBLEMS: Kind = Kind {
    template: ("2.16.840.1.113883.10.20.22.2.5.1", "2015-08-01"),
    code: ("11450-4", "Problem list - Reported"),
    title: "Problems",
    columns: &["Problem", "Side", "Onset"],
};
static RESULTS: Kind = Kind {
    template: ("2.16.840.1.113883.10.20.22.2.3.1", "2015-08-01"),
    code: ("30954-2", "Relevant diagnostic tests/laboratory data Narrative"),
    title: "Results",
    columns: &["Test", "Value", "Time"],
};
static VITALS: Kind = Kind {
    template: ("2.16.840.1.113883.10.20.22.2.4.1", "2015-08-01"),
    code: ("8716-3", "Vital signs"),
    title: "Vital Signs",
    columns: &["Sign", "Value", "Time"],
};
static IMMUNIZATIONS: Kind = Kind {
    template: ("2.16.840.1.113883.10.20.22.2.2.1", "2015-08-01"),
    code: ("11369-6", "History of Immunization Narrative"),
    title: "Immunizations",
    columns: &["Vaccine", "Lot", "Date"],
};
