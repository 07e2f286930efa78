//! One document as a mapping source: its elements and attributes as nodes, and the functions that
//! the tables of C-CDA call.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;

use clisonix_fhir::issue::{Issue, IssueCode, Severity};
use clisonix_fhir::json::Value;
use clisonix_fhir::validate::broken_rules;

use super::narrative::to_xhtml;
use super::source::{Elem, Place, Source, trimmed};
use crate::mapping::{self, Argument, Axis, Text};
use crate::terminology::{is_oid, is_uuid, uri_of_oid};
use crate::timestamp;

/// The functions that [`View`] offers to mappings.
pub(super) const FUNCTIONS: &[&str] = &["words", "xhtml", "end", "urn", "is_patient"];

/// A document as a mapping sees it.
pub(super) struct View<'s> {
    source: &'s Source<'s>,
    zone_minutes: i32,
    /// The business keys of the patient.
    patient: Vec<(String, String)>,
    issues: RefCell<Vec<Issue>>,
}

impl<'s> View<'s> {
    /// Times without an offset are read at `zone_minutes` east of UTC.
    pub(super) fn new(source: &'s Source<'s>, zone_minutes: i32) -> Self {
        let role = source.root().path(&["recordTarget", "patientRole"]);
        let ids = role.into_iter().flat_map(|role| role.children("id"));
        let patient = ids.filter_map(key).collect();
        Self { source, zone_minutes, patient, issues: RefCell::new(Vec::new()) }
    }

    /// What the functions had to report, once however often they were called.
    pub(super) fn into_issues(self) -> Vec<Issue> {
        let mut issues = self.issues.into_inner();
        let mut told = HashSet::new();
        issues.retain(|issue| told.insert((issue.path.clone(), issue.message.clone())));
        issues
    }

    fn report(&self, issue: Issue) {
        self.issues.borrow_mut().push(issue);
    }

    fn element(&self, place: Place) -> Option<Elem<'_>> {
        match place {
            Place::Element(id) => self.source.element(id),
            Place::Attribute(..) | Place::Text(_) => None,
        }
    }

    /// The name and value of an attribute.
    fn attribute(&self, place: Place) -> Option<(&str, &str)> {
        let Place::Attribute(id, at) = place else { return None };
        self.source.element(id)?.attribute(usize::from(at))
    }

    /// The words of an element: its own, or those its `reference` points to in the narrative, which
    /// the section states.
    fn words(&self, element: Elem<'_>) -> Option<(String, Vec<Place>)> {
        let reference = element.child("reference");
        let target = reference.and_then(|reference| {
            let id = reference.peek("value")?.strip_prefix('#')?;
            self.source.by_id(id)
        });
        let link = target.and(reference).and_then(|reference| reference.place("value"));
        let own = element.text();
        if !own.is_empty() {
            let places = [Place::Element(element.id())].into_iter().chain(link);
            return Some((own, places.collect()));
        }
        let words = target.map(Elem::text).filter(|words| !words.is_empty())?;
        Some((words, link.into_iter().collect()))
    }

    fn xhtml(&self, text: Elem<'_>) -> Option<(String, Vec<Place>)> {
        let narrative = to_xhtml(text);
        narrative.issues.into_iter().for_each(|issue| self.report(issue));
        Some((narrative.div?, narrative.used))
    }

    /// The end of an interval. FHIR per-1: it is not before the start; one that is stays kept.
    fn end(&self, interval: Elem<'_>) -> Option<(String, Vec<Place>)> {
        let high = interval.child("high")?;
        let point =
            |element: Elem<'_>| timestamp::fhir_of_hl7(element.peek("value")?, self.zone_minutes);
        let end = point(high)?;
        let start = interval.child("low").and_then(point).or_else(|| point(interval));
        if start.is_some_and(|start| is_before(&end, &start)) {
            let message = "the end is before the start; end kept aside";
            self.report(Issue::warning(IssueCode::Invariant, interval.address(), message));
            return None;
        }
        Some((end, high.place("value").into_iter().collect()))
    }

    /// Whether an `id` of the person is one of the patient's.
    fn is_patient(&self, person: Elem<'_>) -> Option<(String, Vec<Place>)> {
        let id = person
            .children("id")
            .find(|id| key(*id).is_some_and(|key| self.patient.contains(&key)))?;
        let places = ["root", "extension"].into_iter().filter_map(|name| id.place(name));
        Some(("true".to_owned(), places.collect()))
    }
}

impl mapping::Source for View<'_> {
    type Node = Place;

    fn root(&self) -> Place {
        Place::Element(self.source.root().id())
    }

    fn find(&self, from: Place, axis: Axis<'_>, found: &mut Vec<Place>) {
        let place = |element: Elem<'_>| Place::Element(element.id());
        let Some(element) = self.element(from) else {
            if let (Axis::Around, Place::Attribute(id, _)) = (axis, from) {
                found.push(Place::Element(id));
            }
            return;
        };
        match axis {
            Axis::Name(name) => found.extend(element.children(name).map(place)),
            Axis::Any => found.extend(element.elements().map(place)),
            Axis::Deep(name) => {
                found.extend(element.within().filter(|it| it.name() == name).map(place));
            }
            Axis::Attribute(name) => found.extend(element.place(name)),
            Axis::Around => found.extend(element.around().map(place)),
            Axis::Part(_) => {}
        }
    }

    fn text(&self, node: Place) -> Text<'_> {
        if let Some((name, value)) = self.attribute(node) {
            let value = trimmed(value);
            // `xsi:type` is a qualified name; CDA types have one namespace.
            let bare =
                if name == "type" { value.rsplit(':').next().unwrap_or(value) } else { value };
            return if bare.is_empty() { Text::Nothing } else { Text::Value(Cow::Borrowed(bare)) };
        }
        match self.element(node).map(Elem::text) {
            Some(text) if !text.is_empty() => Text::Value(Cow::Owned(text)),
            _ => Text::Nothing,
        }
    }

    fn name(&self, node: Place) -> Cow<'_, str> {
        let element = self.element(node).map(Elem::name);
        let name = element.or_else(|| self.attribute(node).map(|(name, _)| name));
        Cow::Borrowed(name.unwrap_or_default())
    }

    fn address(&self, node: Place) -> String {
        match node {
            Place::Element(id) | Place::Text(id) => {
                self.source.element(id).map(Elem::address).unwrap_or_default()
            }
            Place::Attribute(id, _) => {
                let element = self.source.element(id).map(Elem::address).unwrap_or_default();
                format!("{element}/@{}", mapping::Source::name(self, node))
            }
        }
    }

    fn zone_minutes(&self) -> i32 {
        self.zone_minutes
    }

    /// An element is there whether it has text or not.
    fn is_there(&self, node: Place) -> bool {
        self.element(node).is_some() || matches!(self.text(node), Text::Value(_))
    }

    /// CDA has no way to say "delete this".
    fn is_retraction(&self, _: Place) -> bool {
        false
    }

    /// An element's own leaves are its attributes.
    fn leaves(&self, node: Place, found: &mut Vec<Place>) {
        match self.element(node) {
            Some(element) => found.extend(element.attributes().map(|(.., place)| place)),
            None => found.push(node),
        }
    }

    /// A resource that breaks FHIR's rules is not taken over. References within the document have
    /// other names yet.
    fn faults(&self, resource: &Value) -> Vec<Issue> {
        let broken = broken_rules(resource).into_iter().filter(|rule| rule.key != "ref-1");
        broken.map(|rule| rule.issue).collect()
    }

    fn call(
        &self,
        function: &str,
        at: Place,
        arguments: &[Argument<Place>],
    ) -> Option<(String, Vec<Place>)> {
        let given = || self.element(arguments.first()?.node?);
        match function {
            "words" => self.words(given()?),
            "end" => self.end(given()?),
            "xhtml" => self.xhtml(self.element(at)?),
            "is_patient" => self.is_patient(self.element(at)?),
            "urn" => Some((urn(arguments.first()?.text.as_deref()?)?, Vec::new())),
            _ => None,
        }
    }
}

/// Entries of which nothing was read, told once each.
pub(super) fn unread(statement: Elem<'_>) -> Issue {
    let message = "no rule reads this entry; it is kept as it is";
    Issue::new(Severity::Information, IssueCode::NotSupported, statement.address(), message)
}

/// The business key in an II: system and value as FHIR names them.
pub(super) fn key(id: Elem<'_>) -> Option<(String, String)> {
    if id.peek("nullFlavor").is_some() {
        return None;
    }
    let root = id.peek("root")?;
    match (urn(root), id.peek("extension")) {
        (Some(_), Some(extension)) if is_oid(root) => {
            Some((uri_of_oid(root), extension.to_owned()))
        }
        (Some(urn), Some(extension)) => Some((urn, extension.to_owned())),
        (Some(urn), None) => Some((RFC_3986.to_owned(), urn)),
        (None, Some(extension)) => Some((UNKNOWN_ROOT.to_owned(), format!("{root}^{extension}"))),
        (None, None) => None,
    }
}

/// The system of identifiers that are URIs themselves.
const RFC_3986: &str = "urn:ietf:rfc:3986";
/// The system of identifiers whose root is neither an object identifier nor a UUID.
const UNKNOWN_ROOT: &str = "urn:clisonix:root";

/// An object identifier or UUID as a URN (RFC 3061, RFC 9562).
fn urn(root: &str) -> Option<String> {
    if is_oid(root) {
        return Some(format!("urn:oid:{root}"));
    }
    is_uuid(root).then(|| format!("urn:uuid:{}", root.to_ascii_lowercase()))
}

/// Whether a FHIR time lies before another as far as both are precise.
fn is_before(end: &str, start: &str) -> bool {
    if let (Some(end), Some(start)) = (timestamp::epoch_ms(end), timestamp::epoch_ms(start)) {
        return end < start;
    }
    let shared = end.len().min(start.len()).min("YYYY-MM-DD".len());
    end.get(..shared) < start.get(..shared)
}

#[cfg(test)]
mod tests;
