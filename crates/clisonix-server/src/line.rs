//! An open link on its socket: one thread reads, one writes, both over the same [`Link`].

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clisonix_pq::Fingerprint;
use clisonix_pq::link::{Link, LinkError, Role};

use crate::credit::{Credit, Waiting};
use crate::error::Ending;
use crate::frame::{Frames, MAX_MESSAGE_BYTES, framed};
use crate::transport::Shared;

/// After how long without a message a sign of life is sent, in milliseconds.
pub const KEEP_ALIVE_MS: u64 = 5_000;
/// After how long without any byte the peer is taken for gone, in milliseconds.
pub const SILENCE_MS: u64 = 20_000;
/// Longest wait until the peer takes more bytes, in milliseconds.
pub const WRITE_MS: u64 = 20_000;
/// Longest time from the first byte of a message to its last, in milliseconds; a large one has a
/// millisecond more for each [`LEAST_BYTES_A_MS`].
pub const MAX_MESSAGE_MS: u64 = 120_000;
/// The slowest that a large message may come.
pub const LEAST_BYTES_A_MS: u64 = 16;
/// Most bytes that wait to be written to one peer.
pub const MAX_QUEUED_BYTES: usize = 128 << 20;

/// How often a reader looks whether time is up.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes read at once.
const PIECE_BYTES: usize = 64 << 10;

/// One end of an open link, as its holder sees it.
pub struct Line {
    number: u64,
    peer: Fingerprint,
    role: Role,
    address: Option<SocketAddr>,
    socket: TcpStream,
    link: Mutex<Link>,
    out: Mutex<Outgoing>,
    news: Condvar,
}

#[derive(Default)]
struct Outgoing {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
    /// The link itself has something for the peer.
    is_wanted: bool,
    /// Why nothing more is sent; the first reason stands.
    ending: Option<Ending>,
    /// The closing word is written, or cannot be.
    is_done: bool,
}

impl Line {
    pub(crate) fn new(number: u64, link: Link, socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(LOOK))?;
        socket.set_write_timeout(Some(Duration::from_millis(WRITE_MS)))?;
        Ok(Self {
            number,
            peer: link.peer().fingerprint(),
            role: link.role(),
            address: socket.peer_addr().ok(),
            socket,
            link: Mutex::new(link),
            out: Mutex::default(),
            news: Condvar::new(),
        })
    }

    /// Tells this link from every other one of the process.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Who is at the other end.
    pub fn peer(&self) -> Fingerprint {
        self.peer
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where the other end is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What stands for this session of the link, the same at both ends and not secret.
    pub fn session(&self) -> [u8; 32] {
        self.link().session()
    }

    /// Sends a message; does not wait. A link whose peer does not read ends here.
    ///
    /// # Errors
    /// Why the link has ended.
    pub fn send(&self, message: Vec<u8>) -> Result<(), Ending> {
        let mut out = self.out();
        if let Some(ending) = &out.ending {
            return Err(ending.clone());
        }
        let ending = if message.len() > MAX_MESSAGE_BYTES {
            Ending::LongMessage
        } else if out.bytes + message.len() > MAX_QUEUED_BYTES {
            Ending::NotReading
        } else {
            out.bytes += message.len();
            out.messages.push_back(message);
            self.news.notify_all();
            return Ok(());
        };
        drop(out);
        self.end(ending.clone());
        Err(ending)
    }

    /// How many bytes wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.out().bytes
    }

    /// Ends the link; what was sent before still goes out, with the closing word.
    pub fn end(&self, why: Ending) {
        let mut out = self.out();
        // What cannot be written need not be waited for.
        let is_lost = matches!(why, Ending::NotReading | Ending::Io(_) | Ending::Silent);
        out.ending.get_or_insert(why);
        if is_lost {
            out.messages.clear();
            let _ = self.socket.shutdown(Shutdown::Both);
        }
        self.news.notify_all();
    }

    /// Why the link ends, if it does.
    pub fn ending(&self) -> Option<Ending> {
        self.out().ending.clone()
    }

    /// Reads until the link ends, and tells why it did.
    pub(crate) fn read(&self, shared: &Shared, each: &mut dyn FnMut(Vec<u8>, Credit)) -> Ending {
        let mut reader = Reader {
            frames: Frames::default(),
            waiting: Arc::default(),
            heard: Instant::now(),
            begun: None,
            wire: vec![0; PIECE_BYTES],
            plain: vec![0; PIECE_BYTES],
        };
        let ending = loop {
            if let Err(ending) = reader.turn(self, shared, each) {
                break ending;
            }
        };
        let mut out = self.out();
        let first = out.ending.get_or_insert(ending).clone();
        self.news.notify_all();
        // The writer may have the closing word to write; it has its own limit of time.
        while !out.is_done {
            out = self.news.wait(out).unwrap_or_else(PoisonError::into_inner);
        }
        let _ = self.socket.shutdown(Shutdown::Both);
        first
    }

    /// Writes until the link ends.
    pub(crate) fn write(&self, shared: &Shared) {
        let written = self.write_all(shared);
        if let Err(ending) = written {
            self.end(ending);
        }
        let mut out = self.out();
        out.is_done = true;
        out.messages.clear();
        self.news.notify_all();
        drop(out);
        // The peer answers the closing word with its own, or the reader notices the time.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    fn write_all(&self, shared: &Shared) -> Result<(), Ending> {
        loop {
            match self.next() {
                Next::Message(message) => {
                    self.put(&framed(&message), shared)?;
                    shared.with_traffic(self.peer, |traffic| traffic.messages_out += 1);
                    let mut out = self.out();
                    out.bytes = out.bytes.saturating_sub(message.len());
                }
                Next::SignOfLife => self.put(&framed(&[]), shared)?,
                Next::OfTheLink => self.put(&[], shared)?,
                Next::Closing => {
                    self.link().close();
                    return self.put(&[], shared);
                }
            }
        }
    }

    fn next(&self) -> Next {
        let idle = Duration::from_millis(KEEP_ALIVE_MS);
        let nothing =
            |out: &mut Outgoing| out.messages.is_empty() && !out.is_wanted && out.ending.is_none();
        let waited = self.news.wait_timeout_while(self.out(), idle, nothing);
        let (mut out, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut out.is_wanted) {
            return Next::OfTheLink;
        }
        match out.messages.pop_front() {
            Some(message) => Next::Message(message),
            None if out.ending.is_some() => Next::Closing,
            None => Next::SignOfLife,
        }
    }

    /// Encrypts and writes bytes. The lock is not held while the socket is waited for.
    fn put(&self, mut data: &[u8], shared: &Shared) -> Result<(), Ending> {
        let mut wire = Vec::new();
        loop {
            wire.clear();
            let mut link = self.link();
            while !data.is_empty() {
                let count = link.send(data)?;
                if count == 0 {
                    break;
                }
                data = data.get(count..).unwrap_or_default();
            }
            while link.wants_write() {
                link.write_to(&mut wire).map_err(|error| Ending::of_io(&error))?;
            }
            drop(link);
            (&self.socket).write_all(&wire).map_err(|error| Ending::of_io(&error))?;
            shared.with_traffic(self.peer, |traffic| traffic.bytes_out += wire.len() as u64);
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn out(&self) -> MutexGuard<'_, Outgoing> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Next {
    Message(Vec<u8>),
    SignOfLife,
    OfTheLink,
    Closing,
}

/// What the reading thread knows.
struct Reader {
    frames: Frames,
    waiting: Arc<Waiting>,
    heard: Instant,
    /// Since when a message is on its way.
    begun: Option<Instant>,
    wire: Vec<u8>,
    plain: Vec<u8>,
}

impl Reader {
    /// Hands on what is there, then reads once.
    fn turn(
        &mut self,
        line: &Line,
        shared: &Shared,
        each: &mut dyn FnMut(Vec<u8>, Credit),
    ) -> Result<(), Ending> {
        // What came with the opening's last bytes is there before anything is read.
        self.drain(line, &[], shared, each)?;
        self.look(line, shared)?;
        let mut wire = std::mem::take(&mut self.wire);
        let count = (&line.socket).read(&mut wire);
        let count = match count {
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => {
                    self.wire = wire;
                    return Ok(());
                }
                kind => return Err(Ending::Io(kind)),
            },
        };
        self.heard = Instant::now();
        shared.with_traffic(line.peer, |traffic| traffic.bytes_in += count as u64);
        if count == 0 {
            line.link().read_from(&mut io::empty())?;
        }
        self.drain(line, wire.get(..count).unwrap_or_default(), shared, each)?;
        self.wire = wire;
        // A transport that ended without the closing word gave an error above.
        if count == 0 { Err(LinkError::Cut.into()) } else { Ok(()) }
    }

    /// Decrypts what came and hands on the messages in it.
    fn drain(
        &mut self,
        line: &Line,
        mut came: &[u8],
        shared: &Shared,
        each: &mut dyn FnMut(Vec<u8>, Credit),
    ) -> Result<(), Ending> {
        let mut plain = std::mem::take(&mut self.plain);
        loop {
            let mut open = line.link();
            let count = match open.receive(&mut plain)? {
                Some(0) => return Err(Ending::ByPeer),
                Some(count) => count,
                None if came.is_empty() => {
                    if open.wants_write() {
                        drop(open);
                        line.out().is_wanted = true;
                        line.news.notify_all();
                    }
                    self.plain = plain;
                    return Ok(());
                }
                None => {
                    open.read_from(&mut came)?;
                    continue;
                }
            };
            drop(open);
            self.take(line, plain.get(..count).unwrap_or_default(), shared, each)?;
        }
    }

    /// Hands on the messages that are whole.
    fn take(
        &mut self,
        line: &Line,
        mut data: &[u8],
        shared: &Shared,
        each: &mut dyn FnMut(Vec<u8>, Credit),
    ) -> Result<(), Ending> {
        while let Some(message) = self.frames.take(&mut data).map_err(|_| Ending::LongMessage)? {
            self.begun = None;
            if !message.is_empty() {
                let credit = self.credit(message.len(), line, shared)?;
                shared.with_traffic(line.peer, |traffic| traffic.messages_in += 1);
                each(message, credit);
            }
        }
        if self.frames.is_within() {
            self.begun.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Waits until this peer's earlier messages are dealt with.
    fn credit(&mut self, bytes: usize, line: &Line, shared: &Shared) -> Result<Credit, Ending> {
        loop {
            if let Some(credit) = self.waiting.enter(bytes, LOOK) {
                // What was not read meanwhile is no silence of the peer.
                self.heard = Instant::now();
                return Ok(credit);
            }
            if let Some(ending) = line.ending() {
                return Err(ending);
            }
            if shared.is_stopping() {
                return Err(Ending::Stopped);
            }
        }
    }

    /// Looks whether the link should end.
    fn look(&self, line: &Line, shared: &Shared) -> Result<(), Ending> {
        let is_over = |since: Instant, ms| since.elapsed() > Duration::from_millis(ms);
        if is_over(self.heard, SILENCE_MS) {
            return Err(line.ending().unwrap_or(Ending::Silent));
        }
        let most = MAX_MESSAGE_MS + self.frames.announced() / LEAST_BYTES_A_MS;
        if self.begun.is_some_and(|begun| is_over(begun, most)) {
            return Err(Ending::SlowMessage);
        }
        if shared.is_stopping() {
            return Err(Ending::Stopped);
        }
        if line.link().is_worn(shared.elapsed_ms()) {
            return Err(Ending::Worn);
        }
        // The one that ended the link still waits a little for what the peer has sent.
        match line.ending() {
            Some(ending) if line.out().is_done => Err(ending),
            _ => Ok(()),
        }
    }
}
