//! Copies of a store's vault: where they are, and whether they may still be there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::exit::Fault;
use crate::new_file;

/// For how long a copy may be kept, in milliseconds: 30 days, within which an erasure becomes final
/// in copies too.
pub(crate) const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Most copies of one vault.
const MAX_COPIES: usize = 1_000;

/// The list of the copies of one store's vault, kept beside its keys.
pub(crate) struct VaultCopies {
    path: PathBuf,
    copies: Vec<VaultCopy>,
}

/// One copy, in a folder of its own.
pub(crate) struct VaultCopy {
    pub(crate) folder: PathBuf,
    pub(crate) generation: u64,
    pub(crate) made_ms: u64,
}

impl VaultCopies {
    /// The list that lies beside a store's keys.
    pub(crate) fn load(keys: &Path) -> Result<Self> {
        let path = keys.join("vault-copies");
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.with_context(|| path.display().to_string())?,
        };
        let copies = text.lines().take(MAX_COPIES).map(VaultCopy::read).collect::<Option<_>>();
        let damaged = || Fault::unusable(format!("{} is damaged", path.display()));
        let copies = copies.ok_or_else(damaged)?;
        Ok(Self { path, copies })
    }

    pub(crate) fn all(&self) -> &[VaultCopy] {
        &self.copies
    }

    /// Notes a copy, in the place of the one that was in the same folder.
    pub(crate) fn note(&mut self, copy: VaultCopy) -> Result<()> {
        self.copies.retain(|other| other.folder != copy.folder);
        if self.copies.len() >= MAX_COPIES {
            return Err(Fault::usage(format!("more than {MAX_COPIES} copies of one vault")).into());
        }
        self.copies.push(copy);
        self.save()
    }

    /// Notes that the copy in a folder was destroyed.
    pub(crate) fn strike(&mut self, folder: &Path) -> Result<()> {
        self.copies.retain(|other| other.folder != folder);
        self.save()
    }

    fn save(&self) -> Result<()> {
        let text: String = self.copies.iter().map(VaultCopy::line).collect();
        let saved = new_file::replace(&self.path, text.as_bytes(), 0o600);
        saved.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl VaultCopy {
    /// Why the copy must go: it has keys that were destroyed since, or it is too old.
    pub(crate) fn fault(&self, generation: u64, now_ms: u64) -> Option<&'static str> {
        if self.generation < generation {
            Some("outdated")
        } else if now_ms.saturating_sub(self.made_ms) > KEPT_MS {
            Some("overdue")
        } else {
            None
        }
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.generation, self.made_ms, self.folder.display())
    }

    fn read(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ' ');
        let generation = parts.next()?.parse().ok()?;
        let made_ms = parts.next()?.parse().ok()?;
        Some(Self { folder: parts.next()?.into(), generation, made_ms })
    }
}

/// A folder as the list can name it: from the root, in UTF-8, on one line.
pub(crate) fn named(folder: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(folder)?;
    let is_plain = whole.to_str().is_some_and(|name| !name.contains(['\n', '\r']));
    let message = "the name of the folder must be UTF-8 on one line";
    if is_plain { Ok(whole) } else { Err(Fault::usage(message).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_kept_and_tells_which_copies_must_go() {
        let home = tempfile::tempdir().unwrap();
        let mut list = VaultCopies::load(home.path()).unwrap();
        assert!(list.all().is_empty());
        let copy = |name: &str, generation| VaultCopy {
            folder: home.path().join(name),
            generation,
            made_ms: 5,
        };
        list.note(copy("a b", 1)).unwrap();
        list.note(copy("c", 1)).unwrap();
        list.note(copy("a b", 2)).unwrap();
        list.strike(&home.path().join("c")).unwrap();
        let list = VaultCopies::load(home.path()).unwrap();
        let [only] = list.all() else { panic!("one copy") };
        assert_eq!((only.folder.as_path(), only.generation), (&*home.path().join("a b"), 2));
        assert_eq!(only.fault(2, 5 + KEPT_MS), None);
        assert_eq!(only.fault(2, 6 + KEPT_MS), Some("overdue"));
        assert_eq!(only.fault(3, 5), Some("outdated"));
        fs::write(home.path().join("vault-copies"), "1 x /y\n").unwrap();
        assert!(VaultCopies::load(home.path()).is_err());
    }
}
