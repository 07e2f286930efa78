//! The encrypted medium: each page of the engine is sealed by itself, and nothing else stands in the
//! file but a key that only the store key opens (`docs/formats/store.md`, `docs/design/0012`).
//!
//! The engine writes its pages to free places only, and makes them count by rewriting page 0 in
//! place. So page 0 alone must survive a torn write: it lies in two places by turns, each twice, and
//! the place that was synced last is never touched.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clisonix_pq::Secret;
use clisonix_pq::at_rest::{PAGE_OVERHEAD_BYTES, Pager};
use redb::StorageBackend;

use crate::medium::Medium;
use crate::protection::Protection;
use crate::sealed::prefix::{COPIES, PREFIX_BYTES, Prefix};

pub(crate) mod prefix;

/// Bytes of a page of the engine.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Bytes of a sealed page.
const SEALED_BYTES: usize = PAGE_BYTES + PAGE_OVERHEAD_BYTES;
/// Where the first place of page 0 begins; before it stand the copies of the prefix.
const HEADS_START: u64 = 2 * PAGE_BYTES as u64;
/// How far the places of page 0 lie apart, so that no failing sector spoils two of them.
const HEAD_STRIDE: u64 = 2 * PAGE_BYTES as u64;
/// A place of page 0: a count, and the page.
const HEAD_BYTES: usize = 8 + PAGE_BYTES;
/// Two places by turns, each twice.
const HEADS: u64 = 4;
/// Where page 1 begins.
const PAGES_START: u64 = HEADS_START + HEADS * HEAD_STRIDE;
/// Most pages that are read or written at a time.
const MAX_RUN_PAGES: usize = 64;
/// Longest file that can be an unfinished one.
const MAX_UNFINISHED_BYTES: u64 = 2 << 20;

/// Why a sealed file cannot be used. Told through [`io::Error`], as the engine asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SealedFault {
    /// Another store key made the file, or the file is of another store.
    #[error("the file was made under another store key")]
    Key,
    /// A later program wrote it.
    #[error("the file has a newer format of encryption")]
    Newer,
    /// A page, or what stands before the pages, is not as it was written.
    #[error("a page of the file is not as it was written")]
    Damaged,
    /// Something that no engine page is.
    #[error("only whole pages can be read and written")]
    Alignment,
}

impl From<SealedFault> for io::Error {
    fn from(fault: SealedFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// Encrypts what lies on another medium.
pub(crate) struct SealedMedium {
    inner: Box<dyn Medium>,
    protection: Arc<Protection>,
}

impl SealedMedium {
    pub(crate) fn new(inner: Box<dyn Medium>, protection: Arc<Protection>) -> Self {
        Self { inner, protection }
    }
}

impl Medium for SealedMedium {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        let inner = self.inner.open()?;
        let backend = match load_prefix(&*inner, &self.protection)? {
            Some((prefix, page_key)) => {
                // What is read here may not be durable yet, and what follows builds on it.
                inner.sync_data()?;
                SealedBackend::reopened(inner, &prefix, page_key, &self.protection)?
            }
            None => SealedBackend::fresh(inner, &self.protection)?,
        };
        Ok(Box::new(backend))
    }
}

/// The prefix and the page key; `None` of a file that is empty or whose making did not finish.
fn load_prefix(
    inner: &dyn StorageBackend,
    protection: &Protection,
) -> io::Result<Option<(Prefix, Secret<32>)>> {
    let length = inner.len()?;
    let mut copies = [[0; PREFIX_BYTES]; COPIES.len()];
    if length >= PAGES_START {
        for (at, copy) in COPIES.into_iter().zip(&mut copies) {
            inner.read(at, copy)?;
        }
    }
    let mut fault = SealedFault::Damaged;
    for copy in &copies {
        match Prefix::open(copy, protection) {
            Ok(opened) => {
                mend_prefix(inner, &copies, copy)?;
                return Ok(Some(opened));
            }
            // A damaged copy tells less than one that is only under another key.
            Err(SealedFault::Damaged) => {}
            Err(other) => fault = other,
        }
    }
    // The last copy of the prefix is the last that is written of a new file.
    let [.., last] = copies;
    let is_unfinished = last.iter().all(|byte| *byte == 0) && fault == SealedFault::Damaged;
    if length <= MAX_UNFINISHED_BYTES && is_unfinished { Ok(None) } else { Err(fault.into()) }
}

/// Makes both copies of the prefix what the one is that opened.
fn mend_prefix(
    inner: &dyn StorageBackend,
    copies: &[[u8; PREFIX_BYTES]; COPIES.len()],
    good: &[u8; PREFIX_BYTES],
) -> io::Result<()> {
    for (at, copy) in COPIES.into_iter().zip(copies) {
        if copy != good {
            inner.write(at, good)?;
            inner.sync_data()?;
        }
    }
    Ok(())
}

/// The engine's bytes, each page sealed.
struct SealedBackend {
    inner: Box<dyn StorageBackend>,
    pager: Pager,
    heads: Mutex<Heads>,
}

/// Page 0, and where it lies.
struct Heads {
    page: Vec<u8>,
    /// Counts its writes.
    count: u64,
    /// Which of the two places holds it durably.
    durable: u64,
    /// Whether the other place was written since.
    is_written: bool,
    /// What is still to be written before the pages, once page 0 is there.
    prefix: Option<[u8; PREFIX_BYTES]>,
}

impl SealedBackend {
    fn fresh(inner: Box<dyn StorageBackend>, protection: &Protection) -> io::Result<Self> {
        inner.set_len(0)?;
        let (prefix, page_key) = Prefix::new(protection);
        let prefix_bytes = prefix.encode(&page_key, protection);
        let heads = Heads {
            page: vec![0; PAGE_BYTES],
            count: 0,
            durable: 0,
            is_written: false,
            prefix: Some(prefix_bytes),
        };
        let pager = protection.pager(page_key, prefix.file);
        Ok(Self { inner, pager, heads: Mutex::new(heads) })
    }

    fn reopened(
        inner: Box<dyn StorageBackend>,
        prefix: &Prefix,
        page_key: Secret<32>,
        protection: &Protection,
    ) -> io::Result<Self> {
        let pager = protection.pager(page_key, prefix.file);
        let mut newest: Option<(u64, u64, Vec<u8>)> = None;
        let (mut sealed, mut head) =
            (vec![0; HEAD_BYTES + PAGE_OVERHEAD_BYTES], vec![0; HEAD_BYTES]);
        for place in 0..HEADS {
            inner.read(head_offset(place), &mut sealed)?;
            if pager.open(head_name(place), &sealed, &mut head).is_err() {
                continue;
            }
            let Some((count, page)) = head.split_first_chunk() else { continue };
            let count = u64::from_be_bytes(*count);
            if newest.as_ref().is_none_or(|(known, ..)| *known < count) {
                newest = Some((count, place % 2, page.to_vec()));
            }
        }
        let (count, durable, page) = newest.ok_or(SealedFault::Damaged)?;
        let heads = Heads { page, count, durable, is_written: false, prefix: None };
        Ok(Self { inner, pager, heads: Mutex::new(heads) })
    }

    // The guarded value is whole between any two statements that can panic.
    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes page 0 where it is not durable.
    fn write_head(&self, heads: &mut Heads) -> io::Result<()> {
        heads.count += 1;
        heads.is_written = true;
        let place = 1 - heads.durable;
        let text = [&heads.count.to_be_bytes(), heads.page.as_slice()].concat();
        for place in [place, place + 2] {
            let mut sealed = Vec::with_capacity(text.len() + PAGE_OVERHEAD_BYTES);
            self.pager.seal(head_name(place), &text, &mut sealed);
            self.inner.write(head_offset(place), &sealed)?;
        }
        Ok(())
    }

    fn read_pages(&self, first: u64, out: &mut [u8]) -> io::Result<()> {
        let pages = out.len() / PAGE_BYTES;
        let mut sealed = vec![0; pages.min(MAX_RUN_PAGES) * SEALED_BYTES];
        let mut page = first;
        for run in out.chunks_mut(MAX_RUN_PAGES * PAGE_BYTES) {
            let bytes = run.len() / PAGE_BYTES * SEALED_BYTES;
            let sealed = sealed.get_mut(..bytes).ok_or(SealedFault::Alignment)?;
            self.inner.read(page_offset(page), sealed)?;
            for (sealed, own) in sealed.chunks(SEALED_BYTES).zip(run.chunks_mut(PAGE_BYTES)) {
                self.pager.open(page, sealed, own).map_err(|_| SealedFault::Damaged)?;
                page += 1;
            }
        }
        Ok(())
    }

    fn write_pages(&self, first: u64, data: &[u8]) -> io::Result<()> {
        let pages = data.len() / PAGE_BYTES;
        let mut sealed = Vec::with_capacity(pages.min(MAX_RUN_PAGES) * SEALED_BYTES);
        let mut page = first;
        for run in data.chunks(MAX_RUN_PAGES * PAGE_BYTES) {
            let start = page;
            sealed.clear();
            for own in run.chunks(PAGE_BYTES) {
                self.pager.seal(page, own, &mut sealed);
                page += 1;
            }
            self.inner.write(page_offset(start), &sealed)?;
        }
        Ok(())
    }
}

impl fmt::Debug for SealedBackend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealedBackend").finish_non_exhaustive()
    }
}

impl StorageBackend for SealedBackend {
    fn len(&self) -> io::Result<u64> {
        let length = self.inner.len()?;
        let Some(pages) = length.checked_sub(PAGES_START) else { return Ok(0) };
        if !pages.is_multiple_of(SEALED_BYTES as u64) {
            return Err(SealedFault::Damaged.into());
        }
        Ok((1 + pages / SEALED_BYTES as u64) * PAGE_BYTES as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (first, out) = if offset < PAGE_BYTES as u64 {
            let heads = self.heads();
            let rest = usize::try_from(offset).ok().and_then(|start| heads.page.get(start..));
            let rest = rest.unwrap_or_default();
            let (own, out) = out.split_at_mut(rest.len().min(out.len()));
            own.copy_from_slice(rest.get(..own.len()).unwrap_or_default());
            (PAGE_BYTES as u64, out)
        } else {
            (offset, out)
        };
        if out.is_empty() {
            return Ok(());
        }
        self.read_pages(whole_pages(first, out.len())?, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return self.inner.set_len(0);
        }
        let pages = whole_pages(len, 0)?;
        self.inner.set_len(page_offset(pages))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut heads = self.heads();
        self.inner.sync_data()?;
        if heads.is_written {
            heads.durable = 1 - heads.durable;
            heads.is_written = false;
        }
        // The engine writes the first bytes of a new file last; only then is the file one.
        if heads.page.first() != Some(&0)
            && let Some(prefix) = &heads.prefix
        {
            for at in COPIES {
                self.inner.write(at, prefix)?;
                self.inner.sync_data()?;
            }
            heads.prefix = None;
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (first, data) = if offset < PAGE_BYTES as u64 {
            let start = usize::try_from(offset).map_err(|_| SealedFault::Alignment)?;
            let (own, rest) = data.split_at(data.len().min(PAGE_BYTES - start));
            let mut heads = self.heads();
            let target = heads.page.get_mut(start..start + own.len());
            target.ok_or(SealedFault::Alignment)?.copy_from_slice(own);
            self.write_head(&mut heads)?;
            (PAGE_BYTES as u64, rest)
        } else {
            (offset, data)
        };
        if data.is_empty() {
            return Ok(());
        }
        self.write_pages(whole_pages(first, data.len())?, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }
}

/// The number of the page at an offset, where nothing but whole pages is meant.
fn whole_pages(offset: u64, length: usize) -> io::Result<u64> {
    let page = PAGE_BYTES as u64;
    if offset.is_multiple_of(page) && length.is_multiple_of(PAGE_BYTES) {
        Ok(offset / page)
    } else {
        Err(SealedFault::Alignment.into())
    }
}

/// Where a page from number 1 on lies in the file.
fn page_offset(page: u64) -> u64 {
    PAGES_START + (page - 1) * SEALED_BYTES as u64
}

fn head_offset(place: u64) -> u64 {
    HEADS_START + place * HEAD_STRIDE
}

/// What a place of page 0 is called where pages have numbers.
fn head_name(place: u64) -> u64 {
    u64::MAX - place
}
