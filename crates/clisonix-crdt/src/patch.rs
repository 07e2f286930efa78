//! Patches as edits: JSON Patch, `FHIRPath` Patch and merge patch, made against the version that
//! their author had read.

use clisonix_fhir::json::Value;
use clisonix_fhir::patch;

use crate::actor::ActorSource;
use crate::change::ChangeId;
use crate::edit::{Base, EditError, Origin};
use crate::record::Record;
use crate::state::EntryId;

/// A patch of one resource.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Patch<'a> {
    /// RFC 6902: an array of operations.
    Json(&'a Value),
    /// FHIR R4 3.1.0.9.1: a `Parameters` resource.
    FhirPath(&'a Value),
    /// RFC 7396: a document with the members that change.
    Merge(&'a Value),
}

impl<'a> Patch<'a> {
    /// The resource that the patch makes of `resource`.
    ///
    /// # Errors
    /// [`EditError::Patch`].
    pub fn apply(&self, resource: Value) -> Result<Value, EditError> {
        Ok(match self {
            Self::Json(operations) => patch::json(resource, operations)?,
            Self::FhirPath(parameters) => patch::fhirpath(resource, parameters)?,
            Self::Merge(members) => patch::merge(resource, members)?,
        })
    }

    /// The patch as values put at JSON Pointers in order, for [`Record::set_all`]; `None` if it does
    /// more. It stands for the patch only where [`Self::apply`] succeeds.
    pub fn assignments(&self, resource: &Value) -> Option<Vec<(&'a str, &'a Value)>> {
        match self {
            Self::Json(operations) => patch::assignments(resource, operations),
            Self::FhirPath(_) | Self::Merge(_) => None,
        }
    }
}

impl Record {
    /// Patches an entry as it was at `base`; with [`Base::Assertion`], which names no version, as it
    /// is now. What others have written since merges as with any other edit.
    ///
    /// # Errors
    /// [`EditError::NoSuchEntry`] if the entry is not there at the version; [`EditError::Patch`];
    /// otherwise as [`Self::edit`]. The record is unchanged.
    pub fn patch(
        &mut self,
        id: &EntryId,
        patch: Patch<'_>,
        base: &Base,
        origin: &Origin<'_>,
        actors: &mut dyn ActorSource,
    ) -> Result<Option<ChangeId>, EditError> {
        let (resource, base) = match base {
            Base::Heads(heads) => {
                let version = self.at(heads)?;
                (self.view_of(&version).resource(id), base)
            }
            Base::Current | Base::Assertion => (self.view().resource(id), &Base::Current),
        };
        let resource = resource.ok_or(EditError::NoSuchEntry)?;
        let edits = if *base == Base::Current { patch.assignments(&resource) } else { None };
        let patched = patch.apply(resource)?;
        let object = patched.as_object().ok_or(EditError::NotAResource)?;
        let same = patched.get("id").and_then(Value::as_str) == Some(&*id.id)
            && patched.resource_type() == Some(id.ty.name());
        if !same {
            return Err(EditError::Id);
        }
        if let Some(edits) = edits {
            return self.set_all(id, &edits, origin, actors);
        }
        self.edit(&[object], base, origin, actors)
    }
}
