//! The entries of the sections, and the rows of the narrative tables they point to.

use super::markup::{author, coded, reference, spelled, template};
use crate::calendar::{Instant, Moment};
use crate::export::hl7v2::FILLER_OID;
use crate::export::stated;
use crate::population::{
    Allergy, Body, Diagnosis, Fact, Measure, Prescription, Vaccination, decimal,
};

/// Ids that the clinic gives to its entries.
const ENTRY_OID: &str = "2.16.840.1.113883.19.5.2.7";

/// The narrative row of a fact: its id and its cells.
pub(super) fn row(fact: &Fact, at: Instant) -> (String, Vec<String>) {
    let when = fact.when.local_day().fhir();
    let cells = match &fact.body {
        Body::Allergy(allergy) => {
            let substance = allergy.allergen.substance.display.to_owned();
            vec![substance, allergy.allergen.reaction.display.to_owned(), when]
        }
        Body::Medication(body) => {
            let how = format!("{} mg by mouth, {} times a day", body.drug.milligrams, body.per_day);
            vec![body.drug.coding.display.to_owned(), how, when]
        }
        Body::Condition(diagnosis) => {
            let side = diagnosis.problem.site.map_or("", |site| site.display);
            vec![diagnosis.problem.snomed.display.to_owned(), side.to_owned(), when]
        }
        Body::Measure(measure) => {
            let value = measure.value_at(Some(at)).map_or_else(String::new, |v| measure.text(v));
            let value = format!("{value} {}", measure.analyte.unit.shown);
            vec![measure.analyte.coding.display.to_owned(), value, spelled(fact.when)]
        }
        Body::Immunization(body) => {
            vec![body.vaccine.coding.display.to_owned(), body.lot.clone(), when]
        }
        Body::Encounter(visit) => vec![visit.number.clone(), when],
    };
    (row_id(fact), cells)
}

/// The entries of one section's facts: one each, or one organizer for what was measured together.
pub(super) fn entries(facts: &[&Fact], at: Instant) -> Vec<String> {
    let mut entries = Vec::new();
    let mut sets: Vec<(&str, Vec<(&Fact, &Measure)>)> = Vec::new();
    for fact in facts {
        match &fact.body {
            Body::Allergy(body) => entries.push(allergy(fact, body)),
            Body::Medication(body) => entries.push(medication(fact, body)),
            Body::Condition(body) => entries.push(problem(fact, body)),
            Body::Immunization(body) => entries.push(immunization(fact, body)),
            Body::Measure(body) => match sets.iter_mut().find(|(set, _)| *set == body.set) {
                Some((_, members)) => members.push((fact, body)),
                None => sets.push((&body.set, vec![(fact, body)])),
            },
            Body::Encounter(_) => {}
        }
    }
    entries.extend(sets.iter().map(|(_, members)| organizer(members, at)));
    entries
}

fn row_id(fact: &Fact) -> String {
    format!("row{}", fact.id)
}

/// The clinic's own id of an entry: its counter, not the fact's number.
fn id(fact: &Fact, part: u32) -> String {
    format!(
        "<id root=\"{ENTRY_OID}\" extension=\"E{}\"/>",
        u64::from(fact.id) * 11 + u64::from(part)
    )
}

fn allergy(fact: &Fact, body: &Allergy) -> String {
    let (kind, kind_display) = if body.allergen.is_drug() {
        ("416098002", "Allergy to drug")
    } else {
        ("419199007", "Allergy to substance")
    };
    let code = body.allergen.ingredient.unwrap_or(body.allergen.substance);
    let (high, high_display) =
        if body.high { ("CRITH", "high criticality") } else { ("CRITL", "low criticality") };
    let since = spelled(fact.when);
    format!(
        "<act classCode=\"ACT\" moodCode=\"EVN\">{}{}\
         <code code=\"CONC\" codeSystem=\"2.16.840.1.113883.5.6\"/><statusCode code=\"active\"/>\
         <effectiveTime><low value=\"{since}\"/></effectiveTime>\
         <entryRelationship typeCode=\"SUBJ\"><observation classCode=\"OBS\" moodCode=\"EVN\">{}{}\
         <code code=\"ASSERTION\" codeSystem=\"2.16.840.1.113883.5.4\"/>{}\
         <statusCode code=\"completed\"/><effectiveTime><low value=\"{since}\"/></effectiveTime>\
         <value xsi:type=\"CD\" code=\"{kind}\" codeSystem=\"2.16.840.1.113883.6.96\" \
         codeSystemName=\"SNOMED CT\" displayName=\"{kind_display}\"/>{}\
         <participant typeCode=\"CSM\"><participantRole classCode=\"MANU\">\
         <playingEntity classCode=\"MMAT\"><code {}/></playingEntity></participantRole>\
         </participant>\
         <entryRelationship typeCode=\"MFST\" inversionInd=\"true\">\
         <observation classCode=\"OBS\" moodCode=\"EVN\">{}{}\
         <code code=\"ASSERTION\" codeSystem=\"2.16.840.1.113883.5.4\"/>\
         <statusCode code=\"completed\"/><value xsi:type=\"CD\" {}/></observation>\
         </entryRelationship>\
         <entryRelationship typeCode=\"SUBJ\" inversionInd=\"true\">\
         <observation classCode=\"OBS\" moodCode=\"EVN\">\
         <templateId root=\"2.16.840.1.113883.10.20.22.4.145\"/>\
         <code code=\"82606-5\" codeSystem=\"2.16.840.1.113883.6.1\" codeSystemName=\"LOINC\" \
         displayName=\"Allergy or intolerance criticality\"/><statusCode code=\"completed\"/>\
         <value xsi:type=\"CD\" code=\"{high}\" codeSystem=\"2.16.840.1.113883.5.1063\" \
         displayName=\"{high_display}\"/></observation></entryRelationship>\
         </observation></entryRelationship></act>",
        template("2.16.840.1.113883.10.20.22.4.30", "2015-08-01"),
        id(fact, 0),
        template("2.16.840.1.113883.10.20.22.4.7", "2014-06-09"),
        id(fact, 1),
        reference(&row_id(fact)),
        author(fact.when),
        coded(code),
        template("2.16.840.1.113883.10.20.22.4.9", "2014-06-09"),
        id(fact, 2),
        coded(body.allergen.reaction)
    )
}

fn medication(fact: &Fact, body: &Prescription) -> String {
    let start = spelled(fact.when);
    format!(
        "<substanceAdministration classCode=\"SBADM\" moodCode=\"INT\">{}{}{}\
         <statusCode code=\"active\"/>\
         <effectiveTime xsi:type=\"IVL_TS\"><low value=\"{start}\"/><high nullFlavor=\"NI\"/>\
         </effectiveTime>\
         <effectiveTime xsi:type=\"PIVL_TS\" institutionSpecified=\"true\" operator=\"A\">\
         <period value=\"{}\" unit=\"h\"/></effectiveTime>\
         <routeCode code=\"C38288\" codeSystem=\"2.16.840.1.113883.3.26.1.1\" \
         codeSystemName=\"NCI Thesaurus\" displayName=\"ORAL\"/>\
         <doseQuantity value=\"{}\" unit=\"mg\"/>\
         <consumable><manufacturedProduct classCode=\"MANU\">{}\
         <manufacturedMaterial><code {}/></manufacturedMaterial></manufacturedProduct>\
         </consumable>{}</substanceAdministration>",
        template("2.16.840.1.113883.10.20.22.4.16", "2014-06-09"),
        id(fact, 0),
        reference(&row_id(fact)),
        24 / body.per_day.max(1),
        body.drug.milligrams,
        template("2.16.840.1.113883.10.20.22.4.23", "2014-06-09"),
        coded(body.drug.coding),
        author(fact.when)
    )
}

fn problem(fact: &Fact, body: &Diagnosis) -> String {
    let onset = spelled(fact.when);
    let status = if body.abatement.is_some() { "completed" } else { "active" };
    let end = body
        .abatement
        .map_or_else(String::new, |day| format!("<high value=\"{}\"/>", day.compact()));
    let site = body
        .problem
        .site
        .map_or_else(String::new, |site| format!("<targetSiteCode {}/>", coded(site)));
    format!(
        "<act classCode=\"ACT\" moodCode=\"EVN\">{}{}\
         <code code=\"CONC\" codeSystem=\"2.16.840.1.113883.5.6\"/>\
         <statusCode code=\"{status}\"/>\
         <effectiveTime><low value=\"{onset}\"/>{end}</effectiveTime>\
         <entryRelationship typeCode=\"SUBJ\"><observation classCode=\"OBS\" moodCode=\"EVN\">{}{}\
         <code code=\"55607006\" displayName=\"Problem\" codeSystem=\"2.16.840.1.113883.6.96\" \
         codeSystemName=\"SNOMED CT\"><translation code=\"75326-9\" \
         codeSystem=\"2.16.840.1.113883.6.1\" codeSystemName=\"LOINC\" displayName=\"Problem\"/>\
         </code>{}<statusCode code=\"completed\"/>\
         <effectiveTime><low value=\"{onset}\"/>{end}</effectiveTime>\
         <value xsi:type=\"CD\" {}><translation {}/></value>{site}{}\
         </observation></entryRelationship></act>",
        template("2.16.840.1.113883.10.20.22.4.3", "2015-08-01"),
        id(fact, 0),
        template("2.16.840.1.113883.10.20.22.4.4", "2015-08-01"),
        id(fact, 1),
        reference(&row_id(fact)),
        coded(body.problem.snomed),
        coded(body.problem.icd),
        author(Moment::Instant(fact.known))
    )
}

fn immunization(fact: &Fact, body: &Vaccination) -> String {
    format!(
        "<substanceAdministration classCode=\"SBADM\" moodCode=\"EVN\" negationInd=\"false\">\
         {}{}{}<statusCode code=\"completed\"/><effectiveTime value=\"{}\"/>\
         <doseQuantity value=\"{}\" unit=\"mL\"/>\
         <consumable><manufacturedProduct classCode=\"MANU\">{}\
         <manufacturedMaterial><code {}/><lotNumberText>{}</lotNumberText>\
         </manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>",
        template("2.16.840.1.113883.10.20.22.4.52", "2015-08-01"),
        id(fact, 0),
        reference(&row_id(fact)),
        spelled(fact.when),
        decimal(body.vaccine.tenths_ml, 1),
        template("2.16.840.1.113883.10.20.22.4.54", "2014-06-09"),
        coded(body.vaccine.coding),
        body.lot
    )
}

fn organizer(members: &[(&Fact, &Measure)], at: Instant) -> String {
    let Some((first, measure)) = members.first() else { return String::new() };
    let time = spelled(first.when);
    let (head, class) = match &measure.order {
        Some(order) => (
            format!(
                "{}<id root=\"{FILLER_OID}\" extension=\"{}\"/><code {}/>",
                template("2.16.840.1.113883.10.20.22.4.1", "2015-08-01"),
                order.filler,
                coded(order.panel.coding)
            ),
            "BATTERY",
        ),
        None => (
            format!(
                "{}{}<code code=\"46680005\" codeSystem=\"2.16.840.1.113883.6.96\" \
                 codeSystemName=\"SNOMED CT\" displayName=\"Vital signs\">\
                 <translation code=\"74728-7\" codeSystem=\"2.16.840.1.113883.6.1\" \
                 codeSystemName=\"LOINC\" displayName=\"Vital signs\"/></code>",
                template("2.16.840.1.113883.10.20.22.4.26", "2015-08-01"),
                id(first, 9)
            ),
            "CLUSTER",
        ),
    };
    let mut out = format!(
        "<organizer classCode=\"{class}\" moodCode=\"EVN\">{head}\
         <statusCode code=\"completed\"/><effectiveTime><low value=\"{time}\"/>\
         <high value=\"{time}\"/></effectiveTime>"
    );
    for (fact, measure) in members {
        out.push_str("<component>");
        out.push_str(&observation(fact, measure, at));
        out.push_str("</component>");
    }
    out.push_str("</organizer>");
    out
}

fn observation(fact: &Fact, measure: &Measure, at: Instant) -> String {
    let analyte = measure.analyte;
    let (low, high) = analyte.normal;
    let value = measure.value_at(Some(at));
    let flag = match value.map(|value| value.scaled) {
        Some(scaled) if scaled < low => "L",
        Some(scaled) if scaled > high => "H",
        _ => "N",
    };
    let templates = if measure.order.is_some() {
        template("2.16.840.1.113883.10.20.22.4.2", "2015-08-01")
    } else {
        template("2.16.840.1.113883.10.20.22.4.27", "2014-06-09")
    };
    let unit = analyte.unit.ucum;
    // A correction the clinic knows of is the value it shows; the note keeps that it was one.
    let note =
        if stated(fact, at).version > 0 { "<!-- corrected by the laboratory -->" } else { "" };
    format!(
        "<observation classCode=\"OBS\" moodCode=\"EVN\">{templates}{}<code {}/>{}{note}\
         <statusCode code=\"completed\"/><effectiveTime value=\"{}\"/>\
         <value xsi:type=\"PQ\" value=\"{}\" unit=\"{unit}\"/>\
         <interpretationCode code=\"{flag}\" codeSystem=\"2.16.840.1.113883.5.83\"/>\
         <referenceRange><observationRange><value xsi:type=\"IVL_PQ\">\
         <low value=\"{}\" unit=\"{unit}\"/><high value=\"{}\" unit=\"{unit}\"/></value>\
         </observationRange></referenceRange></observation>",
        id(fact, 0),
        coded(analyte.coding),
        reference(&row_id(fact)),
        spelled(fact.when),
        value.map_or_else(String::new, |value| measure.text(value)),
        decimal(low, analyte.places),
        decimal(high, analyte.places)
    )
}
