//! Members whose absence tells something too: a statement without them is another statement, not a
//! shorter one.

use std::collections::BTreeSet;

use clisonix_fhir::schema::ElementId;

use super::cells::of_kind;
use super::error::{PolicyError, PolicyErrorKind};
use super::row::{PolicyRow, RowKind};

/// The names that the `telling` rows mean, as JSON spells them, sorted.
#[derive(Clone, Debug, Default)]
pub(super) struct Telling(BTreeSet<Box<str>>);

impl Telling {
    pub(super) fn compile(rows: &[PolicyRow]) -> Result<Self, PolicyError> {
        let mut names = BTreeSet::new();
        let mut paths = BTreeSet::new();
        for row in of_kind(rows, RowKind::Telling) {
            let of_name =
                |element: &ElementId| row.path.strip_prefix("*.") == Some(element.element().name);
            let known = names.len();
            for element in ElementId::all().filter(of_name) {
                let element = element.element();
                if element.choice {
                    names.extend(
                        element.types.iter().map(|ty| spelled(element.name, ty.definition().name)),
                    );
                } else {
                    names.insert(element.name.into());
                }
            }
            if !paths.insert(&row.path) {
                return Err(row.error(PolicyErrorKind::Twice(row.path.clone())));
            }
            if names.len() == known {
                return Err(row.error(PolicyErrorKind::Path(row.path.clone())));
            }
        }
        Ok(Self(names))
    }

    /// Whether the absence of the member with this JSON name tells something.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// The JSON name of a choice with a type: `abatementAge`, `asNeededBoolean`.
fn spelled(name: &str, ty: &str) -> Box<str> {
    let (first, rest) = ty.split_at_checked(1).unwrap_or_default();
    format!("{name}{}{rest}", first.to_ascii_uppercase()).into()
}
