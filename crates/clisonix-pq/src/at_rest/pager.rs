//! Pages of a file, sealed one by one.
//!
//! Each opening of a file begins a session with random bytes that make a key of its own; in a
//! session a counter is the nonce. So no nonce is used twice with a key, not even when a copy of
//! the file is opened and written elsewhere.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Salt, cipher};
use crate::aead::{Aes256Gcm, NONCE_BYTES, TAG_BYTES};
use crate::error::DecryptError;
use crate::random::Random;
use crate::secret::Secret;

/// Bytes that a sealed page is longer than the page: session, counter, tag.
pub const PAGE_OVERHEAD_BYTES: usize = SESSION_BYTES + 8 + TAG_BYTES;

const SESSION_BYTES: usize = 16;
/// Keys of other sessions that are remembered.
const MAX_SESSIONS: usize = 64;
const LABEL: &[u8] = b"clisonix page session 1";

/// Seals and opens the pages of one file.
pub struct Pager {
    page_key: Secret<32>,
    file: Salt,
    session: [u8; SESSION_BYTES],
    own: Aes256Gcm,
    next: AtomicU64,
    others: Mutex<VecDeque<([u8; SESSION_BYTES], Arc<Aes256Gcm>)>>,
}

impl Pager {
    /// Begins a session on a file.
    pub fn new(page_key: Secret<32>, file: Salt, random: &mut dyn Random) -> Self {
        let mut session = [0; SESSION_BYTES];
        random.fill(&mut session);
        let own = session_cipher(&page_key, &file, &session);
        let others = Mutex::new(VecDeque::new());
        Self { page_key, file, session, own, next: AtomicU64::new(0), others }
    }

    /// Appends a page that belongs at `place`, sealed, to `out`.
    pub fn seal(&self, place: u64, page: &[u8], out: &mut Vec<u8>) {
        let counter = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        out.extend_from_slice(&self.session);
        out.extend_from_slice(&counter);
        let tag_at = out.len();
        out.extend_from_slice(&[0; TAG_BYTES]);
        out.extend_from_slice(page);
        let Some((tag, text)) = out.get_mut(tag_at..).and_then(|end| end.split_at_mut_checked(16))
        else {
            return;
        };
        tag.copy_from_slice(&self.own.seal_in_place(&nonce(counter), &self.about(place), text));
    }

    /// Opens a page from `place` into `page`, which is [`PAGE_OVERHEAD_BYTES`] shorter.
    pub fn open(&self, place: u64, sealed: &[u8], page: &mut [u8]) -> Result<(), DecryptError> {
        let (session, rest) = sealed.split_first_chunk().ok_or(DecryptError::Rejected)?;
        let (counter, rest) = rest.split_first_chunk().ok_or(DecryptError::Rejected)?;
        let (tag, text) = rest.split_first_chunk().ok_or(DecryptError::Rejected)?;
        if text.len() != page.len() {
            return Err(DecryptError::Rejected);
        }
        let (nonce, about) = (nonce(*counter), self.about(place));
        if *session == self.session {
            return self.own.open_into(&nonce, &about, text, tag, page);
        }
        self.other(session).open_into(&nonce, &about, text, tag, page)
    }

    fn other(&self, session: &[u8; SESSION_BYTES]) -> Arc<Aes256Gcm> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = others.iter().find(|(known, _)| known == session) {
            return Arc::clone(known);
        }
        let made = Arc::new(session_cipher(&self.page_key, &self.file, session));
        if others.len() >= MAX_SESSIONS {
            others.pop_front();
        }
        others.push_back((*session, Arc::clone(&made)));
        made
    }

    /// A page opens only in its file and at its place.
    fn about(&self, place: u64) -> [u8; 24] {
        let mut about = [0; 24];
        let bytes = self.file.into_iter().chain(place.to_be_bytes());
        about.iter_mut().zip(bytes).for_each(|(own, byte)| *own = byte);
        about
    }
}

fn session_cipher(page_key: &Secret<32>, file: &Salt, session: &[u8; SESSION_BYTES]) -> Aes256Gcm {
    cipher(page_key.expose(), file, &[LABEL, session])
}

fn nonce(counter: [u8; 8]) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    nonce.iter_mut().skip(4).zip(counter).for_each(|(own, byte)| *own = byte);
    nonce
}
