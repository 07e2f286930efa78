//! Texts that several people write: reading, and edits letter by letter.

use clisonix_crdt::text::{TextEdits, TextError};
use clisonix_crdt::{ChangeId, EditError, EntryId, View};

use crate::changes::GivenBase;
use crate::failure::Failure;
use crate::replica::Replica;

/// Edits one text as it was at `base`; each edit is a position, how many characters go there, and
/// what comes in their place.
pub(crate) fn edit(
    replica: &mut Replica,
    (id, path): (&EntryId, &str),
    edits: Vec<(usize, usize, String)>,
    base: &GivenBase,
    author: &str,
) -> Result<Option<ChangeId>, Failure> {
    let mut list = TextEdits::new();
    for (position, deleted, inserted) in edits {
        let added = list.delete(position, deleted).and_then(|()| list.insert(position, &inserted));
        added.map_err(|error: TextError| Failure::Edit(error.to_string()))?;
    }
    let before = seen(replica, base, |view| view.text_length(id, path))?;
    // FHIR R4 2.24.0.1: a string is never empty.
    if list.length_after(before) == Some(0) {
        return Err(Failure::invalid(path, "a text is not empty; remove what it stands in"));
    }
    let base = replica.base_or_now(base)?;
    let made = replica.write(author, None, |record, origin, actors| {
        record.edit_text(id, path, &list, &base, origin, actors)
    });
    made.map_err(failure)
}

/// One text, now or at a version.
pub(crate) fn read(
    replica: &Replica,
    id: &EntryId,
    path: &str,
    at: &GivenBase,
) -> Result<String, Failure> {
    seen(replica, at, |view| view.text(id, path))
}

fn seen<T>(
    replica: &Replica,
    at: &GivenBase,
    read: impl FnOnce(View<'_>) -> Result<T, EditError>,
) -> Result<T, Failure> {
    let found = match replica.heads_of(at)? {
        Some(heads) => {
            let version = replica.record.at(&heads)?;
            read(replica.record.view_of(&version))
        }
        None => read(replica.record.view()),
    };
    found.map_err(failure)
}

fn failure(error: EditError) -> Failure {
    match error {
        EditError::Pointer => Failure::NotFound("nothing is where the path leads"),
        other => other.into(),
    }
}
