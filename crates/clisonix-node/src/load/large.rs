//! Inputs too large to be read at once: kept in parts, then read line by line from the store.
//!
//! An NDJSON file is taken in whatever its size. Anything else beyond [`MAX_WHOLE_BYTES`] cannot be
//! read in pieces; it is kept whole and listed in the quarantine.

use std::io::{self, Read as _, Seek};
use std::sync::mpsc::{SyncSender, sync_channel};

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_ingest::Hint;
use clisonix_ingest::fhir::lines::{self, Pieces};
use clisonix_ingest::identity::Known;
use clisonix_ingest::recognition::unpack_stream;
use clisonix_store::limit::{MAX_INPUT_BYTES, RAW_PART_BYTES};
use clisonix_store::{Action, Batch, MessageId, ReadError, Store, Table};

use super::input::InputHasher;
use super::window::{Group, Window};
use super::{FLUSH_BYTES, Input, Load, Read, TakenIn, raw_input};
use crate::error::NodeError;
use crate::node::access;
use crate::quarantine;

/// Largest input that is read at once, in bytes: one value of the store, less what stands beside it.
pub const MAX_WHOLE_BYTES: u64 = 60 << 20;
/// Smallest input that is looked at for whether it can be read in pieces, in bytes.
const STREAM_FROM_BYTES: u64 = 1 << 20;

/// Whether [`Load::take_large`] is the way to take an input in: it is too large to be read at once,
/// or it is NDJSON and not small. The source is left wherever it was read to.
///
/// # Errors
/// What the source says.
pub fn is_large(size_bytes: u64, source: &mut impl io::Read) -> io::Result<bool> {
    if size_bytes > MAX_WHOLE_BYTES {
        return Ok(true);
    }
    if size_bytes < STREAM_FROM_BYTES {
        return Ok(false);
    }
    // What is damaged is told where the whole is read.
    Ok(unpack_stream(source).and_then(|mut text| lines::begin(&mut text)).unwrap_or(false))
}

impl Load<'_> {
    /// Takes in an input of any size from a source that can be read twice: it is kept first, and
    /// then read from the store. `told` gets what became of it, piece by piece.
    ///
    /// # Errors
    /// [`NodeError::Input`] if the source cannot be read; then nothing of it is applied, and the
    /// load can go on. Any other: what was applied since the last flush is forgotten again.
    pub fn take_large(
        &mut self,
        name: &str,
        feed: Option<&str>,
        source: &mut (impl io::Read + Seek),
        told: &mut dyn FnMut(&TakenIn),
    ) -> Result<(), NodeError> {
        self.flush()?;
        let feed = feed.map(str::to_owned);
        let input = Input { name: name.to_owned(), feed, bytes: Vec::new() };
        let (message, size_bytes) = identify(&input, source)?;
        if size_bytes > MAX_INPUT_BYTES {
            told(&rejected(input_too_large()));
            return Ok(());
        }
        let now = self.node.inside().outside.now_ms();
        if !self.node.store.snapshot()?.contains(Table::Raw, &message)? {
            keep_parts(&self.node.store, &input, (message, size_bytes), source)?;
            self.batch.raw(raw_input(message, &input, now, Vec::new()))?;
        }
        self.batch.access(access(self.by, Action::Import, now, None)?)?;
        self.flush()?;
        self.settle()?;
        let issue = self.take_stored(message, &input, told);
        if issue.is_err() {
            self.forget();
        }
        if let Some(issue) = issue? {
            quarantine::put_whole(&mut self.batch, &input, message, &issue, now)?;
            told(&rejected(issue));
        }
        self.flush_if_full()
    }

    /// Tries an input in parts again, and ends the load.
    pub(crate) fn retry_stored(
        mut self,
        message: MessageId,
        input: &Input,
    ) -> Result<TakenIn, NodeError> {
        let mut total = TakenIn::default();
        if let Some(issue) =
            self.take_stored(message, input, &mut |taken| total.add(taken.clone()))?
        {
            return Ok(rejected(issue));
        }
        self.finish()?;
        // Its rejected lines are in the quarantine by themselves now.
        total.rejected = 0;
        Ok(total)
    }

    /// Takes in an input that the store holds; an issue if it cannot be read in pieces, and then
    /// nothing of it was applied.
    pub(crate) fn take_stored(
        &mut self,
        message: MessageId,
        input: &Input,
        told: &mut dyn FnMut(&TakenIn),
    ) -> Result<Option<Issue>, NodeError> {
        let store = &self.node.store;
        if !with_text(store, message, &mut |text| lines::begin(text)).unwrap_or(false) {
            return Ok(Some(no_lines()));
        }
        let hint = hint(input);
        let known = match with_text(store, message, &mut |text| Ok(lines::survey(text, &hint)))? {
            Ok(known) => known,
            Err(issue) => return Ok(Some(issue)),
        };
        std::thread::scope(|scope| {
            // One piece is read while the one before is applied.
            let (sender, receiver) = sync_channel(0);
            let known = &known;
            // The sender goes with the thread, which ends the receiving.
            scope.spawn(move || read_pieces(store, message, input, known, &sender));
            for read in receiver {
                let taken = self.apply(&read?)?;
                self.flush_if_full()?;
                told(&taken);
            }
            Ok(None)
        })
    }
}

/// The id and the size of an input.
fn identify(input: &Input, source: &mut impl io::Read) -> io::Result<(MessageId, u64)> {
    let mut hasher = InputHasher::new(input);
    let size = io::copy(&mut source.take(MAX_INPUT_BYTES + 1), &mut hasher)?;
    Ok((hasher.finish(), size))
}

/// Writes the parts of an input, durably; without its own row they are no input yet.
fn keep_parts(
    store: &Store,
    input: &Input,
    (message, size_bytes): (MessageId, u64),
    source: &mut (impl io::Read + Seek),
) -> Result<(), NodeError> {
    source.rewind()?;
    let mut hasher = InputHasher::new(input);
    let (mut batch, mut in_flight) = (Batch::new(), None::<clisonix_store::Ticket>);
    let mut part = Vec::with_capacity(RAW_PART_BYTES);
    for (number, start) in (0..).zip((0..size_bytes).step_by(RAW_PART_BYTES)) {
        part.clear();
        let length = (size_bytes - start).min(RAW_PART_BYTES as u64);
        source.by_ref().take(length).read_to_end(&mut part)?;
        if part.len() as u64 != length {
            return Err(changed(store, message, size_bytes));
        }
        io::Write::write_all(&mut hasher, &part)?;
        batch.raw_part(message, number, size_bytes, &part)?;
        if batch.size_bytes() >= FLUSH_BYTES {
            let ticket = store.submit(std::mem::take(&mut batch))?;
            in_flight.replace(ticket).map_or(Ok(()), |before| before.wait().map(|_| ()))?;
        }
    }
    if hasher.finish() != message {
        return Err(changed(store, message, size_bytes));
    }
    store.write(batch)?;
    in_flight.map_or(Ok(()), |before| before.wait().map(|_| ()))?;
    Ok(())
}

/// Takes the parts away that were kept of an input which is not what it was.
fn changed(store: &Store, message: MessageId, size_bytes: u64) -> NodeError {
    let mut batch = Batch::new();
    let forgotten = batch.forget_raw(message, size_bytes).map(drop);
    match forgotten.and_then(|()| store.write(batch)) {
        Ok(_) => io::Error::other("it changed while it was read").into(),
        Err(error) => error.into(),
    }
}

/// Runs `read` on the unpacked text of a stored input. A fault while reading is one of the store:
/// whether a source can be read was found out when it was kept.
fn with_text<T>(
    store: &Store,
    message: MessageId,
    read: &mut dyn FnMut(&mut dyn io::BufRead) -> io::Result<T>,
) -> Result<T, NodeError> {
    let content = store.raw_content(message)?.ok_or(NodeError::NotFound("input"))?;
    let result = unpack_stream(content).and_then(|mut text| read(&mut text));
    result.map_err(|_| ReadError::Damaged { table: Table::Raw }.into())
}

/// Hands on the lines, those of one record together as far as a window reaches; ends early when
/// nobody takes them any more.
fn read_pieces(
    store: &Store,
    message: MessageId,
    input: &Input,
    known: &Known,
    sender: &SyncSender<Result<Read, NodeError>>,
) {
    let hint = hint(input);
    let mut send = |group: Group| {
        sender.send(Ok(Read::piece(input, message, group.bytes, group.outcomes))).is_ok()
    };
    let end = with_text(store, message, &mut |text| {
        let mut pieces = Pieces::new(text);
        let mut window = Window::default();
        while let Some(piece) = pieces.next_piece()? {
            // A line that is too long has no bytes to keep its place in a window by.
            if (window.is_full() || piece.too_long)
                && !std::mem::take(&mut window).drain(known, &hint, &mut send)
            {
                return Ok(());
            }
            if let Some(group) = window.put(piece, known, &hint)
                && !send(group)
            {
                return Ok(());
            }
        }
        window.drain(known, &hint, &mut send);
        Ok(())
    });
    if let Err(error) = end {
        // Without a receiver there is nobody to tell.
        let _ = sender.send(Err(error));
    }
}

fn hint(input: &Input) -> Hint {
    Hint { feed: input.feed.clone(), file: Some(input.name.clone()), ..Hint::default() }
}

fn rejected(issue: Issue) -> TakenIn {
    TakenIn { rejected: 1, issues: vec![issue], ..TakenIn::default() }
}

fn no_lines() -> Issue {
    let message = format!(
        "the input is larger than {} MiB and is no NDJSON, so it cannot be read in pieces; it is \
         kept whole; split it into smaller files or send it as NDJSON",
        MAX_WHOLE_BYTES >> 20
    );
    Issue::error(IssueCode::TooLong, "", message)
}

fn input_too_large() -> Issue {
    let message = format!(
        "the input is larger than {} GiB and is not kept; split it into smaller files",
        MAX_INPUT_BYTES >> 30
    );
    Issue::error(IssueCode::TooLong, "", message)
}
