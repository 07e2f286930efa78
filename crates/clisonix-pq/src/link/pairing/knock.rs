//! What somebody who connects asks for, told by the first message of TLS, before anything is
//! answered.

use std::io::{self, Read};

use rustls::server::Acceptor;

use super::tls::PROTOCOL;

/// Most bytes of the first message. An honest one has less than 2 KB.
pub const MAX_HELLO_BYTES: usize = 8 << 10;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An exchange of invitations.
    Pairing,
    /// A link, or nothing that is known here: it is refused where links are opened.
    Link,
}

/// Listens to the first message of a connection and keeps what came, for who goes on with it.
#[derive(Default)]
pub struct Knock {
    acceptor: Acceptor,
    heard: Vec<u8>,
}

impl Knock {
    /// Reads once. `None` if more is needed, or if the source has nothing at the moment.
    ///
    /// # Errors
    /// As the source.
    pub fn read_from(&mut self, source: &mut dyn Read) -> io::Result<Option<Asked>> {
        let mut piece = [0; 4096];
        let left = MAX_HELLO_BYTES.saturating_sub(self.heard.len()).min(piece.len());
        let room = piece.get_mut(..left).unwrap_or_default();
        let count = match source.read(room) {
            Ok(count) => count,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => return Ok(None),
                _ => return Err(error),
            },
        };
        let mut came = piece.get(..count).unwrap_or_default();
        self.heard.extend_from_slice(came);
        // The end of the source, or of what may be said: whoever goes on finds out.
        if count == 0 {
            return Ok(Some(Asked::Link));
        }
        while !came.is_empty() {
            match self.acceptor.read_tls(&mut came) {
                Ok(0) | Err(_) => return Ok(Some(Asked::Link)),
                Ok(_) => {}
            }
        }
        match self.acceptor.accept() {
            Ok(None) => Ok(None),
            Err(_) => Ok(Some(Asked::Link)),
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let mut names = hello.alpn().into_iter().flatten();
                let is_pairing = names.next() == Some(PROTOCOL) && names.next().is_none();
                Ok(Some(if is_pairing { Asked::Pairing } else { Asked::Link }))
            }
        }
    }

    /// Everything that came so far.
    pub fn heard(self) -> Vec<u8> {
        self.heard
    }
}
