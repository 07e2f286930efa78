//! Which files an import means: files as named, directories with everything below, in sorted order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::exit::Fault;

/// Most files one import takes.
pub(crate) const MAX_FILES: usize = 1_000_000;
/// Deepest nesting of directories.
pub(crate) const MAX_DIRECTORY_DEPTH: usize = 64;
/// Longest name of a file that goes into the journal, in bytes; of a longer one the end is kept.
const MAX_NAME_BYTES: usize = 512;

/// One file to take in.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    /// The path as text, for issues and the journal.
    pub(crate) name: String,
    /// Size in bytes when it was found.
    pub(crate) size: u64,
}

/// All files that `paths` mean. Within a directory names decide the order; names that begin with a
/// dot and links to directories are passed over.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<File>> {
    let mut found = Vec::new();
    for path in paths {
        let about = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Fault::not_found(format!("there is no {}", path.display())).into()
            }
            _ => anyhow::Error::new(error).context(format!("cannot look at {}", path.display())),
        })?;
        if about.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            add(path.clone(), about.len(), &mut found)?;
        }
    }
    Ok(found)
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<File>) -> Result<()> {
    if depth >= MAX_DIRECTORY_DEPTH {
        let message = format!("directories are nested deeper than {MAX_DIRECTORY_DEPTH}");
        return Err(Fault::usage(message).into());
    }
    let listed = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = listed.with_context(|| format!("cannot list {}", directory.display()))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let kind =
            entry.file_type().with_context(|| format!("cannot look at {}", path.display()))?;
        if hidden {
            continue;
        }
        if kind.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if let Some(size) = file_size(&path) {
            add(path, size, found)?;
        }
    }
    Ok(())
}

/// The size of a file or of the file a link leads to; `None` for anything else.
fn file_size(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|about| about.len())
}

fn add(path: PathBuf, size: u64, found: &mut Vec<File>) -> Result<()> {
    if found.len() >= MAX_FILES {
        let message = format!("there are more than {MAX_FILES} files; import them in parts");
        return Err(Fault::usage(message).into());
    }
    let name = name(&path);
    found.push(File { path, name, size });
    Ok(())
}

fn name(path: &Path) -> String {
    let name = path.to_string_lossy();
    let mut start = name.len().saturating_sub(MAX_NAME_BYTES);
    while !name.is_char_boundary(start) {
        start += 1;
    }
    name.get(start..).unwrap_or_default().to_owned()
}
