//! The public suite of age files (C2SP CCTV `age`): each says how reading it must end, and what of
//! the text may have come out by then.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use base64ct::{Base64Unpadded, Encoding};
use clisonix_pq::aead::ChaCha20Poly1305;
use clisonix_pq::age::{
    AgeError, FileKey, Header, HeaderFault, Reader, Stanza, armor, bech32, identity_from_text,
};
use clisonix_pq::{RecipientKey, Secret, digest, hkdf_sha256, x25519};

use crate::suites::{Outcome, Suite};
use crate::vectors::{self, hexadecimal};

/// The largest work factor of scrypt that is tried, 2^20: 1 GiB of memory.
const MAX_WORK_FACTOR: u8 = 20;

/// All files of the suite, as one suite.
pub(crate) fn judge(folder: &Path) -> Option<Suite> {
    let mut suite = Suite::new(FOLDER);
    for file in vectors::all_files(&folder.join(FOLDER)) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        suite.judge(name, &[(OWN, check(&vectors::read(&file)))]);
    }
    (suite.total() > 0).then_some(suite)
}

const FOLDER: &str = "cctv/age";
/// The reader under test; the primitives below it are aws-lc's and `RustCrypto`'s.
const OWN: &str = "clisonix";

/// Reads one file of the suite and compares how that ends.
fn check(file: &[u8]) -> Outcome {
    let Some(vector) = Vector::read(file) else { return Outcome::Skipped("age-unknown-key") };
    let (text, ended) = read(&vector.age, vector.armored, &vector.keys);
    if vector.expected != outcome(&ended) {
        return Outcome::Failed("ended in another way");
    }
    let same = vector.payload.is_none_or(|payload| payload == digest::sha256(&text));
    Outcome::when(same, "another text came out")
}

/// A file of the suite: what it says about itself, an empty line, and the age file.
struct Vector {
    expected: String,
    payload: Option<Vec<u8>>,
    keys: Vec<Key>,
    armored: bool,
    age: Vec<u8>,
}

impl Vector {
    /// `None` if it says something that is not known: the suite wants such files to be passed over.
    fn read(file: &[u8]) -> Option<Self> {
        let end = file.windows(2).position(|two| two == b"\n\n").expect("an empty line");
        let mut vector = Self {
            expected: String::new(),
            payload: None,
            keys: Vec::new(),
            armored: false,
            age: file[end + 2..].to_vec(),
        };
        for line in String::from_utf8_lossy(&file[..end]).lines() {
            match line.split_once(": ").expect("a name, a colon and a value") {
                ("expect", words) => words.clone_into(&mut vector.expected),
                ("payload", digits) => vector.payload = Some(hexadecimal(digits)),
                ("identity", text) => vector.keys.push(Key::from_text(text)),
                ("passphrase", words) => vector.keys.push(Key::Passphrase(words.to_owned())),
                ("armored", _) => vector.armored = true,
                ("compressed", "zlib") => vector.age = inflated(&vector.age),
                ("file key" | "comment", _) => {}
                _ => return None,
            }
        }
        Some(vector)
    }
}

fn inflated(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::ZlibDecoder::new(packed).read_to_end(&mut bytes).expect("zlib");
    bytes
}

/// What came out, and how it ended.
fn read(age: &[u8], armored: bool, keys: &[Key]) -> (Vec<u8>, Result<(), AgeError>) {
    let mut text = Vec::new();
    let ended = if armored {
        let plain = BufReader::new(armor::Reader::new(age));
        open(plain, keys).and_then(|reader| drain(reader, &mut text))
    } else {
        open(age, keys).and_then(|reader| drain(reader, &mut text))
    };
    (text, ended)
}

fn drain<R: BufRead>(mut reader: Reader<R>, text: &mut Vec<u8>) -> Result<(), AgeError> {
    while let Some(chunk) = reader.chunk()? {
        text.extend_from_slice(chunk);
    }
    Ok(())
}

/// The suite's word for it.
fn outcome(ended: &Result<(), AgeError>) -> &'static str {
    match ended {
        Ok(()) => "success",
        Err(AgeError::Header { .. }) => "header failure",
        Err(AgeError::Armor(_)) => "armor failure",
        Err(AgeError::NoMatch) => "no match",
        Err(AgeError::Mac) => "HMAC failure",
        Err(AgeError::Payload { .. } | AgeError::Truncated { .. } | AgeError::Trailing { .. }) => {
            "payload failure"
        }
        Err(_) => "something else",
    }
}

/// Opens a file for whichever of `keys` has a stanza in it. Classical recipients and files that mix
/// kinds are read here only: the product refuses both.
fn open<R: BufRead>(mut input: R, keys: &[Key]) -> Result<Reader<R>, AgeError> {
    let header = Header::read(&mut input)?;
    let passphrase = header.stanzas.iter().any(|stanza| stanza.kind == "scrypt");
    if passphrase && header.stanzas.len() > 1 {
        return Err(header.fault(HeaderFault::Stanza));
    }
    let mut file_key = None;
    for key in keys {
        for stanza in header.stanzas.iter().filter(|stanza| stanza.kind == key.kind()) {
            let found = key.unwrap(stanza).map_err(|fault| header.fault(fault))?;
            file_key = file_key.or(found);
        }
    }
    Reader::behind_header(input, &header, &file_key.ok_or(AgeError::NoMatch)?)
}

/// What may open a file.
enum Key {
    PostQuantum(Box<RecipientKey>),
    X25519(Secret<32>),
    Passphrase(String),
}

impl Key {
    fn from_text(text: &str) -> Self {
        if let Some(secret) = bech32::decode("age-secret-key-", text) {
            return Self::X25519(Secret::from_slice(&secret).expect("32 bytes"));
        }
        Self::PostQuantum(Box::new(identity_from_text(text).expect("an identity")))
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::PostQuantum(_) => "mlkem768x25519",
            Self::X25519(_) => "X25519",
            Self::Passphrase(_) => "scrypt",
        }
    }

    fn unwrap(&self, stanza: &Stanza) -> Result<Option<FileKey>, HeaderFault> {
        match self {
            Self::PostQuantum(key) => stanza.unwrap(key),
            Self::X25519(secret) => of_x25519(stanza, secret),
            Self::Passphrase(words) => of_scrypt(stanza, words),
        }
    }
}

/// C2SP age.md, "X25519 recipient stanza".
fn of_x25519(stanza: &Stanza, secret: &Secret<32>) -> Result<Option<FileKey>, HeaderFault> {
    let [share] = stanza.arguments.as_slice() else { return Err(HeaderFault::Stanza) };
    let share: [u8; 32] = exactly(share)?;
    let shared = x25519::agree(secret, &share).map_err(|_| HeaderFault::LowOrder)?;
    let own = x25519::public(secret).expect("a public value");
    let mut key = [0; 32];
    let info: &[&[u8]] = &[b"age-encryption.org/v1/X25519"];
    hkdf_sha256(&[share, own].concat(), shared.expose(), info, &mut key).expect("32 bytes");
    opened(stanza, &key)
}

/// C2SP age.md, "scrypt recipient stanza".
fn of_scrypt(stanza: &Stanza, words: &str) -> Result<Option<FileKey>, HeaderFault> {
    let [salt, factor] = stanza.arguments.as_slice() else { return Err(HeaderFault::Stanza) };
    let salt: [u8; 16] = exactly(salt)?;
    let decimal = !factor.starts_with('0') && factor.bytes().all(|byte| byte.is_ascii_digit());
    let factor = factor.parse().ok().filter(|factor| decimal && *factor <= MAX_WORK_FACTOR);
    let factor = factor.ok_or(HeaderFault::Stanza)?;
    if stanza.body.len() != 32 {
        return Err(HeaderFault::Stanza);
    }
    let parameters = scrypt::Params::new(factor, 8, 1).map_err(|_| HeaderFault::Stanza)?;
    let salt = [b"age-encryption.org/v1/scrypt".as_slice(), &salt].concat();
    let mut key = [0; 32];
    scrypt::scrypt(words.as_bytes(), &salt, &parameters, &mut key).expect("32 bytes");
    opened(stanza, &key)
}

/// The body under a key that is used once.
fn opened(stanza: &Stanza, key: &[u8; 32]) -> Result<Option<FileKey>, HeaderFault> {
    let body: [u8; 32] = stanza.body.as_slice().try_into().map_err(|_| HeaderFault::Stanza)?;
    let (text, tag) = body.split_at(16);
    let (mut file_key, tag) = (text.to_vec(), tag.try_into().expect("16 bytes"));
    let aead = ChaCha20Poly1305::with_key(key);
    let opened = aead.open_in_place(&[0; 12], b"", &mut file_key, tag);
    Ok(opened.is_ok().then(|| Secret::from_slice(&file_key).expect("16 bytes")))
}

fn exactly<const N: usize>(text: &str) -> Result<[u8; N], HeaderFault> {
    let bytes = Base64Unpadded::decode_vec(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(HeaderFault::Stanza)
}
