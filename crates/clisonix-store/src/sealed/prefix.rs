//! What stands in clear at the start of an encrypted file: which store it is, and its page key,
//! wrapped under the store key.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use clisonix_pq::Secret;
use clisonix_pq::at_rest::{Commitment, Purpose, Salt, StoreId, StoreKey};

use super::{PAGE_BYTES, SealedFault};
use crate::protection::Protection;
use crate::store::StoreForm;

/// Magic, format, store, file, commitment, wrapped page key with its tag.
pub(crate) const PREFIX_BYTES: usize = 8 + 4 + 16 + 16 + 16 + 48;
/// Where the two copies of the prefix stand.
pub(crate) const COPIES: [u64; 2] = [0, PAGE_BYTES as u64];

const MAGIC: &[u8; 8] = b"CLXPAGE\n";
/// What a file of the engine begins with (redb 4, `docs/design.md`).
const ENGINE_MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";
const FORMAT: u32 = 1;

/// The part that is not secret.
pub(crate) struct Prefix {
    pub(crate) store: StoreId,
    /// Names the file: another one of the same store has another page key.
    pub(crate) file: Salt,
}

impl Prefix {
    /// For a new file, with a new page key.
    pub(crate) fn new(protection: &Protection) -> (Self, Secret<32>) {
        let mut file = [0; 16];
        protection.random(&mut file);
        let page_key = Secret::filled(|own| protection.random(own));
        (Self { store: protection.store, file }, page_key)
    }

    pub(crate) fn encode(
        &self,
        page_key: &Secret<32>,
        protection: &Protection,
    ) -> [u8; PREFIX_BYTES] {
        self.encode_under(page_key, &protection.key())
    }

    fn encode_under(&self, page_key: &Secret<32>, key: &StoreKey) -> [u8; PREFIX_BYTES] {
        let mut out = Vec::with_capacity(PREFIX_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&FORMAT.to_be_bytes());
        out.extend_from_slice(&self.store);
        out.extend_from_slice(&self.file);
        out.extend_from_slice(&key.commitment());
        let wrapped = key.wrap(Purpose::Pages, &self.file, &out, page_key);
        let mut bytes = [0; PREFIX_BYTES];
        bytes.iter_mut().zip(out.into_iter().chain(wrapped)).for_each(|(own, byte)| *own = byte);
        bytes
    }

    /// Reads a copy and unwraps its page key.
    pub(crate) fn open(
        copy: &[u8; PREFIX_BYTES],
        protection: &Protection,
    ) -> Result<(Self, Secret<32>), SealedFault> {
        Self::open_under(copy, &protection.key(), Some(protection.store))
    }

    fn open_under(
        copy: &[u8; PREFIX_BYTES],
        key: &StoreKey,
        store: Option<StoreId>,
    ) -> Result<(Self, Secret<32>), SealedFault> {
        let (prefix, commitment, wrapped) = Self::read(copy)?;
        if store.is_some_and(|store| store != prefix.store) || !key.made(&commitment) {
            return Err(SealedFault::Key);
        }
        let about = copy.split_last_chunk::<48>().map(|(about, _)| about);
        let about = about.ok_or(SealedFault::Damaged)?;
        let page_key = key.unwrap(Purpose::Pages, &prefix.file, about, &wrapped);
        Ok((prefix, page_key.map_err(|_| SealedFault::Damaged)?))
    }

    fn read(copy: &[u8; PREFIX_BYTES]) -> Result<(Self, Commitment, [u8; 48]), SealedFault> {
        let own = copy.strip_prefix(MAGIC).ok_or(SealedFault::Damaged)?;
        let read = || {
            let (format, rest) = own.split_first_chunk()?;
            let (store, rest) = rest.split_first_chunk()?;
            let (file, rest) = rest.split_first_chunk()?;
            let (commitment, wrapped) = rest.split_first_chunk()?;
            let prefix = Self { store: *store, file: *file };
            Some((u32::from_be_bytes(*format), prefix, *commitment, wrapped.try_into().ok()?))
        };
        match read().ok_or(SealedFault::Damaged)? {
            (FORMAT, prefix, commitment, wrapped) => Ok((prefix, commitment, wrapped)),
            _ => Err(SealedFault::Newer),
        }
    }
}

/// What a file is, told by its first bytes. Nothing of it is verified.
pub(crate) fn form(path: &Path) -> io::Result<StoreForm> {
    let mut file = OpenOptions::new().read(true).open(path)?;
    for at in COPIES {
        let mut copy = [0; PREFIX_BYTES];
        file.seek(SeekFrom::Start(at))?;
        match file.read_exact(&mut copy) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            end => end?,
        }
        if copy.starts_with(ENGINE_MAGIC) {
            return Ok(StoreForm::Plain);
        }
        if let Ok((prefix, key, _)) = Prefix::read(&copy) {
            return Ok(StoreForm::Encrypted { store: prefix.store, key });
        }
    }
    // Its making was stopped, or it is damaged; whoever opens it finds out.
    Ok(StoreForm::Absent)
}

/// Wraps the page key of a file under another store key, one copy of the prefix after the other, so
/// that a crash leaves one that opens under either key.
pub(crate) fn rewrap(path: &Path, old: &StoreKey, new: &StoreKey) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut last = SealedFault::Damaged;
    let mut known = None;
    for at in COPIES {
        let mut copy = [0; PREFIX_BYTES];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut copy)?;
        for key in [old, new] {
            match Prefix::open_under(&copy, key, None) {
                Ok(opened) => known = Some(opened),
                Err(fault) => last = fault,
            }
        }
    }
    let (prefix, page_key) = known.ok_or(last)?;
    let bytes = prefix.encode_under(&page_key, new);
    for at in COPIES.into_iter().rev() {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    Ok(())
}
