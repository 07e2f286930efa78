//! Sealed shares for Python (`clisonix.pq`): keys, trust, sealing, opening, verifying. All of it runs
//! without the interpreter's lock.
#![allow(clippy::needless_pass_by_value, reason = "arguments arrive by value, made from Python's")]

mod file;
mod keys;
mod randomness;
mod trust;

use std::fmt::Write as _;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use clisonix_pq::share::ledger::Way;
use clisonix_pq::share::{self, Arrived, Manifest, Moment, Sealing, Terms};
use clisonix_pq::{PublicRecipient, age};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::clock::now_ms;
use crate::failure::Failure;

use self::file::{LedgerFile, NewFile};
pub(crate) use self::keys::{Keys, PublicKeys};
use self::randomness::System;
pub(crate) use self::trust::Trust;

/// What a manifest states: share, issuer, created, until, purpose, basis, content, previous, how many
/// recipients, bytes of the payload, its hash, the manifest's own digest. Bytes are hexadecimal.
type Stated = (
    String,
    String,
    String,
    Option<String>,
    String,
    String,
    String,
    Option<String>,
    usize,
    u64,
    String,
    String,
);

/// What `seal` takes beside content, keys and recipients.
#[derive(FromPyObject)]
pub(crate) struct Order {
    #[pyo3(item)]
    until: Option<String>,
    #[pyo3(item)]
    purpose: String,
    #[pyo3(item)]
    basis: String,
    #[pyo3(item)]
    content: String,
    #[pyo3(item)]
    name: String,
    #[pyo3(item)]
    hide_recipients: bool,
    #[pyo3(item)]
    hide_size: bool,
    #[pyo3(item)]
    ledger: Option<PathBuf>,
}

/// What is sealed: bytes, or the path of a file.
#[derive(FromPyObject)]
pub(crate) enum Source {
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
    #[pyo3(transparent)]
    File(PathBuf),
}

/// Whom it is sealed for: public keys, or the text of an age recipient.
#[derive(FromPyObject)]
pub(crate) enum Recipient {
    #[pyo3(transparent)]
    Keys(Py<PublicKeys>),
    #[pyo3(transparent)]
    Text(String),
}

impl Recipient {
    fn key(&self) -> Result<PublicRecipient, Failure> {
        match self {
            Self::Keys(keys) => Ok(keys.get().inner().recipient().clone()),
            Self::Text(text) => {
                age::recipient_from_text(text).map_err(|error| Failure::Key(error.to_string()))
            }
        }
    }
}

/// Writes a share to a new file.
#[pyfunction]
pub(crate) fn seal(
    py: Python<'_>,
    source: Source,
    out: PathBuf,
    issuer: &Keys,
    to: Vec<Recipient>,
    order: Order,
) -> Result<Stated, Failure> {
    let recipients = to.iter().map(Recipient::key).collect::<Result<Vec<_>, _>>()?;
    py.detach(|| {
        let manifest = match source {
            Source::Bytes(bytes) => {
                let size = bytes.len() as u64;
                sealed((Cursor::new(bytes), size), &out, issuer, &recipients, &order)
            }
            Source::File(path) => {
                let file = file::load(&path)?;
                let size = file.metadata().map_err(|error| Failure::io(&path, error))?.len();
                sealed((file, size), &out, issuer, &recipients, &order)
            }
        };
        manifest.map(|manifest| stated(&manifest))
    })
}

fn sealed(
    (content, bytes): (impl Read, u64),
    out: &Path,
    issuer: &Keys,
    recipients: &[PublicRecipient],
    order: &Order,
) -> Result<Manifest, Failure> {
    let identity = issuer.inner().identity();
    let ledger = order.ledger.as_deref();
    let fingerprint = identity.public().fingerprint();
    let ledger = ledger.map(|path| LedgerFile::open(path, fingerprint)).transpose()?;
    let until = order.until.as_deref().map(moment).transpose()?;
    let sealing = Sealing {
        issuer: identity,
        recipients,
        terms: Terms {
            created: now()?,
            until,
            purpose: order.purpose.clone(),
            basis: order.basis.clone(),
            content: order.content.clone(),
            previous: ledger.as_ref().and_then(LedgerFile::previous),
        },
        name: &order.name,
        hide_recipients: order.hide_recipients,
        hide_size: order.hide_size,
    };
    let new = NewFile::create(out)?;
    let mut random = System::default();
    let manifest = share::seal(&sealing, content, bytes, new.file(), &mut random)?;
    random.check()?;
    if let Some(ledger) = ledger {
        ledger.append(Way::Given, now()?, &manifest)?;
    }
    new.keep()?;
    Ok(manifest)
}

/// Opens a share into a new file, or into bytes without `out`; also the name inside.
#[pyfunction]
pub(crate) fn open<'py>(
    py: Python<'py>,
    path: PathBuf,
    out: Option<PathBuf>,
    keys: Vec<Py<Keys>>,
    trust: &Trust,
    ledger: Option<PathBuf>,
) -> Result<(Stated, String, Option<Bound<'py, PyBytes>>), Failure> {
    let opened = py.detach(|| {
        let arrived = Arrived::start(file::load(&path)?, trust.inner(), now()?)?;
        let named =
            keys.iter().map(Py::get).find(|keys| arrived.is_for(keys.inner().recipient().public()));
        let key = named.ok_or(share::ShareError::WrongRecipient)?.inner().recipient();
        let opening = arrived.open(key)?;
        let issuer = opening.manifest().issuer;
        let ledger = ledger.as_deref().map(|path| LedgerFile::open(path, issuer)).transpose()?;
        let name = opening.about().name.clone();
        let mut bytes = Vec::new();
        let mut new = out.as_deref().map(NewFile::create).transpose()?;
        let target: &mut dyn Write = match &mut new {
            Some(new) => new.file_mut(),
            None => &mut bytes,
        };
        let manifest = opening.copy_to(&mut &mut *target)?;
        if let Some(ledger) = ledger {
            ledger.append(Way::Received, now()?, &manifest)?;
        }
        let bytes = match new {
            Some(new) => new.keep().map(|()| None)?,
            None => Some(bytes),
        };
        Ok::<_, Failure>((stated(&manifest), name, bytes))
    });
    let (stated, name, bytes) = opened?;
    Ok((stated, name, bytes.map(|bytes| PyBytes::new(py, &bytes))))
}

/// Verifies a share without opening it.
#[pyfunction]
pub(crate) fn verify(py: Python<'_>, path: PathBuf, trust: &Trust) -> Result<Stated, Failure> {
    py.detach(|| Ok(stated(&share::verify(file::load(&path)?, trust.inner(), now()?)?)))
}

fn stated(manifest: &Manifest) -> Stated {
    let terms = &manifest.terms;
    (
        manifest.share.to_string(),
        manifest.issuer.hexadecimal(),
        terms.created.to_string(),
        terms.until.map(|until| until.to_string()),
        terms.purpose.clone(),
        terms.basis.clone(),
        terms.content.clone(),
        terms.previous.as_ref().map(|digest| hexadecimal(digest)),
        manifest.recipients.len(),
        manifest.payload_bytes,
        hexadecimal(&manifest.root),
        hexadecimal(&manifest.digest()),
    )
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn moment(text: &str) -> Result<Moment, Failure> {
    Moment::last_of_day(text).map_err(|error| Failure::Sharing(error.to_string()))
}

fn now() -> Result<Moment, Failure> {
    let now = i64::try_from(now_ms() / 1000).ok().and_then(Moment::from_seconds);
    now.ok_or_else(|| Failure::Sharing("the clock of this machine is wrong".into()))
}
