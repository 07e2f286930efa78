//! The peers of a node on disk: admissions, signed by the node itself, in a folder beside its keys.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clisonix_pq::link::{Admission, MAX_INVITATION_BYTES, MAX_PEERS, Membership};
use clisonix_pq::{FormError, PublicIdentity};
use clisonix_server::Member;

use crate::exit::Fault;
use crate::keyring::Entry;
use crate::new_file;
use crate::scratch::make_private;
use crate::terms;

/// The folder of a node's peers.
#[derive(Clone)]
pub(crate) struct PeerFolder {
    path: PathBuf,
    /// The node's own identities that are not revoked, the present one last.
    own: Vec<PublicIdentity>,
}

/// What the folder holds.
#[derive(Default)]
pub(crate) struct Listed {
    /// In the order of their fingerprints.
    pub(crate) admissions: Vec<Admission>,
    /// Files that are no admission of this node: their peers are not admitted.
    pub(crate) refused: Vec<(PathBuf, FormError)>,
}

impl PeerFolder {
    /// The folder beside the keys of a name.
    pub(crate) fn of(entry: &Entry) -> Self {
        let valid = entry.generations.iter().filter(|generation| generation.revocation.is_none());
        let own = valid.map(|generation| generation.public.identity().clone()).collect();
        Self { path: entry.folder().join("peers"), own }
    }

    /// Everything in it, each signature verified.
    pub(crate) fn load(&self) -> Result<Listed> {
        let mut listed = Listed::default();
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(listed),
            entries => entries.with_context(|| self.path.display().to_string())?,
        };
        let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        let mut paths: Vec<_> = paths.into_iter().filter(|path| is_admission(path)).collect();
        paths.sort();
        if paths.len() > MAX_PEERS {
            return Err(Fault::usage(format!("more than {MAX_PEERS} peers")).into());
        }
        for path in paths {
            let text = read(File::open(&path)?).with_context(|| path.display().to_string())?;
            match self.verified(&text) {
                Ok(admission) => listed.admissions.push(admission),
                Err(error) => listed.refused.push((path, error)),
            }
        }
        Ok(listed)
    }

    fn verified(&self, text: &[u8]) -> Result<Admission, FormError> {
        let mut last = FormError::OtherKey;
        for own in self.own.iter().rev() {
            match Admission::from_text(text, own) {
                Ok(admission) => return Ok(admission),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The node's own identities that are not revoked.
    pub(crate) fn own(&self) -> &[PublicIdentity] {
        &self.own
    }

    /// The peer of this name, or whose fingerprint begins so.
    pub(crate) fn find(&self, named: &str) -> Result<Admission> {
        let digits: String = named.chars().filter(|digit| !digit.is_whitespace()).collect();
        let fits = |admission: &Admission| {
            let invitation = admission.invitation();
            let fingerprint = invitation.fingerprint();
            let groups = fingerprint.to_string().replace(' ', "");
            invitation.about().name == named
                || invitation.keys().name() == named
                || (digits.len() >= 8 && fingerprint.hexadecimal().starts_with(&digits))
                || (digits.len() >= 10 && groups.starts_with(&digits))
        };
        let mut found = self.load()?.admissions.into_iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Fault::not_found("there is no such peer").into()),
            _ => Err(Fault::not_found("several peers fit: give the fingerprint").into()),
        }
    }

    /// Takes an admission in, in place of an earlier one of the same peer.
    pub(crate) fn put(&self, admission: &Admission) -> Result<PathBuf> {
        make_private(&self.path).with_context(|| self.path.display().to_string())?;
        let invitation = admission.invitation();
        let has_key = |other: &Admission| {
            let other = other.invitation();
            other.fingerprint() != invitation.fingerprint()
                && other.peer().has_key_of(invitation.peer())
        };
        if self.load()?.admissions.iter().any(has_key) {
            return Err(Fault::usage("another peer has the TLS key of this one").into());
        }
        let name = invitation.fingerprint().hexadecimal();
        let path = self.path.join(format!("{name}.peer"));
        let written = new_file::replace(&path, admission.to_text().as_bytes(), 0o600);
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// When something was put in or taken away, as far as the file system tells.
    pub(crate) fn changed(&self) -> Option<std::time::SystemTime> {
        fs::metadata(&self.path).and_then(|about| about.modified()).ok()
    }
}

impl Listed {
    /// All peers as the server knows them.
    pub(crate) fn members(&self) -> Vec<Member> {
        let member = |admission: &Admission| {
            let invitation = admission.invitation();
            Member {
                peer: invitation.peer().clone(),
                author: invitation.author().clone(),
                about: invitation.about().clone(),
                rule: terms::rule(admission),
                revoked_ms: (admission.membership() == Membership::Revoked)
                    .then(|| admission.made_ms()),
            }
        };
        self.admissions.iter().map(member).collect()
    }

    /// The peers that may have a link.
    pub(crate) fn admitted(&self) -> impl Iterator<Item = &Admission> {
        let is_admitted = |it: &&Admission| it.membership() == Membership::Admitted;
        self.admissions.iter().filter(is_admitted)
    }
}

/// The text of an invitation, at most one byte more than it may have.
pub(crate) fn read(file: impl io::Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // An admission is an invitation with one form more.
    file.take(2 * MAX_INVITATION_BYTES as u64).read_to_end(&mut text)?;
    Ok(text)
}

fn is_admission(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "peer")
}
