//! Whose shares Python takes.

use std::path::PathBuf;

use clisonix_pq::{Revocation, Withdrawal, share};
use pyo3::prelude::*;

use super::{PublicKeys, file};
use crate::failure::Failure;

/// Issuers that are trusted, less those that were revoked and the shares they took back.
#[pyclass(frozen, module = "clisonix._native", name = "Trust")]
pub(crate) struct Trust(share::Trust);

impl Trust {
    pub(super) fn inner(&self) -> &share::Trust {
        &self.0
    }
}

#[pymethods]
impl Trust {
    /// Statements are files: revocations and withdrawals.
    #[new]
    fn new(
        py: Python<'_>,
        issuers: Vec<Py<PublicKeys>>,
        statements: Vec<PathBuf>,
    ) -> Result<Self, Failure> {
        py.detach(|| {
            let issuers: Vec<_> =
                issuers.iter().map(|keys| keys.get().inner().identity().clone()).collect();
            let mut trust = share::Trust::nobody();
            for issuer in &issuers {
                trust.accept(issuer.clone());
            }
            for path in statements {
                let text = file::form(&path)?;
                let by = issuers.iter().find_map(|issuer| {
                    let revoked = Revocation::from_text(&text, issuer).map(|_| None);
                    let stated =
                        revoked.or_else(|_| Withdrawal::from_text(&text, issuer).map(Some));
                    Some((issuer, stated.ok()?))
                });
                match by {
                    Some((_, Some(withdrawal))) => trust.withdraw(&withdrawal),
                    Some((issuer, None)) => trust.revoke(issuer.clone()),
                    None => {
                        let message = "no revocation or withdrawal of a trusted key";
                        return Err(Failure::Key(format!("{}: {message}", path.display())));
                    }
                }
            }
            Ok(Self(trust))
        })
    }
}
