//! What sealing, opening and verifying shares have in common: own keys, trusted issuers, and the ledger
//! of shares.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::Outside;
use clisonix_pq::share::ledger::{self, Entry, Ledger, Way};
use clisonix_pq::share::{Arrived, Manifest, Moment, ShareError, Trust};
use clisonix_pq::{Fingerprint, Keys, PublicKeys};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::exit::Fault;
use crate::keyring::{self, Keyring};
use crate::outside::System;
use crate::pass_phrase::Source;
use crate::plain::Plain;
use crate::results::Results;
use crate::scratch;

/// Most files of trusted issuers.
const MAX_TRUSTED_FILES: usize = 10_000;
/// How the two kinds of statements begin.
const REVOCATION: &[u8] = b"clisonix revocation ";
const WITHDRAWAL: &[u8] = b"clisonix withdrawal ";

/// Whose keys sign or open.
#[derive(Debug, Args)]
pub(crate) struct OwnKeys {
    /// The name of the own keys, see `clisonix keys`
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// The folder of the own keys (else `clisonix/keys` in `$XDG_CONFIG_HOME` or `~/.config`)
    #[arg(long, env = "CLISONIX_KEYS", value_name = "DIR", hide_env_values = true)]
    keys: Option<PathBuf>,
    #[command(flatten)]
    pass_phrase: Source,
}

impl OwnKeys {
    pub(crate) fn new(name: String, keys: Option<PathBuf>, pass_phrase: Source) -> Self {
        Self { name, keys, pass_phrase }
    }

    /// The folder that was given, and where the pass-phrase comes from.
    pub(crate) fn given(&self) -> (Option<&Path>, &Source) {
        (self.keys.as_deref(), &self.pass_phrase)
    }

    /// The folder of the own keys.
    pub(crate) fn folder(&self, context: &Context) -> Result<PathBuf> {
        context.keys_folder(self.keys.as_deref())
    }

    fn entry(&self, context: &Context) -> Result<keyring::Entry> {
        Keyring::new(self.folder(context)?).entry(&self.name)
    }

    /// The newest keys, to sign with, and the pass-phrase that they are wrapped under.
    pub(crate) fn unlocked(&self, context: &Context) -> Result<(Keys, Zeroizing<Vec<u8>>)> {
        self.entry(context)?.newest(&self.pass_phrase)
    }

    /// The keys of this fingerprint, of whichever generation, revoked or not.
    pub(crate) fn signed_by(&self, issuer: Fingerprint, context: &Context) -> Result<Keys> {
        let entry = self.entry(context)?;
        let signed = entry.generations.iter().find(|it| it.public.fingerprint() == issuer);
        let message = || format!("the keys `{}` did not sign this share", self.name);
        let number = signed.ok_or_else(|| Fault::usage(message()))?.number;
        entry.unlock(number, &self.pass_phrase.present(&self.name)?)
    }

    /// The keys that a share is sealed for, of whichever generation.
    pub(crate) fn named_by<R: Read>(&self, share: &Arrived<R>, context: &Context) -> Result<Keys> {
        let entry = self.entry(context)?;
        let mut generations = entry.generations.iter().rev();
        let named = generations.find(|generation| share.is_for(generation.public.recipient()));
        let number = named.ok_or(ShareError::WrongRecipient)?.number;
        entry.unlock(number, &self.pass_phrase.present(&self.name)?)
    }
}

/// Whose shares are taken.
#[derive(Debug, Args)]
pub(crate) struct Trusted {
    /// A trusted issuer's public file, a revocation, a withdrawal, or a folder of `.pub`,
    /// `.revocation` and `.withdrawal` files; may stand several times
    #[arg(long = "from", env = "CLISONIX_TRUST", value_name = "PATH", hide_env_values = true)]
    paths: Vec<PathBuf>,
}

impl Trusted {
    pub(crate) fn load(&self) -> Result<Trust> {
        let mut issuers = Vec::new();
        let mut statements = Vec::new();
        for path in self.files()? {
            let text = keyring::form(&path)?;
            if [REVOCATION, WITHDRAWAL].iter().any(|kind| text.starts_with(kind)) {
                statements.push((path, text));
            } else {
                let issuer = PublicKeys::from_text(&text);
                issuers.push(issuer.with_context(|| path.display().to_string())?);
            }
        }
        let mut trust = Trust::nobody();
        for issuer in &issuers {
            trust.accept(issuer.identity().clone());
        }
        for (path, text) in statements {
            trust.take(&text).map_err(|_| {
                let message = "a revocation or withdrawal of no trusted key";
                Fault::usage(format!("{}: {message}", path.display()))
            })?;
        }
        Ok(trust)
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        if self.paths.is_empty() {
            let message = "whose shares are trusted? give --from or set CLISONIX_TRUST";
            return Err(Fault::usage(message).into());
        }
        let mut files = Vec::new();
        for path in &self.paths {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
            for entry in entries {
                let path = entry?.path();
                let ending = path.extension().and_then(|ending| ending.to_str());
                if matches!(ending, Some("pub" | "revocation" | "withdrawal")) {
                    files.push(path);
                }
            }
        }
        if files.is_empty() || files.len() > MAX_TRUSTED_FILES {
            let message = format!("between 1 and {MAX_TRUSTED_FILES} trusted files are needed");
            return Err(Fault::usage(message).into());
        }
        Ok(files)
    }
}

/// The ledger of shares of a data directory, held by this process.
pub(crate) struct LedgerFile {
    file: File,
    ledger: Ledger,
}

impl LedgerFile {
    /// Opens the ledger, and finds the last manifest that `issuer` gave.
    pub(crate) fn open(context: &Context, issuer: Fingerprint) -> Result<(Self, Option<[u8; 32]>)> {
        let directory = context.directory()?;
        scratch::make_private(&directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let path = path(&directory);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).with_context(|| path.display().to_string())?;
        file.lock().with_context(|| path.display().to_string())?;
        let (ledger, previous) = ledger::previous(BufReader::new(&file), issuer)?;
        Ok((Self { file, ledger }, previous))
    }

    /// Appends a share; it is on disk when this returns.
    pub(crate) fn append(mut self, way: Way, manifest: &Manifest) -> Result<()> {
        let line = self.ledger.line(&Entry { way, at: now()?, manifest: manifest.clone() });
        // What follows the last whole line was never finished.
        self.file.set_len(self.ledger.bytes)?;
        self.file.seek(io::SeekFrom::Start(self.ledger.bytes))?;
        self.file.write_all(line.as_bytes())?;
        Ok(self.file.sync_all()?)
    }
}

/// All shares that were given and received; none where there is no ledger.
pub(crate) fn ledger(context: &Context) -> Result<Vec<Entry>> {
    let file = match File::open(path(&context.directory()?)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let mut entries = Vec::new();
    Ledger::read(BufReader::new(file), |entry| entries.push(entry))?;
    Ok(entries)
}

fn path(directory: &Path) -> PathBuf {
    directory.join("shares.ledger")
}

/// The present second.
pub(crate) fn now() -> Result<Moment> {
    let seconds = i64::try_from(System.now_ms() / 1000).ok();
    let now = seconds.and_then(Moment::from_seconds);
    now.ok_or_else(|| Fault::usage("the clock of this machine is wrong").into())
}

/// What a manifest states, as JSON.
pub(crate) fn object(manifest: &Manifest) -> Object {
    let terms = &manifest.terms;
    let mut object = Object::new();
    object.insert("share", manifest.share.to_string());
    object.insert("issuer", manifest.issuer.hexadecimal());
    object.insert("created", terms.created.to_string());
    if let Some(until) = terms.until {
        object.insert("until", until.to_string());
    }
    object.insert("purpose", &*terms.purpose);
    object.insert("basis", &*terms.basis);
    object.insert("content", &*terms.content);
    object.insert("recipients", manifest.recipients.len() as u64);
    object.insert("payload_bytes", manifest.payload_bytes);
    object
}

/// Tells what a manifest states: as JSON with further members, or for people with a last line.
pub(crate) fn tell(
    context: &Context,
    manifest: &Manifest,
    members: impl IntoIterator<Item = (&'static str, Value)>,
    line: impl fmt::Display,
) -> Result<()> {
    let mut results = context.results();
    results.either(
        || {
            let mut object = object(manifest);
            for (name, value) in members {
                object.insert(name, value);
            }
            Value::Object(object)
        },
        |results| {
            print(manifest, results)?;
            results.line(line)
        },
    )?;
    Ok(results.finish()?)
}

/// The line that names the file that was written.
pub(crate) fn file_line(path: &Path) -> String {
    format!("  file          {}", Plain(&path.display().to_string()))
}

/// What a manifest states, for people.
pub(crate) fn print(manifest: &Manifest, results: &mut Results) -> io::Result<()> {
    let terms = &manifest.terms;
    let until = terms.until.map_or_else(|| "no end".to_owned(), |until| until.to_string());
    results.line(format_args!("share {}", manifest.share))?;
    results.line(format_args!("  issuer        {}", manifest.issuer))?;
    results.line(format_args!("  created       {}", terms.created))?;
    results.line(format_args!("  until         {until}"))?;
    results.line(format_args!("  purpose       {}", Plain(&terms.purpose)))?;
    results.line(format_args!("  basis         {}", Plain(&terms.basis)))?;
    results.line(format_args!("  content       {}", Plain(&terms.content)))?;
    results.line(format_args!("  recipients    {}", manifest.recipients.len()))?;
    results.line(format_args!("  payload       {} bytes", manifest.payload_bytes))
}
