//! Keys as Python has them: own ones, which stay inside, and other people's.

use std::io::Write;
use std::path::{Path, PathBuf};

use clisonix_pq::key_file::{Cost, unwrap, wrap};
use clisonix_pq::{self as pq, Profile, age};
use pyo3::prelude::*;

use super::file::{self, NewFile};
use super::randomness::System;
use crate::clock::now_ms;
use crate::failure::Failure;

/// Own keys. They never leave this object but wrapped under a pass-phrase.
#[pyclass(frozen, module = "clisonix._native", name = "Keys")]
pub(crate) struct Keys(pq::Keys);

impl Keys {
    pub(super) fn inner(&self) -> &pq::Keys {
        &self.0
    }
}

#[pymethods]
impl Keys {
    #[staticmethod]
    fn generate(py: Python<'_>, name: &str) -> Result<Self, Failure> {
        py.detach(|| {
            let mut random = System::default();
            let keys = pq::Keys::generate(Profile::Hybrid, name, now_ms(), &mut random)?;
            random.check()?;
            Ok(Self(keys))
        })
    }

    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf, passphrase: &[u8]) -> Result<Self, Failure> {
        py.detach(|| {
            file::refuse_if_shared(&path)?;
            let keys = unwrap(&file::form(&path)?, passphrase);
            Ok(Self(keys.map_err(|error| Failure::key_file(&path, error))?))
        })
    }

    fn save(&self, py: Python<'_>, path: PathBuf, passphrase: &[u8]) -> Result<(), Failure> {
        py.detach(|| {
            let mut random = System::default();
            let text = wrap(&self.0, passphrase, Cost::STANDARD, &mut random)?;
            random.check()?;
            let mut new = NewFile::create(&path)?;
            let written = new.file_mut().write_all(text.as_bytes());
            written.map_err(|error| Failure::io(&path, error))?;
            new.keep()
        })
    }

    fn public(&self, py: Python<'_>) -> Result<PublicKeys, Failure> {
        py.detach(|| {
            let mut random = System::default();
            let public = self.0.public(&mut random);
            random.check()?;
            Ok(PublicKeys(public))
        })
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }
}

/// Somebody's public keys, their signature verified.
#[pyclass(frozen, module = "clisonix._native", name = "PublicKeys")]
pub(crate) struct PublicKeys(pq::PublicKeys);

impl PublicKeys {
    pub(super) fn inner(&self) -> &pq::PublicKeys {
        &self.0
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let keys = pq::PublicKeys::from_text(&file::form(path)?);
        Ok(Self(keys.map_err(|error| Failure::key_file(path, error))?))
    }
}

#[pymethods]
impl PublicKeys {
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> Result<Self, Failure> {
        py.detach(|| Self::read(&path))
    }

    #[staticmethod]
    fn from_text(py: Python<'_>, text: &str) -> Result<Self, Failure> {
        py.detach(|| Ok(Self(pq::PublicKeys::from_text(text.as_bytes())?)))
    }

    #[getter]
    fn text(&self) -> &str {
        self.0.to_text()
    }

    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    #[getter]
    fn fingerprint(&self) -> String {
        self.0.fingerprint().to_string()
    }

    #[getter]
    fn issuer(&self) -> String {
        self.0.fingerprint().hexadecimal()
    }

    #[getter]
    fn recipient(&self) -> Result<String, Failure> {
        age::recipient_text(self.0.recipient()).map_err(|error| Failure::Key(error.to_string()))
    }
}
