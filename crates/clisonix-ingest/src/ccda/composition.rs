//! The document itself into `Composition`, every section's narrative kept, and an unstructured
//! body into `DocumentReference`.

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};

use super::actors::{actor, organization};
use super::datatypes::{concept, identifier, put, put_list};
use super::draft::{Draft, reference};
use super::encounters::encompassing;
use super::narrative::to_xhtml;
use super::sections::{Section, entries};
use super::source::Elem;
use super::statements::refers_to;
use super::time::{Interval, date_time};

/// Most levels of sections inside sections.
pub(crate) const MAX_SECTION_DEPTH: usize = 20;

/// Adds the composition and all that its sections say.
pub(crate) fn composition(document: Elem<'_>, draft: &mut Draft) {
    take_header(document);
    let mut body = Draft::body("Composition");
    put(&mut body, "language", language(document));
    put(&mut body, "identifier", document.child("id").and_then(identifier));
    body.insert("status", "final");
    put(&mut body, "type", document.child("code").and_then(concept));
    body.insert("subject", Draft::patient());
    let encounter = encompassing(document, draft);
    put(&mut body, "encounter", encounter.as_deref().map(reference));
    let date = document.child("effectiveTime").and_then(date_time);
    put(&mut body, "date", date);
    put_list(&mut body, "author", authors(document, draft));
    let title = document.child("title").and_then(Elem::text);
    let title = title.or_else(|| shown_type(&body));
    put(&mut body, "title", title);
    put(&mut body, "confidentiality", confidentiality(document));
    put_list(&mut body, "attester", attesters(document, draft));
    let custodian =
        document.path(&["custodian", "assignedCustodian", "representedCustodianOrganization"]);
    let keeper = custodian.and_then(|custodian| organization(custodian, draft));
    put(&mut body, "custodian", keeper.filter(|it| refers_to(it, &["Organization"])));
    put_list(
        &mut body,
        "relatesTo",
        document.children("relatedDocument").filter_map(relates_to).collect(),
    );
    put_list(
        &mut body,
        "event",
        document.children("documentationOf").filter_map(|it| event(it, draft)).collect(),
    );
    let mut sections = Vec::new();
    if let Some(structured) = document.path(&["component", "structuredBody"]) {
        for component in structured.children("component") {
            component.visit();
            sections.extend(component.children("section").filter_map(|it| section(it, 0, draft)));
        }
        structured.visit();
    }
    sections.extend(unstructured(document, draft));
    put_list(&mut body, "section", sections);
    for (member, words) in [
        ("date", "the document has no time"),
        ("author", "the document names no author"),
        ("title", "the document has no title"),
        ("type", "the document has no type"),
    ] {
        if !body.contains_key(member) {
            draft.issues.push(Issue::error(IssueCode::Required, document.address(), words));
        }
    }
    fill_required(&mut body);
    draft.add(body, document);
}

/// What a CDA document always says in the same way, and the templates it claims.
fn take_header(document: Elem<'_>) {
    document.visit();
    document.take_templates(|root| root.starts_with("2.16.840.1.113883.10.20.22.1."));
    if let Some(type_id) = document.child("typeId") {
        type_id.mark_attribute("root");
        type_id.mark_attribute("extension");
    }
    for path in [["component", "structuredBody"], ["custodian", "assignedCustodian"]] {
        document.path(&path).map(Elem::visit);
        document.path(path.get(..1).unwrap_or_default()).map(Elem::visit);
    }
    document
        .path(&["custodian", "assignedCustodian", "representedCustodianOrganization"])
        .map(Elem::visit);
}

/// `type`, `date`, `author` and `title` are required in FHIR; where the document has none, it
/// says so in the words FHIR has for it, and an issue tells it.
fn fill_required(body: &mut Object) {
    let unknown = |value: &str| {
        let mut extension = Object::new();
        extension.insert("url", "http://hl7.org/fhir/StructureDefinition/data-absent-reason");
        extension.insert("valueCode", value);
        let mut absent = Object::new();
        absent.insert("extension", vec![Value::Object(extension)]);
        absent
    };
    for member in ["date", "title"] {
        if !body.contains_key(member) {
            body.insert(format!("_{member}"), unknown("unknown"));
        }
    }
    if !body.contains_key("type") {
        body.insert("type", unknown("unknown"));
    }
    if !body.contains_key("author") {
        body.insert("author", vec![Value::Object(unknown("unknown"))]);
    }
}

fn language(document: Elem<'_>) -> Option<&str> {
    let code = document.child("languageCode")?;
    code.take("code").filter(|tag| !tag.contains(char::is_whitespace))
}

fn shown_type(body: &Object) -> Option<String> {
    let coding = body.get("type")?.get("coding")?.at(0)?;
    Some(coding.get("display")?.as_str()?.to_owned())
}

/// Required binding to v3 `ConfidentialityClassification`.
fn confidentiality(document: Elem<'_>) -> Option<&str> {
    let code = document.child("confidentialityCode")?;
    let value = code.peek("code")?;
    if !matches!(value, "U" | "L" | "M" | "N" | "R" | "V") {
        return None;
    }
    super::codes::take_whole(code);
    Some(value)
}

fn authors(document: Elem<'_>, draft: &mut Draft) -> Vec<Value> {
    let mut list = Vec::new();
    for author in document.children("author") {
        author.visit();
        let who = author.child("assignedAuthor").and_then(|assigned| actor(assigned, draft));
        let allowed = [
            "Practitioner",
            "PractitionerRole",
            "Device",
            "Patient",
            "RelatedPerson",
            "Organization",
        ];
        list.extend(who.filter(|who| refers_to(who, &allowed) && !list.contains(who)));
    }
    list
}

fn attesters(document: Elem<'_>, draft: &mut Draft) -> Vec<Value> {
    let mut list = Vec::new();
    for (element, mode) in [("legalAuthenticator", "legal"), ("authenticator", "professional")] {
        for signer in document.children(element) {
            signer.visit();
            let mut attester = Object::new();
            attester.insert("mode", mode);
            put(&mut attester, "time", signer.child("time").and_then(date_time));
            let who = signer.child("assignedEntity").and_then(|entity| actor(entity, draft));
            let allowed =
                ["Patient", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization"];
            put(&mut attester, "party", who.filter(|who| refers_to(who, &allowed)));
            if let Some(signature) =
                signer.child("signatureCode").filter(|it| it.peek("code") == Some("S"))
            {
                signature.mark_attribute("code");
            }
            list.push(attester.into());
        }
    }
    list
}

fn relates_to(related: Elem<'_>) -> Option<Value> {
    let code = match related.peek("typeCode")? {
        "RPLC" => "replaces",
        "APND" => "appends",
        "XFRM" => "transforms",
        _ => return None,
    };
    let parent = related.child("parentDocument")?;
    let mut out = Object::new();
    out.insert("code", code);
    out.insert("targetIdentifier", parent.child("id").and_then(identifier)?);
    related.visit();
    parent.visit();
    Some(out.into())
}

fn event(documentation: Elem<'_>, draft: &mut Draft) -> Option<Value> {
    let service = documentation.child("serviceEvent")?;
    let mut out = Object::new();
    put_list(&mut out, "code", service.child("code").and_then(concept).into_iter().collect());
    let period = service.child("effectiveTime").and_then(|time| Interval::read(time).period());
    put(&mut out, "period", period);
    for performer in service.children("performer") {
        // The people are stated as shared resources; the event has no place for them.
        if let Some(entity) = performer.child("assignedEntity") {
            let _ = actor(entity, draft);
        }
    }
    documentation.visit();
    service.visit();
    (!out.is_empty()).then_some(out.into())
}

/// One section with its narrative, its entries and the sections inside.
fn section(element: Elem<'_>, depth: usize, draft: &mut Draft) -> Option<Value> {
    if depth > MAX_SECTION_DEPTH {
        draft.report(IssueCode::TooCostly, element, "sections are nested deeper than the limit");
        return None;
    }
    element.visit();
    let kind = Section::of(element);
    let mut out = Object::new();
    let title = element.child("title").and_then(Elem::text);
    put(&mut out, "title", title);
    put(&mut out, "code", element.child("code").and_then(concept));
    if let Some(xhtml) = element.child("text").and_then(|text| to_xhtml(text, &mut draft.issues)) {
        let mut text = Object::new();
        text.insert("status", "additional");
        text.insert("div", xhtml);
        out.insert("text", text);
    }
    let names = entries(element, kind, draft);
    if names.is_empty() && element.peek("nullFlavor") == Some("NI") {
        element.mark_attribute("nullFlavor");
        let system = "http://terminology.hl7.org/CodeSystem/list-empty-reason";
        out.insert("emptyReason", super::datatypes::fixed_concept(system, "unavailable", None));
    }
    put_list(
        &mut out,
        "entry",
        super::datatypes::distinct(names.iter().map(|name| reference(name))),
    );
    let mut inner = Vec::new();
    for component in element.children("component") {
        component.visit();
        inner.extend(component.children("section").filter_map(|it| section(it, depth + 1, draft)));
    }
    put_list(&mut out, "section", inner);
    // FHIR cmp-1: a section has text, entries or sections.
    let says = ["text", "entry", "section"].iter().any(|member| out.contains_key(member));
    if !says {
        for part in ["title", "code"] {
            if let Some(part) = element.child(part) {
                part.unmark();
            }
        }
        draft.report(IssueCode::Incomplete, element, "the section says nothing");
    }
    says.then_some(out.into())
}

/// A body that is one file: a document reference that holds it, or says where it is.
fn unstructured(document: Elem<'_>, draft: &mut Draft) -> Option<Value> {
    let text = document.path(&["component", "nonXMLBody", "text"])?;
    let mut attachment = Object::new();
    put(&mut attachment, "contentType", text.take("mediaType").filter(|it| it.contains('/')));
    if text.peek("representation") == Some("B64") {
        let packed: String = text.peek_text().split_whitespace().collect();
        if !is_base64(&packed) {
            draft.report(IssueCode::Value, text, "the content is not base64; kept as it is");
            return None;
        }
        text.mark_attribute("representation");
        let _ = text.verbatim();
        attachment.insert("data", packed);
    } else if let Some(link) = text.child("reference") {
        put(&mut attachment, "url", link.take("value"));
    } else {
        draft.report(IssueCode::NotSupported, text, "a body of plain text is kept as it is");
        return None;
    }
    let mut body = Draft::body("DocumentReference");
    put(&mut body, "masterIdentifier", document.child("id").and_then(identifier));
    body.insert("status", "current");
    put(&mut body, "type", document.child("code").and_then(concept));
    body.insert("subject", Draft::patient());
    let at = document.child("effectiveTime").and_then(super::time::point);
    put(&mut body, "date", at.filter(super::time::Point::is_instant).map(|at| at.date_time()));
    let mut content = Object::new();
    content.insert("attachment", attachment);
    body.insert("content", vec![Value::Object(content)]);
    let name = draft.add(body, text)?;
    let mut section = Object::new();
    section.insert("entry", vec![reference(&name)]);
    Some(section.into())
}

/// RFC 4648 section 4, without white space.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - digits.len() <= 2
        && !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
