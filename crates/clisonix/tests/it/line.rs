//! What is wrong with a line between two sites, and how bytes go over it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

/// What is wrong with one direction of a line.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fault {
    /// Connections stay, and nothing comes through until it is mended.
    pub(crate) is_deaf: bool,
    /// How long each piece is on its way.
    pub(crate) delay: Duration,
    /// How many bytes come through in a second.
    pub(crate) bytes_per_s: Option<usize>,
    /// After how many bytes a connection breaks.
    pub(crate) breaks_after: Option<usize>,
}

/// How often it is looked whether a line changed.
const LOOK: Duration = Duration::from_millis(50);
const PIECE_BYTES: usize = 1 << 16;

/// Carries bytes one way, until one end closes or the line is no more; then both ends are closed.
pub(crate) fn carry(mut from: TcpStream, mut to: TcpStream, fault: &dyn Fn() -> Option<Fault>) {
    let _ = from.set_read_timeout(Some(LOOK));
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let mut piece = vec![0; PIECE_BYTES];
    let mut carried = 0;
    while let Some(fault) = fault() {
        if fault.is_deaf {
            thread::sleep(LOOK);
            continue;
        }
        let most = fault.bytes_per_s.map_or(PIECE_BYTES, |rate| (rate / 10).clamp(1, PIECE_BYTES));
        match from.read(&mut piece[..most]) {
            Ok(0) => break,
            Ok(count) => {
                carried += count;
                thread::sleep(fault.time(count));
                let is_broken = fault.breaks_after.is_some_and(|most| carried > most);
                if is_broken || to.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
            Err(_) => {}
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

impl Fault {
    /// How long a piece of so many bytes takes.
    fn time(&self, bytes: usize) -> Duration {
        let narrow = |rate: usize| Duration::from_micros((1_000_000 * bytes / rate) as u64);
        self.delay + self.bytes_per_s.map_or(Duration::ZERO, narrow)
    }
}
