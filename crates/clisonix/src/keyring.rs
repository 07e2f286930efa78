//! The own keys on disk: a folder a name, in it numbered generations. Each has a secret file that
//! only its owner may read, a public file, and what was stated about it later.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clisonix_pq::key_file::{self, Cost};
use clisonix_pq::{Keys, MAX_FORM_BYTES, PublicKeys, Reason, Revocation, Succession};
use zeroize::Zeroizing;

use crate::exit::Fault;
use crate::new_file;
use crate::outside;
use crate::pass_phrase::Source;

/// Most generations of one name.
pub(crate) const MAX_GENERATIONS: u32 = 10_000;

/// All own keys.
pub(crate) struct Keyring {
    folder: PathBuf,
}

/// The keys of one name, first generation first.
pub(crate) struct Entry {
    pub(crate) name: String,
    folder: PathBuf,
    pub(crate) generations: Vec<Generation>,
}

/// Keys, and what was stated about them.
pub(crate) struct Generation {
    pub(crate) number: u32,
    pub(crate) public: PublicKeys,
    /// Names the next generation.
    pub(crate) succession: Option<Succession>,
    pub(crate) revocation: Option<Revocation>,
}

/// What stands in one file of a generation.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Secret,
    Public,
    Succession,
    Revocation,
    /// A revocation that is not in force: made with the keys, for the day when the secret or its
    /// pass-phrase is lost.
    Prepared,
}

impl Part {
    fn file(self, number: u32) -> String {
        format!("{number}.{}", self.ending())
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Public => "pub",
            Self::Succession => "succession",
            Self::Revocation => "revocation",
            Self::Prepared => "prepared",
        }
    }
}

impl Keyring {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The names that have keys, sorted.
    pub(crate) fn names(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", self.folder.display()))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'));
            let file = Part::Public.file(1);
            names.extend(name.filter(|_| entry.path().join(file).is_file()));
        }
        names.sort();
        Ok(names)
    }

    /// The keys of a name.
    pub(crate) fn entry(&self, name: &str) -> Result<Entry> {
        let mut entry = self.empty(name);
        if !self.names()?.iter().any(|known| known == name) {
            let message = format!("there are no keys `{name}` in {}", self.folder.display());
            return Err(Fault::not_found(message).into());
        }
        let mut before: Option<Succession> = None;
        for number in 1..=MAX_GENERATIONS {
            let Some(public) = entry.load(number, Part::Public)? else { break };
            let public = PublicKeys::from_text(&public)
                .with_context(|| entry.path(number, Part::Public).display().to_string())?;
            // A rotation that was cut short has left keys that nothing names yet.
            if number > 1 && !before.as_ref().is_some_and(|before| before.names(&public)) {
                break;
            }
            let identity = public.identity();
            let named = |part| entry.path(number, part).display().to_string();
            let succession = entry.load(number, Part::Succession)?;
            let succession = succession.map(|text| Succession::from_text(&text, identity));
            let succession = succession.transpose().with_context(|| named(Part::Succession))?;
            let revocation = entry.load(number, Part::Revocation)?;
            let revocation = revocation.map(|text| Revocation::from_text(&text, identity));
            let revocation = revocation.transpose().with_context(|| named(Part::Revocation))?;
            before.clone_from(&succession);
            entry.generations.push(Generation { number, public, succession, revocation });
        }
        Ok(entry)
    }

    /// The place for the keys of a new name; nothing is made yet.
    pub(crate) fn vacant(&self, name: &str) -> Result<Entry> {
        let entry = self.empty(name);
        if entry.path(1, Part::Public).exists() {
            return Err(Fault::usage(format!("there are keys `{name}` already")).into());
        }
        Ok(entry)
    }

    fn empty(&self, name: &str) -> Entry {
        let folder = self.folder.join(name);
        Entry { name: name.to_owned(), folder, generations: Vec::new() }
    }
}

impl Entry {
    /// The folder of the keys of this name.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest generation that is not revoked.
    pub(crate) fn current(&self) -> Result<&Generation> {
        let newest = self.generations.last().filter(|newest| newest.revocation.is_none());
        newest.ok_or_else(|| Fault::usage(format!("the keys `{}` are revoked", self.name)).into())
    }

    /// A generation by its number, or the newest.
    pub(crate) fn generation(&self, number: Option<u32>) -> Result<&Generation> {
        let found = match number {
            None => self.generations.last(),
            Some(number) => self.generations.iter().find(|it| it.number == number),
        };
        let number = number.unwrap_or_default();
        found.ok_or_else(|| {
            Fault::not_found(format!("the keys `{}` have no generation {number}", self.name)).into()
        })
    }

    /// The number that the next generation gets.
    pub(crate) fn next_number(&self) -> Result<u32> {
        let number = self.generations.last().map_or(1, |newest| newest.number + 1);
        if number > MAX_GENERATIONS {
            return Err(Fault::usage("there are too many generations").into());
        }
        Ok(number)
    }

    /// The secret keys of a generation.
    pub(crate) fn unlock(&self, number: u32, pass_phrase: &[u8]) -> Result<Keys> {
        let path = self.path(number, Part::Secret);
        let text = self.load(number, Part::Secret)?;
        let text = text.ok_or_else(|| Fault::not_found(format!("no {}", path.display())))?;
        key_file::unwrap(&text, pass_phrase).with_context(|| path.display().to_string())
    }

    /// The newest secret keys, and the pass-phrase that they are wrapped under.
    pub(crate) fn newest(&self, pass_phrase: &Source) -> Result<(Keys, Zeroizing<Vec<u8>>)> {
        let number = self.current()?.number;
        let words = pass_phrase.present(&self.name)?;
        Ok((self.unlock(number, &words)?, words))
    }

    /// Writes the secret file, a prepared revocation and the public file of new keys, in this order.
    pub(crate) fn store(&self, number: u32, keys: &Keys, pass_phrase: &[u8]) -> Result<PublicKeys> {
        self.store_at(Cost::STANDARD, number, keys, pass_phrase)
    }

    /// As [`Self::store`], with another cost of the pass-phrase.
    pub(crate) fn store_at(
        &self,
        cost: Cost,
        number: u32,
        keys: &Keys,
        pass_phrase: &[u8],
    ) -> Result<PublicKeys> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let random = &mut outside::random;
        let secret = key_file::wrap(keys, pass_phrase, cost, random)?;
        self.write(number, Part::Secret, &secret)?;
        // Whoever has the statement can make others refuse these keys; whoever lost the keys, too.
        let prepared =
            Revocation::sign(keys.identity(), Reason::Compromised, keys.made_ms(), random);
        self.write(number, Part::Prepared, prepared.to_text())?;
        let public = keys.public(random);
        self.write(number, Part::Public, public.to_text())?;
        Ok(public)
    }

    /// Writes one file whole or not at all, readable to its owner only unless it is public.
    pub(crate) fn write(&self, number: u32, part: Part, text: &str) -> Result<PathBuf> {
        let path = self.path(number, part);
        let mode = if matches!(part, Part::Secret | Part::Prepared) { 0o600 } else { 0o644 };
        let written = new_file::replace(&path, text.as_bytes(), mode);
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    fn load(&self, number: u32, part: Part) -> Result<Option<Vec<u8>>> {
        let path = self.path(number, part);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.with_context(|| format!("cannot read {}", path.display()))?,
        };
        if matches!(part, Part::Secret) {
            refuse_if_shared(&file, &path)?;
        }
        read(file).map(Some).with_context(|| format!("cannot read {}", path.display()))
    }

    pub(crate) fn path(&self, number: u32, part: Part) -> PathBuf {
        self.folder.join(part.file(number))
    }
}

/// The public keys in a file that somebody handed over.
pub(crate) fn public_file(path: &Path) -> Result<PublicKeys> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Fault::not_found(format!("there are no keys and no file {}", path.display())).into()
        }
        _ => anyhow::Error::new(error),
    })?;
    let text = read(file).with_context(|| format!("cannot read {}", path.display()))?;
    PublicKeys::from_text(&text).with_context(|| path.display().to_string())
}

/// The text of a form in a file that somebody handed over.
pub(crate) fn form(path: &Path) -> Result<Vec<u8>> {
    let named = || path.display().to_string();
    read(File::open(path).with_context(named)?).with_context(named)
}

/// Refuses a file with a secret in it that anybody but its owner can read. Pipes belong to who made
/// them.
pub(crate) fn refuse_if_shared(file: &File, path: &Path) -> Result<()> {
    let about = file.metadata()?;
    if about.is_file() && about.mode() & 0o077 != 0 {
        let message = format!("{} can be read by others: chmod 600 it", path.display());
        return Err(Fault::unusable(message).into());
    }
    Ok(())
}

/// The text of a form, at most one byte more than it may have.
pub(crate) fn read(file: File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(MAX_FORM_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}
