//! Who a peer is in a record: references and identifiers that name its organisation.

use clisonix_fhir::json::Value;

use super::{PeerRule, Shown, each};

/// Whether a reference names the peer.
pub(super) fn names(reference: &Value, rule: &PeerRule) -> bool {
    let by_reference = reference.get("reference").and_then(Value::as_str);
    let by_identifier = reference.get("identifier").is_some_and(|identifier| {
        let text = |name| identifier.get(name).and_then(Value::as_str).unwrap_or_default();
        let pair = (text("system").to_owned(), text("value").to_owned());
        !pair.1.is_empty() && rule.identifiers.contains(&pair)
    });
    by_identifier || by_reference.is_some_and(|reference| rule.references.contains(reference))
}

/// Whether it cannot be told whom a reference names: it is neither a name of the form `Type/id` nor
/// an identifier.
pub(super) fn is_unclear(reference: &Value) -> bool {
    let is_plain = |text: &str| {
        let mut parts = text.split('/');
        let named = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
        named(parts.next()) && named(parts.next()) && parts.next().is_none()
    };
    let by_reference = reference.get("reference").and_then(Value::as_str).is_some_and(is_plain);
    let identifier = reference.get("identifier").and_then(|identifier| identifier.get("value"));
    !by_reference && identifier.is_none()
}

/// Whether the peer's organisation takes care of the patient, by what the record says: it is the
/// general practitioner, keeps the patient's record, provides an encounter, manages an episode of
/// care, or takes part in a care team.
pub(super) fn takes_care<'a>(
    mut known: impl Iterator<Item = &'a Shown<'a>>,
    rule: &PeerRule,
) -> bool {
    known.any(|shown| {
        if shown.is_disputed {
            return false;
        }
        let resource = shown.resource;
        let any = |member| each(resource, member).any(|reference| names(reference, rule));
        let status = resource.get("status").and_then(Value::as_str).unwrap_or_default();
        match resource.resource_type().unwrap_or_default() {
            "Patient" => any("generalPractitioner") || any("managingOrganization"),
            "Encounter" => {
                !matches!(status, "cancelled" | "entered-in-error") && any("serviceProvider")
            }
            "EpisodeOfCare" => {
                matches!(status, "planned" | "waitlist" | "active" | "onhold")
                    && any("managingOrganization")
            }
            "CareTeam" => {
                status == "active" && (any("managingOrganization") || is_member(resource, rule))
            }
            _ => false,
        }
    })
}

fn is_member(team: &Value, rule: &PeerRule) -> bool {
    each(team, "participant").any(|participant| {
        ["member", "onBehalfOf"]
            .iter()
            .any(|member| each(participant, member).any(|reference| names(reference, rule)))
    })
}
