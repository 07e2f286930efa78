//! Content whose length is known only at its end, kept on disk until then, and only encrypted: for
//! a key that lies in memory and goes with the process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context as _, Result};
use clisonix_pq::{Profile, RecipientKey, age};

use crate::exit::Fault;
use crate::outside;

/// A spool that is being written.
pub(crate) struct Spooling {
    writer: age::Writer<File>,
    /// The same file, to be read.
    file: File,
    key: RecipientKey,
    bytes: u64,
}

/// A spool that is read, from its beginning as often as wanted.
pub(crate) struct Spool {
    reader: age::Reader<BufReader<File>>,
    file: File,
    key: RecipientKey,
    bytes: u64,
}

impl Spooling {
    /// Makes a spool beside `path`, where there is room for what becomes of it. Its file has no
    /// name any more when this returns, so it ends with the process.
    pub(crate) fn beside(path: &Path) -> Result<Self> {
        let name = path.file_name().ok_or_else(|| Fault::usage("a file name is needed"))?;
        let mut number = [0; 8];
        outside::random(&mut number);
        let number = u64::from_be_bytes(number);
        let path = path.with_file_name(format!(".{}.{number:016x}", name.to_string_lossy()));
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path).with_context(|| path.display().to_string())?;
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
        let random = &mut outside::random;
        let key = RecipientKey::generate(Profile::Hybrid, random)?;
        let writer = age::Writer::new(file.try_clone()?, &[key.public()], random)?;
        Ok(Self { writer, file, key, bytes: 0 })
    }

    /// Ends the writing.
    pub(crate) fn finish(self) -> Result<Spool> {
        let Self { writer, file, key, bytes } = self;
        writer.finish()?;
        let reader = reader(&file, &key)?;
        Ok(Spool { reader, file, key, bytes })
    }
}

impl Write for Spooling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Spool {
    /// Bytes of the content.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.bytes
    }
}

impl Read for Spool {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

/// Only to the beginning.
impl Seek for Spool {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if to != SeekFrom::Start(0) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.reader = reader(&self.file, &self.key)?;
        Ok(0)
    }
}

/// Reads from the beginning; `file` and what it is read through have one place.
fn reader(mut file: &File, key: &RecipientKey) -> io::Result<age::Reader<BufReader<File>>> {
    file.rewind()?;
    Ok(age::Reader::new(BufReader::new(file.try_clone()?), key)?)
}
