//! Messages over TLS on a blocking stream, within limits of bytes and time: a length of four bytes,
//! big-endian, and that many bytes.

use std::io::{self, Read, Write};

use rustls::Connection;

use crate::profile::Profile;

use super::super::error::LinkError;
use super::super::tls as link_tls;
use super::error::PairingError;
use super::tls::{LABEL, PROTOCOL};
use super::{MAX_EXCHANGE_BYTES, MAX_EXCHANGE_MS};

/// Bytes of the length.
const HEAD_BYTES: usize = 4;

/// One end. A read of the stream should end after a while with [`io::ErrorKind::WouldBlock`] or
/// [`io::ErrorKind::TimedOut`], so that the limit of time is noticed.
pub(super) struct Channel<'a, S> {
    tls: Connection,
    stream: &'a mut S,
    clock: &'a mut dyn FnMut() -> u64,
    begun_ms: u64,
    /// Bytes that came so far.
    taken: usize,
    /// Data that came and was not asked for yet.
    held: Vec<u8>,
    /// The other end said its closing word.
    is_closed: bool,
}

impl<'a, S: Read + Write> Channel<'a, S> {
    pub(super) fn new(
        tls: Connection,
        stream: &'a mut S,
        clock: &'a mut dyn FnMut() -> u64,
    ) -> Self {
        let begun_ms = clock();
        Self { tls, stream, clock, begun_ms, taken: 0, held: Vec::new(), is_closed: false }
    }

    /// Sets TLS up, and holds what was negotiated against what alone may be.
    pub(super) fn set_up(&mut self, profile: Profile) -> Result<(), PairingError> {
        while self.tls.is_handshaking() {
            self.flush()?;
            if self.tls.is_handshaking() {
                self.read()?;
            }
        }
        self.flush()?;
        Ok(link_tls::check(&self.tls, profile, PROTOCOL)?)
    }

    /// The value of the exporter.
    pub(super) fn exported(&self) -> Result<[u8; 32], PairingError> {
        Ok(link_tls::exported(&self.tls, LABEL)?)
    }

    /// The TLS key that the other end has shown.
    pub(super) fn shown(&self) -> Result<&[u8], PairingError> {
        Ok(link_tls::shown(&self.tls)?)
    }

    pub(super) fn send(&mut self, message: &[u8]) -> Result<(), PairingError> {
        let length = u32::try_from(message.len()).map_err(|_| PairingError::TooLong)?;
        let framed = [&length.to_be_bytes(), message].concat();
        let mut rest = &framed[..];
        while !rest.is_empty() {
            let count = self.tls.writer().write(rest).map_err(|_| LinkError::Protocol)?;
            rest = rest.get(count..).unwrap_or_default();
            self.flush()?;
        }
        Ok(())
    }

    /// The next message, which may have so many bytes.
    pub(super) fn receive(&mut self, most: usize) -> Result<Vec<u8>, PairingError> {
        loop {
            if let Some(head) = self.held.first_chunk::<HEAD_BYTES>() {
                let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
                if length > most {
                    return Err(PairingError::TooLong);
                }
                if self.held.len() >= HEAD_BYTES + length {
                    let later = self.held.split_off(HEAD_BYTES + length);
                    let mut message = std::mem::replace(&mut self.held, later);
                    return Ok(message.split_off(HEAD_BYTES));
                }
            }
            if self.is_closed {
                return Err(PairingError::Closed);
            }
            self.read()?;
        }
    }

    /// Says the closing word: everything came that should.
    pub(super) fn close(&mut self) -> Result<(), PairingError> {
        self.tls.send_close_notify();
        self.flush()
    }

    /// Waits for the closing word of the other end.
    pub(super) fn wait_for_closing(&mut self) -> Result<(), PairingError> {
        while !self.is_closed {
            self.read()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PairingError> {
        while self.tls.wants_write() {
            self.look()?;
            self.tls.write_tls(self.stream).map_err(|error| failed(&error))?;
        }
        self.stream.flush().map_err(|error| failed(&error))
    }

    /// Reads once and takes in what came.
    fn read(&mut self) -> Result<(), PairingError> {
        self.look()?;
        // One more than allowed, so that the limit is told from the end.
        let left = (MAX_EXCHANGE_BYTES + 1).saturating_sub(self.taken) as u64;
        let count = match self.tls.read_tls(&mut Read::take(&mut *self.stream, left)) {
            Ok(0) => return Err(PairingError::Closed),
            Ok(count) => count,
            Err(error) if is_waiting(&error) => return Ok(()),
            Err(error) => return Err(failed(&error)),
        };
        self.taken += count;
        if self.taken > MAX_EXCHANGE_BYTES {
            return Err(PairingError::TooLong);
        }
        let state = self.tls.process_new_packets().map_err(|error| {
            // The other end is told as far as TLS has a word for it.
            while self.tls.wants_write() && self.tls.write_tls(self.stream).is_ok() {}
            PairingError::from(LinkError::of_tls(&error))
        })?;
        self.is_closed = state.peer_has_closed();
        let plain = state.plaintext_bytes_to_read() as u64;
        let held = Read::take(self.tls.reader(), plain).read_to_end(&mut self.held);
        held.map(drop).map_err(|error| failed(&error))
    }

    /// Looks whether time is up.
    fn look(&mut self) -> Result<(), PairingError> {
        let elapsed = (self.clock)().saturating_sub(self.begun_ms);
        if elapsed > MAX_EXCHANGE_MS { Err(PairingError::TooSlow) } else { Ok(()) }
    }
}

fn is_waiting(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

fn failed(error: &io::Error) -> PairingError {
    if is_waiting(error) { PairingError::TooSlow } else { LinkError::of_io(error).into() }
}
