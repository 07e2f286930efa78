//! What one Consent (FHIR R4) says about one resource and one peer.
//!
//! A rule is tried twice: to permit, all its conditions must surely hold; to deny, it is enough that
//! they may hold. So what is not understood never permits.

use clisonix_fhir::json::Value;
use clisonix_ingest::sensitivity;

use super::period::{Place, place};
use super::{PeerRule, Shown, actor, coding, each, reference_to};

/// Deepest nesting of provisions that is understood.
const MAX_DEPTH: usize = 8;
/// Most provisions of one consent that are understood.
const MAX_PROVISIONS: usize = 1_000;

/// What a consent says about a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Permitted; the codes of the sensitive classes that the permission names.
    Permitted(Vec<String>),
    Denied,
    /// The consent cannot be understood.
    Unclear,
    /// Nothing: it is not in force, or about something else.
    Silent,
}

/// What a rule does where its conditions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Permit,
    Deny,
}

/// A root provision without a type: the policy rule says what holds, for everybody, and only its
/// period limits it. A policy that permits, with more conditions than that, is not understood.
#[derive(Clone, Copy)]
struct Root;

/// What is asked of a rule.
struct Question<'a> {
    resource: &'a Value,
    rule: &'a PeerRule,
    now_ms: i64,
}

/// What a consent says about a resource; `patients` are those of the record.
pub(super) fn verdict(
    consent: &Shown<'_>,
    resource: &Value,
    patients: &[String],
    (rule, now_ms): (&PeerRule, i64),
) -> Verdict {
    let value = consent.resource;
    match value.get("status").and_then(Value::as_str) {
        Some("active") => {}
        // FHIR R4: only an active consent is in force.
        Some("draft" | "proposed" | "rejected" | "inactive" | "entered-in-error")
            if !consent.is_disputed =>
        {
            return Verdict::Silent;
        }
        _ => return Verdict::Unclear,
    }
    match scope(value) {
        Scope::Privacy => {}
        Scope::Other => return Verdict::Silent,
        Scope::Unclear => return Verdict::Unclear,
    }
    if consent.is_disputed || has_unknown_meaning(value) {
        return Verdict::Unclear;
    }
    let Some(base) = base(value) else { return Verdict::Unclear };
    let question = Question { resource, rule, now_ms };
    let mut budget = MAX_PROVISIONS;
    let found = match value.get("provision") {
        None => Verdict::of(base, Vec::new()),
        Some(root) => {
            if root.get("type").is_none() && base == Kind::Permit && narrows(root) {
                return Verdict::Unclear;
            }
            let is_untyped = root.get("type").is_none();
            question.ask(root, base, is_untyped.then_some(Root), &mut budget, 0)
        }
    };
    let is_about = value
        .get("patient")
        .and_then(|patient| patient.get("reference"))
        .and_then(Value::as_str)
        .is_some_and(|patient| patients.iter().any(|own| own == patient));
    let is_refuted = each(value, "verification")
        .any(|check| check.get("verified").and_then(Value::as_bool) != Some(true));
    match found {
        Verdict::Permitted(_) if !is_about || is_refuted => Verdict::Silent,
        found => found,
    }
}

/// What a consent is about.
enum Scope {
    /// What is disclosed to whom.
    Privacy,
    /// Treatment, research, advance directives.
    Other,
    Unclear,
}

fn scope(consent: &Value) -> Scope {
    let codes: Vec<(&str, &str)> = consent
        .get("scope")
        .into_iter()
        .flat_map(|scope| each(scope, "coding"))
        .filter_map(coding)
        .collect();
    let is_known = |(system, _): &(&str, &str)| *system == SCOPES;
    if codes.contains(&(SCOPES, "patient-privacy")) {
        return Scope::Privacy;
    }
    let is_other = |(_, code): &(&str, &str)| matches!(*code, "research" | "treatment" | "adr");
    let mut known = codes.iter().filter(|code| is_known(code)).peekable();
    if known.peek().is_some() && known.all(is_other) { Scope::Other } else { Scope::Unclear }
}

/// Whether something changes the meaning that is not understood here.
fn has_unknown_meaning(value: &Value) -> bool {
    value.get("modifierExtension").is_some() || value.get("implicitRules").is_some()
}

/// What holds before the provisions: the root's own type, else what the policy rule is named.
fn base(consent: &Value) -> Option<Kind> {
    if let Some(kind) = consent.get("provision").and_then(|root| root.get("type")) {
        return kind_of(kind);
    }
    let codings = consent.get("policyRule").into_iter().flat_map(|rule| each(rule, "coding"));
    let mut kinds = codings.filter_map(coding).filter_map(|(system, code)| match (system, code) {
        (ACT_CODE, "OPTIN") => Some(Kind::Permit),
        (ACT_CODE, "OPTOUT" | "OPTOUTE") => Some(Kind::Deny),
        _ => None,
    });
    let first = kinds.next()?;
    kinds.all(|other| other == first).then_some(first)
}

fn kind_of(value: &Value) -> Option<Kind> {
    match value.as_str()? {
        "permit" => Some(Kind::Permit),
        "deny" => Some(Kind::Deny),
        _ => None,
    }
}

/// Whether a rule has any condition but its period. Without a type it cannot be told whether such a
/// root limits the policy or is an exception to it: HL7's own examples mean the one and the other.
fn narrows(root: &Value) -> bool {
    CONDITIONS.iter().any(|member| root.get(member).is_some())
}

impl Verdict {
    fn of(kind: Kind, classes: Vec<String>) -> Self {
        match kind {
            Kind::Permit => Self::Permitted(classes),
            Kind::Deny => Self::Denied,
        }
    }
}

impl Question<'_> {
    /// What a rule and its exceptions say.
    fn ask(
        &self,
        provision: &Value,
        kind: Kind,
        untyped: Option<Root>,
        budget: &mut usize,
        depth: usize,
    ) -> Verdict {
        if depth >= MAX_DEPTH || *budget == 0 || has_unknown_meaning(provision) {
            return Verdict::Unclear;
        }
        *budget -= 1;
        let holds = match untyped {
            Some(Root) => self.is_now(provision, kind),
            None => self.holds(provision, kind),
        };
        if !holds {
            return Verdict::Silent;
        }
        let (mut has_permits, mut permitted) = (false, None);
        for nested in each(provision, "provision") {
            let Some(nested_kind) = nested.get("type").and_then(kind_of) else {
                return Verdict::Unclear;
            };
            has_permits |= nested_kind == Kind::Permit;
            match self.ask(nested, nested_kind, None, budget, depth + 1) {
                Verdict::Permitted(classes) => {
                    permitted.get_or_insert_with(Vec::new).extend(classes);
                }
                Verdict::Silent => {}
                // A denial among the exceptions outranks every permission among them.
                other => return other,
            }
        }
        let mut classes = named_classes(provision);
        match (kind, permitted) {
            (_, Some(inner)) => {
                classes.extend(inner);
                Verdict::Permitted(classes)
            }
            (Kind::Deny, None) => Verdict::Denied,
            // Who permits some things by name does not permit the others.
            (Kind::Permit, None) if has_permits => Verdict::Silent,
            (Kind::Permit, None) => Verdict::Permitted(classes),
        }
    }

    /// Whether a rule is about the peer, its purpose, the resource and now: surely, if it permits;
    /// possibly, if it denies.
    fn holds(&self, provision: &Value, kind: Kind) -> bool {
        self.is_now(provision, kind)
            && self.is_actor(provision, kind)
            && is_action(provision, kind)
            && self.is_purpose(provision, kind)
            && self.is_labelled(provision, kind)
            && self.is_class(provision, kind)
            && self.is_code(provision, kind)
            && self.is_data(provision, kind)
            // When something happened is not looked at.
            && (provision.get("dataPeriod").is_none() || kind == Kind::Deny)
    }

    fn is_now(&self, provision: &Value, kind: Kind) -> bool {
        match place(provision.get("period"), self.now_ms) {
            Place::Within => true,
            Place::Outside => false,
            Place::Unclear => kind == Kind::Deny,
        }
    }

    fn is_actor(&self, provision: &Value, kind: Kind) -> bool {
        let mut actors = each(provision, "actor").peekable();
        if actors.peek().is_none() {
            return true;
        }
        actors.any(|entry| {
            let Some(reference) = entry.get("reference") else { return kind == Kind::Deny };
            let roles = entry.get("role").into_iter().flat_map(|role| each(role, "coding"));
            let receives = roles
                .filter_map(coding)
                .any(|(system, code)| system == PARTICIPATION && RECIPIENTS.contains(&code));
            match kind {
                Kind::Permit => receives && actor::names(reference, self.rule),
                Kind::Deny => actor::names(reference, self.rule) || actor::is_unclear(reference),
            }
        })
    }

    fn is_purpose(&self, provision: &Value, kind: Kind) -> bool {
        let codes: Vec<Option<&str>> = each(provision, "purpose")
            .map(|purpose| coding(purpose).filter(|(system, _)| *system == REASONS))
            .map(|coding| coding.map(|(_, code)| code))
            .collect();
        let own = &self.rule.purposes;
        if codes.is_empty() {
            return true;
        }
        let names = |own: &String| codes.contains(&Some(own));
        match kind {
            Kind::Permit => !own.is_empty() && own.iter().all(names),
            Kind::Deny => own.is_empty() || codes.contains(&None) || own.iter().any(names),
        }
    }

    fn is_labelled(&self, provision: &Value, kind: Kind) -> bool {
        let wanted: Vec<Option<(&str, &str)>> =
            each(provision, "securityLabel").map(coding).collect();
        if wanted.is_empty() {
            return true;
        }
        let labels: Vec<(&str, &str)> = sensitivity::labels(self.resource).collect();
        let own = labels.iter().filter(|(system, _)| *system == sensitivity::CONFIDENTIALITY);
        let own = own.filter_map(|(_, code)| level(code)).max();
        wanted.into_iter().any(|label| {
            let Some((system, code)) = label else { return kind == Kind::Deny };
            let level = level(code).filter(|_| system == sensitivity::CONFIDENTIALITY);
            match (level, own) {
                // A level of confidentiality reaches down for a permission and up for a denial.
                (Some(level), Some(own)) if kind == Kind::Permit => own <= level,
                (Some(level), Some(own)) => own >= level,
                // Nobody said how confidential it is.
                (Some(_), None) => kind == Kind::Deny,
                (None, _) => labels.contains(&(system, code)),
            }
        })
    }

    fn is_class(&self, provision: &Value, kind: Kind) -> bool {
        let mut classes = each(provision, "class").peekable();
        classes.peek().is_none()
            || classes.any(|class| match coding(class) {
                Some((RESOURCE_TYPES, code)) => self.resource.resource_type() == Some(code),
                _ => kind == Kind::Deny,
            })
    }

    fn is_code(&self, provision: &Value, kind: Kind) -> bool {
        let mut codes = each(provision, "code").peekable();
        if codes.peek().is_none() {
            return true;
        }
        let own = ["code", "type", "category", "vaccineCode", "medicationCodeableConcept"];
        let own = own.iter().flat_map(|member| each(self.resource, member));
        let own: Vec<(&str, &str)> =
            own.flat_map(|concept| each(concept, "coding")).filter_map(coding).collect();
        codes.any(|concept| {
            let mut codings = each(concept, "coding").filter_map(coding).peekable();
            // Words without a code are not understood.
            if codings.peek().is_none() {
                return kind == Kind::Deny;
            }
            codings.any(|coding| own.contains(&coding))
        })
    }

    fn is_data(&self, provision: &Value, kind: Kind) -> bool {
        let mut data = each(provision, "data").peekable();
        let own = reference_to(self.resource);
        data.peek().is_none()
            || data.any(|data| {
                let reference = data.get("reference").and_then(|data| data.get("reference"));
                let reference = reference.and_then(Value::as_str);
                match data.get("meaning").and_then(Value::as_str) {
                    Some("instance") if reference.is_some() => reference == own.as_deref(),
                    // What is related to it, or depends on it, is not followed.
                    _ => kind == Kind::Deny,
                }
            })
    }
}

fn is_action(provision: &Value, kind: Kind) -> bool {
    let mut actions = each(provision, "action").peekable();
    if actions.peek().is_none() {
        return true;
    }
    actions.any(|action| {
        let codings: Vec<(&str, &str)> = each(action, "coding").filter_map(coding).collect();
        let is = |wanted: &str| codings.contains(&(ACTIONS, wanted));
        match kind {
            Kind::Permit => is("access") || is("disclose"),
            Kind::Deny => codings.is_empty() || codings.iter().any(|code| *code != CORRECT),
        }
    })
}

/// The sensitive classes that a rule names by their label.
fn named_classes(provision: &Value) -> Vec<String> {
    let labels = each(provision, "securityLabel").filter_map(coding);
    let named = labels.filter(|(system, code)| {
        sensitivity::SENSITIVE.iter().any(|class| (class.system, class.code) == (*system, *code))
    });
    named.map(|(_, code)| code.to_owned()).collect()
}

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const SCOPES: &str = "http://terminology.hl7.org/CodeSystem/consentscope";
/// To have data corrected discloses none.
const CORRECT: (&str, &str) = (ACTIONS, "correct");
const ACTIONS: &str = "http://terminology.hl7.org/CodeSystem/consentaction";
const REASONS: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
const RESOURCE_TYPES: &str = "http://hl7.org/fhir/resource-types";

/// Roles in which somebody receives data.
const RECIPIENTS: &[&str] = &["PRCP", "IRCP", "REFT", "NOT", "CST"];

const CONDITIONS: &[&str] =
    &["actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod", "data"];

/// How confidential a level is; greater is more (HL7 v3 Confidentiality is ordered).
fn level(code: &str) -> Option<u8> {
    ["U", "L", "M", "N", "R", "V"].iter().position(|level| *level == code).map(|at| at as u8)
}
