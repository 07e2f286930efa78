//! The backup file itself: header, rows in order, manifest, SHA-256.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clisonix_pq::at_rest::sealing::{self, Label, SealingError};
use clisonix_pq::at_rest::{StoreId, StoreKey};
use sha2::{Digest, Sha256};

use crate::access::AccessHead;
use crate::error::BackupError;
use crate::key_value::{Operation, Row, Table};
use crate::ledger::{FORMAT_VERSION, Incarnation, OLDEST_READABLE_FORMAT};
use crate::limit::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::protection::Protection;

const MAGIC: &[u8; 8] = b"CLXBACK\n";
/// Stands where a table's number would, after the last row.
const END_OF_ROWS: u8 = 0xff;
/// Room that a raw input's own fields take beside its bytes.
const VALUE_SLACK_BYTES: usize = 1 << 20;
const BUFFER_BYTES: usize = 1 << 20;

/// What the file says about itself after its rows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Rows of each table, in the order of [`Table::ALL`].
    pub(crate) rows: [u64; Table::ALL.len()],
    pub(crate) access: AccessHead,
}

/// Where a backup is written to.
enum Out {
    Plain(BufWriter<File>),
    Sealed(Box<sealing::Writer<BufWriter<File>>>),
}

impl Out {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Sealed(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<File> {
        let out = match self {
            Self::Plain(out) => out,
            Self::Sealed(out) => out.finish()?,
        };
        out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

/// Writes a backup front to back.
pub(crate) struct ArchiveWriter {
    out: Out,
    hasher: Sha256,
    written: u64,
    rows: [u64; Table::ALL.len()],
}

impl ArchiveWriter {
    /// Begins one, sealed where the store is encrypted.
    pub(crate) fn start(
        file: File,
        incarnation: Incarnation,
        protection: Option<&Protection>,
    ) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let out = match protection {
            None => Out::Plain(file),
            Some(protection) => {
                let random = &mut |bytes: &mut [u8]| protection.random(bytes);
                let writer =
                    sealing::Writer::start(file, &protection.key(), protection.store, random)?;
                Out::Sealed(Box::new(writer))
            }
        };
        let mut writer =
            Self { out, hasher: Sha256::new(), written: 0, rows: [0; Table::ALL.len()] };
        writer.put(MAGIC)?;
        writer.put(&FORMAT_VERSION.to_be_bytes())?;
        writer.put(&incarnation)?;
        Ok(writer)
    }

    pub(crate) fn row(&mut self, table: Table, row: &Row) -> io::Result<()> {
        let too_long = |_| io::Error::from(io::ErrorKind::InvalidData);
        let key_length = u16::try_from(row.key.len()).map_err(too_long)?;
        let value_length = u32::try_from(row.value.len()).map_err(too_long)?;
        self.put(&[table.number()])?;
        self.put(&key_length.to_be_bytes())?;
        self.put(&value_length.to_be_bytes())?;
        self.put(&row.key)?;
        self.put(&row.value)?;
        if let Some(count) = self.rows.get_mut(usize::from(table.number())) {
            *count += 1;
        }
        Ok(())
    }

    /// The manifest, the digest, the length, and the file to be synced.
    pub(crate) fn finish(
        mut self,
        access: AccessHead,
    ) -> io::Result<(Manifest, [u8; 32], u64, File)> {
        self.put(&[END_OF_ROWS])?;
        for count in self.rows {
            self.put(&count.to_be_bytes())?;
        }
        self.put(&access.entries.to_be_bytes())?;
        self.put(&access.hash)?;
        let digest: [u8; 32] = self.hasher.finalize().into();
        self.out.write_all(&digest)?;
        let file = self.out.finish()?;
        let manifest = Manifest { rows: self.rows, access };
        Ok((manifest, digest, self.written + digest.len() as u64, file))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// The store that a sealed backup says it is of, and its key.
pub(crate) fn label(path: &Path) -> Result<Option<Label>, BackupError> {
    let at = |source| BackupError::File { path: path.to_owned(), source };
    let mut store = None;
    let file = File::open(path).map_err(at)?;
    // Without a key nothing of it is read but what stands before the first chunk.
    match sealing::Reader::start(file, |label| {
        store = Some(*label);
        None
    }) {
        Err(SealingError::Io(source)) => Err(at(source)),
        _ => Ok(store),
    }
}

/// Reads a backup front to back; nothing is trusted before [`ArchiveReader::finish`].
pub(crate) struct ArchiveReader {
    path: PathBuf,
    input: Box<dyn Read>,
    /// The store that a sealed backup is of.
    sealed_of: Option<StoreId>,
    hasher: Sha256,
    offset: u64,
    format: u32,
    incarnation: Incarnation,
    rows: [u64; Table::ALL.len()],
    last: Option<(Table, Vec<u8>)>,
}

impl ArchiveReader {
    /// Opens a backup; a sealed one with the key that it was made under.
    pub(crate) fn open(path: &Path, key: Option<&StoreKey>) -> Result<Self, BackupError> {
        let at = |source| BackupError::File { path: path.to_owned(), source };
        let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(at)?);
        let mut sealed_of = None;
        let input: Box<dyn Read> = if file.fill_buf().map_err(at)?.starts_with(sealing::MAGIC) {
            let reader = sealing::Reader::start(file, |label| {
                sealed_of = Some(label.store);
                key
            });
            Box::new(reader.map_err(|error| match error {
                SealingError::Key => BackupError::Key { path: path.to_owned() },
                SealingError::Newer { found } => BackupError::NewerFormat { found, supported: 1 },
                SealingError::Io(source) => at(source),
                _ => BackupError::NotABackup { path: path.to_owned() },
            })?)
        } else {
            Box::new(file)
        };
        let mut reader = Self {
            path: path.to_owned(),
            input,
            sealed_of,
            hasher: Sha256::new(),
            offset: 0,
            format: FORMAT_VERSION,
            incarnation: [0; 16],
            rows: [0; Table::ALL.len()],
            last: None,
        };
        reader.header()?;
        Ok(reader)
    }

    pub(crate) fn format(&self) -> u32 {
        self.format
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The store that a sealed backup is of; its rows stand as they are stored.
    pub(crate) fn sealed_of(&self) -> Option<StoreId> {
        self.sealed_of
    }

    fn header(&mut self) -> Result<(), BackupError> {
        let not_a_backup = BackupError::NotABackup { path: self.path.clone() };
        match self.array() {
            Ok(magic) if magic == *MAGIC => {}
            Ok(_) | Err(BackupError::Damaged { .. }) => return Err(not_a_backup),
            Err(error) => return Err(error),
        }
        let found = u32::from_be_bytes(self.array()?);
        if found > FORMAT_VERSION {
            return Err(BackupError::NewerFormat { found, supported: FORMAT_VERSION });
        }
        self.format = found;
        self.incarnation = self.array()?;
        if found >= OLDEST_READABLE_FORMAT { Ok(()) } else { Err(not_a_backup) }
    }

    /// The next row, or `None` after the last. Rows ascend by table and key, so none comes twice.
    pub(crate) fn row(&mut self) -> Result<Option<Operation>, BackupError> {
        let [number] = self.array()?;
        if number == END_OF_ROWS {
            return Ok(None);
        }
        let table = Table::numbered(number).ok_or(BackupError::Damaged { offset: self.offset })?;
        let key_length = usize::from(u16::from_be_bytes(self.array()?));
        let value_length = usize::try_from(u32::from_be_bytes(self.array()?)).unwrap_or(usize::MAX);
        if key_length > MAX_KEY_BYTES || value_length > MAX_VALUE_BYTES + VALUE_SLACK_BYTES {
            return Err(BackupError::Damaged { offset: self.offset });
        }
        let key = self.bytes(key_length)?;
        let value = self.bytes(value_length)?;
        let place = (table, key);
        if self.last.as_ref().is_some_and(|last| *last >= place) {
            return Err(BackupError::Damaged { offset: self.offset });
        }
        if let Some(count) = self.rows.get_mut(usize::from(number)) {
            *count += 1;
        }
        self.last = Some(place.clone());
        Ok(Some(Operation { table, key: place.1, value: Some(value) }))
    }

    /// Reads the manifest and compares counts and digest; call after the last row.
    pub(crate) fn finish(mut self) -> Result<(Manifest, [u8; 32], u64), BackupError> {
        let mut rows = [0; Table::ALL.len()];
        for count in &mut rows {
            *count = u64::from_be_bytes(self.array()?);
        }
        let entries = u64::from_be_bytes(self.array()?);
        let access = AccessHead { entries, hash: self.array()? };
        let computed: [u8; 32] = self.hasher.clone().finalize().into();
        let digest: [u8; 32] = self.array()?;
        if digest != computed {
            return Err(BackupError::DigestDiffers);
        }
        if rows != self.rows {
            return Err(BackupError::ManifestDiffers);
        }
        let at_end = self.input.read(&mut [0]).map_err(|source| self.failed(source))? == 0;
        if !at_end {
            return Err(BackupError::Damaged { offset: self.offset });
        }
        Ok((Manifest { rows, access }, digest, self.offset))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, BackupError> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.input.read_exact(bytes).map_err(|source| self.failed(source))?;
        self.hasher.update(&*bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> BackupError {
        // What is sealed says of itself that it is not as it was written.
        if matches!(source.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) {
            return BackupError::Damaged { offset: self.offset };
        }
        BackupError::File { path: self.path.clone(), source }
    }
}
