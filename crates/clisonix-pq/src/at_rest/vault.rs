//! The vault: a data key for each owner of content, and how one is destroyed.
//!
//! An owner is a record, a received input or a message in quarantine, by its name. Its key is a leaf
//! of a tree; the vault holds what is left of the tree, so an owner costs nothing before its key is
//! destroyed. A generation of the vault lies in two files: the vault itself, sealed, and its anchor,
//! a random key under the store key. Whoever destroys an anchor destroys that generation, however
//! many copies of the vault there are.

use super::tree::{NODE_BYTES, Place, Tree};
use super::{Commitment, Purpose, Salt, StoreId, StoreKey, cipher};
use crate::aead::{Aes256Gcm, NONCE_BYTES, TAG_BYTES};
use crate::digest::hmac_sha256;
use crate::error::DecryptError;
use crate::random::Random;
use crate::secret::Secret;
use zeroize::Zeroizing;

/// Most bytes of a vault.
pub const MAX_VAULT_BYTES: usize = HEAD_BYTES + 32 + 4 + super::tree::MAX_NODES * NODE_BYTES + 16;
/// Bytes that a sealed value is longer than the value: form, epoch, nonce, tag.
pub const ROW_OVERHEAD_BYTES: usize = 1 + 4 + NONCE_BYTES + TAG_BYTES;

const VAULT: [u8; 8] = *b"CLXVALT\n";
const ANCHOR: [u8; 8] = *b"CLXANCR\n";
const FORMAT: u32 = 1;
/// Magic, format, store, generation, commitment, salt.
const HEAD_BYTES: usize = 8 + 4 + 16 + 8 + 16 + 16;
const LABEL: &[u8] = b"clisonix vault 1";
/// Most keys that one owner may have had.
const MAX_EPOCHS: u32 = 10_000;

/// Why a vault cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The bytes are no vault, or no anchor.
    #[error("the file is no vault of keys")]
    Kind,
    /// A later program wrote it.
    #[error("the vault of keys has format {found}, this program knows format 1")]
    Newer {
        /// Its format.
        found: u32,
    },
    /// It is of another store, or its two files are of two generations.
    #[error("the vault of keys belongs to another store, or its files do not belong together")]
    Other,
    /// Another store key made it.
    #[error("the vault of keys was made under another store key")]
    Key,
    /// It is not as it was written.
    #[error("the vault of keys is not as it was written")]
    Damaged,
    /// As many keys were destroyed as one vault can remember.
    #[error("the vault of keys can take no more destroyed keys")]
    Full,
}

impl From<DecryptError> for VaultError {
    fn from(_: DecryptError) -> Self {
        Self::Damaged
    }
}

/// The two files of one generation.
#[derive(Debug)]
pub struct Sealed {
    /// The vault.
    pub vault: Vec<u8>,
    /// Its anchor, without which the vault is lost.
    pub anchor: Vec<u8>,
}

/// The data keys of one store.
pub struct Vault {
    store: StoreId,
    generation: u64,
    /// Makes places of names, so that nobody outside can find two names with one place.
    places: Secret<32>,
    tree: Tree,
}

impl Vault {
    /// A vault in which no key is destroyed: generation 1.
    pub fn new(store: StoreId, random: &mut dyn Random) -> Self {
        Self { store, generation: 1, places: Secret::generate(random), tree: Tree::new(random) }
    }

    /// How often it was written anew.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The store whose keys these are.
    pub fn store(&self) -> StoreId {
        self.store
    }

    /// Which of an owner's keys is in use: as many as were destroyed before it.
    pub fn epoch(&self, owner: &[u8]) -> Result<u32, VaultError> {
        let first = (0..MAX_EPOCHS).find(|epoch| self.tree.has(self.place(owner, *epoch)));
        first.ok_or(VaultError::Full)
    }

    /// A key of an owner; `None` if it was destroyed.
    pub fn data_key(&self, owner: &[u8], epoch: u32) -> Option<DataKey> {
        let key = self.tree.leaf(self.place(owner, epoch))?;
        Some(DataKey { epoch, cipher: Aes256Gcm::with_key(key.expose()) })
    }

    /// Destroys all keys of an owner up to one; false if they were destroyed already. What is sealed
    /// under them is lost once the vault's next generation is all there is.
    pub fn destroy(&mut self, owner: &[u8], through: u32) -> Result<bool, VaultError> {
        let mut any = false;
        for epoch in 0..=through.min(MAX_EPOCHS) {
            if self.tree.is_full() {
                return Err(VaultError::Full);
            }
            any |= self.tree.destroy(self.place(owner, epoch));
        }
        Ok(any)
    }

    /// Begins the next generation, which is to take the place of this one.
    pub fn advance(&mut self) {
        self.generation += 1;
    }

    /// The files of this generation, under a new anchor.
    pub fn seal(&self, key: &StoreKey, random: &mut dyn Random) -> Sealed {
        let secret = Secret::generate(random);
        let mut salts = [[0; 16]; 2];
        for salt in &mut salts {
            random.fill(salt);
        }
        let [vault_salt, anchor_salt] = salts;
        let head = |magic, salt: &Salt| self.head(magic, &key.commitment(), salt);
        let mut anchor = head(ANCHOR, &anchor_salt);
        let wrapped = key.wrap(Purpose::Anchor, &anchor_salt, &anchor, &secret);
        anchor.extend_from_slice(&wrapped);

        let mut vault = head(VAULT, &vault_salt);
        let mut body = Zeroizing::new(self.places.expose().to_vec());
        self.tree.encode(&mut body);
        let cipher = cipher(secret.expose(), &vault_salt, &[LABEL]);
        let tag = cipher.seal_in_place(&[0; NONCE_BYTES], &vault, &mut body);
        vault.extend_from_slice(&body);
        vault.extend_from_slice(&tag);
        Sealed { vault, anchor }
    }

    /// Opens the files of a generation.
    pub fn open(vault: &[u8], anchor: &[u8], key: &StoreKey) -> Result<Self, VaultError> {
        let held = Head::read(VAULT, vault)?;
        let by = Head::read(ANCHOR, anchor)?;
        if (held.store, held.generation) != (by.store, by.generation) {
            return Err(VaultError::Other);
        }
        if !key.made(&by.commitment) {
            return Err(VaultError::Key);
        }
        let wrapped = by.body.try_into().map_err(|_| VaultError::Damaged)?;
        let secret = key.unwrap(Purpose::Anchor, &by.salt, by.bytes, wrapped)?;
        let (body, tag) = held.body.split_last_chunk().ok_or(VaultError::Damaged)?;
        let mut opened = Zeroizing::new(body.to_vec());
        let cipher = cipher(secret.expose(), &held.salt, &[LABEL]);
        cipher.open_in_place(&[0; NONCE_BYTES], held.bytes, &mut opened, tag)?;
        let (places, tree) = opened.split_first_chunk::<32>().ok_or(VaultError::Damaged)?;
        Ok(Self {
            store: held.store,
            generation: held.generation,
            places: Secret::filled(|own| *own = *places),
            tree: Tree::decode(tree).ok_or(VaultError::Damaged)?,
        })
    }

    /// Store and generation that a file of a vault says it is of; nothing of it is verified.
    pub fn about(file: &[u8]) -> Result<(StoreId, u64), VaultError> {
        let head = Head::read(VAULT, file).or_else(|_| Head::read(ANCHOR, file))?;
        Ok((head.store, head.generation))
    }

    fn head(&self, magic: [u8; 8], commitment: &Commitment, salt: &Salt) -> Vec<u8> {
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(&magic);
        head.extend_from_slice(&FORMAT.to_be_bytes());
        head.extend_from_slice(&self.store);
        head.extend_from_slice(&self.generation.to_be_bytes());
        head.extend_from_slice(commitment);
        head.extend_from_slice(salt);
        head
    }

    /// Where an owner's key stands in the tree.
    fn place(&self, owner: &[u8], epoch: u32) -> Place {
        let name = [&epoch.to_be_bytes(), owner].concat();
        let tag = hmac_sha256(self.places.expose(), &name);
        tag.iter().take(10).fold(0, |place, byte| place << 8 | Place::from(*byte))
    }
}

/// The bytes before what is sealed.
struct Head<'a> {
    store: StoreId,
    generation: u64,
    commitment: Commitment,
    salt: Salt,
    bytes: &'a [u8],
    body: &'a [u8],
}

impl<'a> Head<'a> {
    fn read(magic: [u8; 8], file: &'a [u8]) -> Result<Self, VaultError> {
        let own = file.strip_prefix(&magic).ok_or(VaultError::Kind)?;
        let (format, _) = own.split_first_chunk().ok_or(VaultError::Damaged)?;
        let found = u32::from_be_bytes(*format);
        if found != FORMAT {
            return Err(VaultError::Newer { found });
        }
        let read = || {
            let (bytes, body) = file.split_at_checked(HEAD_BYTES)?;
            let (store, rest) = bytes.get(12..)?.split_first_chunk()?;
            let (generation, rest) = rest.split_first_chunk()?;
            let (commitment, salt) = rest.split_first_chunk()?;
            let salt = salt.try_into().ok()?;
            let generation = u64::from_be_bytes(*generation);
            Some(Self { store: *store, generation, commitment: *commitment, salt, bytes, body })
        };
        read().ok_or(VaultError::Damaged)
    }
}

/// A key of one owner of content.
pub struct DataKey {
    epoch: u32,
    cipher: Aes256Gcm,
}

impl DataKey {
    /// Which of the owner's keys it is.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Seals a value; `about` must be given again to open it, and `nonce` must be random.
    pub fn seal(&self, nonce: &[u8; NONCE_BYTES], about: &[u8], value: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(value.len() + ROW_OVERHEAD_BYTES);
        out.push(FORM);
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(nonce);
        let start = out.len();
        out.extend_from_slice(value);
        let text = out.get_mut(start..).unwrap_or_default();
        let tag = self.cipher.seal_in_place(nonce, about, text);
        out.extend_from_slice(&tag);
        out
    }

    /// Opens what [`Self::seal`] made.
    pub fn open(&self, about: &[u8], mut sealed: Vec<u8>) -> Result<Vec<u8>, DecryptError> {
        let own = Self::epoch_of(&sealed) == Some(self.epoch);
        let split = sealed.split_at_mut_checked(ROW_OVERHEAD_BYTES - TAG_BYTES);
        let (head, rest) = split.filter(|_| own).ok_or(DecryptError::Rejected)?;
        let (_, nonce) = head.split_last_chunk().ok_or(DecryptError::Rejected)?;
        let (text, tag) = rest.split_last_chunk_mut().ok_or(DecryptError::Rejected)?;
        self.cipher.open_in_place(nonce, about, text, tag)?;
        sealed.truncate(sealed.len() - TAG_BYTES);
        sealed.drain(..ROW_OVERHEAD_BYTES - TAG_BYTES);
        Ok(sealed)
    }

    /// Under which of its owner's keys a value is sealed; `None` if it is not sealed at all.
    pub fn epoch_of(sealed: &[u8]) -> Option<u32> {
        let (form, rest) = sealed.split_first()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let long_enough = rest.len() >= NONCE_BYTES + TAG_BYTES;
        (*form == FORM && long_enough).then(|| u32::from_be_bytes(*epoch))
    }
}

/// Stands first in every sealed value.
const FORM: u8 = 1;

#[cfg(test)]
mod tests;
