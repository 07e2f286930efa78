//! Whose shares Python takes.

use std::path::PathBuf;

use clisonix_pq::share;
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
            let mut trust = share::Trust::nobody();
            for issuer in &issuers {
                trust.accept(issuer.get().inner().identity().clone());
            }
            for path in statements {
                trust.take(&file::form(&path)?).map_err(|_| {
                    let message = "no revocation or withdrawal of a trusted key";
                    Failure::Key(format!("{}: {message}", path.display()))
                })?;
            }
            Ok(Self(trust))
        })
    }
}
