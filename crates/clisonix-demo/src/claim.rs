//! What an edit claims: the values its author put in, or took out, by comparing what was read
//! with what was written.

use clisonix_fhir::json::{Object, Value};

use crate::compose::{contains, holds, objects_with, same, text};

/// One thing an edit says about one top-level member of the resource.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The member (`dosageInstruction`), empty when the whole entry is removed.
    pub member: String,
    /// What is said.
    pub kind: ClaimKind,
}

/// What a claim says.
#[derive(Debug, Clone)]
pub enum ClaimKind {
    /// The member holds this value: the smallest object that changed, or the primitive.
    Says(Value),
    /// The member no longer holds this list element.
    Drops(Value),
    /// The member is gone.
    Absent,
    /// The entry is gone.
    Removed,
}

/// Members that are the record keeper's own.
const OWN: [&str; 5] = ["resourceType", "id", "meta", "text", "contained"];
/// Choices: writing one type of these takes the other away without saying so.
const CHOICES: [&str; 6] = ["value", "onset", "abatement", "effective", "deceased", "medication"];

/// The claims of a whole-resource write.
pub fn claims(before: &Value, after: &Value) -> Vec<Claim> {
    let none = Object::new();
    let old = before.as_object().unwrap_or(&none);
    let new = after.as_object().unwrap_or(&none);
    let mut claims = Vec::new();
    for (member, value) in new.iter().filter(|(member, _)| !OWN.contains(member)) {
        if !old.get(member).is_some_and(|before| same(before, value)) {
            changed(member, old.get(member), value, &mut claims);
        }
    }
    let said: Vec<String> = claims.iter().map(|claim| claim.member.clone()).collect();
    for member in old.keys().filter(|member| !OWN.contains(member) && !new.contains_key(member)) {
        let replaced = CHOICES.iter().any(|stem| {
            member.starts_with(stem) && said.iter().any(|other| other.starts_with(stem))
        });
        // A reason for absence gives way to the value.
        let gives_way = member == "dataAbsentReason" && said.iter().any(|m| m.starts_with("value"));
        if !replaced && !gives_way {
            claims.push(Claim { member: member.to_owned(), kind: ClaimKind::Absent });
        }
    }
    claims
}

/// The claim of a removal.
pub fn removal() -> Vec<Claim> {
    vec![Claim { member: String::new(), kind: ClaimKind::Removed }]
}

fn changed(member: &str, before: Option<&Value>, after: &Value, claims: &mut Vec<Claim>) {
    let mut push = |kind| claims.push(Claim { member: member.to_owned(), kind });
    let Value::Array(new) = after else {
        push(ClaimKind::Says(smallest(before, after)));
        return;
    };
    let old = before.and_then(Value::as_array).unwrap_or(&[]);
    let gone: Vec<&Value> = old.iter().filter(|it| !new.iter().any(|n| same(it, n))).collect();
    let added: Vec<&Value> = new.iter().filter(|it| !old.iter().any(|o| same(it, o))).collect();
    match (gone.as_slice(), added.as_slice()) {
        ([gone], [added]) => push(ClaimKind::Says(smallest(Some(gone), added))),
        (gone, added) => {
            for value in added {
                push(ClaimKind::Says((*value).clone()));
            }
            // Dropped elements count when nothing was put in their place.
            if added.is_empty() {
                for value in gone {
                    push(ClaimKind::Drops((*value).clone()));
                }
            }
        }
    }
}

/// The smallest object inside `after` that holds everything that changed.
fn smallest(before: Option<&Value>, after: &Value) -> Value {
    let (Some(Value::Object(old)), Value::Object(new)) = (before, after) else {
        return after.clone();
    };
    let gone = old.keys().any(|name| !new.contains_key(name));
    let mut changed = new.iter().filter(|(n, v)| !old.get(n).is_some_and(|o| same(o, v)));
    match (gone, changed.next(), changed.next()) {
        (false, Some((name, value @ Value::Object(_))), None) => smallest(old.get(name), value),
        _ => after.clone(),
    }
}

impl Claim {
    /// Whether the entry as shown (none: it is gone) agrees with the claim.
    pub fn shown(&self, entry: Option<&Value>) -> bool {
        let member = entry.and_then(|entry| entry.get(&self.member));
        match &self.kind {
            ClaimKind::Says(value @ Value::Object(_)) => member.is_some_and(|m| holds(m, value)),
            ClaimKind::Says(value) => member.is_some_and(|shown| contains(shown, value)),
            ClaimKind::Drops(value) => !member.is_some_and(|shown| holds(shown, value)),
            ClaimKind::Absent => entry.is_some() && member.is_none(),
            ClaimKind::Removed => entry.is_none(),
        }
    }

    /// Whether an open conflict of the entry shows what this author claimed.
    pub fn in_conflict(&self, conflict: &Value, author: &str) -> bool {
        let values = crate::compose::elements(conflict, "values");
        let removed = |it: &Value| it.get("removed").and_then(Value::as_bool) == Some(true);
        let by = |it: &Value| text(it, "author").is_some_and(|name| name.contains(author));
        match &self.kind {
            ClaimKind::Says(claimed) => values
                .iter()
                .filter_map(|it| it.get("value"))
                .any(|value| self.says(value, claimed)),
            ClaimKind::Removed => {
                text(conflict, "kind") == Some("removal") || values.iter().any(removed)
            }
            ClaimKind::Drops(_) | ClaimKind::Absent => values.iter().any(by),
        }
    }

    fn says(&self, value: &Value, claimed: &Value) -> bool {
        if matches!(claimed, Value::Object(_)) {
            return holds(value, claimed);
        }
        let mut owners = Vec::new();
        objects_with(value, &self.member, &mut owners);
        contains(value, claimed)
            || owners.iter().any(|o| o.get(&self.member).is_some_and(|m| contains(m, claimed)))
    }
}

#[cfg(test)]
mod tests;
