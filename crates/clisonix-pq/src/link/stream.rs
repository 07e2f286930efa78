//! An open link as a stream over a blocking transport.

use std::io::{self, Read, Write};

use super::{Link, LinkError};

/// Reads and writes data through a link, moving its bytes over `S` as needed.
pub struct LinkStream<'a, S> {
    link: &'a mut Link,
    transport: &'a mut S,
}

impl<'a, S: Read + Write> LinkStream<'a, S> {
    pub(super) fn new(link: &'a mut Link, transport: &'a mut S) -> Self {
        Self { link, transport }
    }

    /// Says the closing word and writes everything.
    pub fn close(&mut self) -> io::Result<()> {
        self.link.close();
        self.flush()
    }

    fn drain(&mut self) -> io::Result<()> {
        while self.link.wants_write() {
            self.link.write_to(self.transport)?;
        }
        Ok(())
    }
}

impl<S: Read + Write> Read for LinkStream<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(count) = self.link.receive(buffer).map_err(failed)? {
                return Ok(count);
            }
            // What waits to be written may be what the peer waits for.
            self.drain()?;
            self.link.read_from(self.transport).map_err(failed)?;
        }
    }
}

impl<S: Read + Write> Write for LinkStream<'_, S> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        loop {
            let count = self.link.send(data).map_err(failed)?;
            if count > 0 || data.is_empty() {
                return Ok(count);
            }
            self.drain()?;
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.transport.flush()
    }
}

fn failed(error: LinkError) -> io::Error {
    let kind = match error {
        LinkError::Io(kind) => kind,
        LinkError::Cut => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}
