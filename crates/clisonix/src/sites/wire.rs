//! A line between two sites that can be cut, and that keeps everything that went over it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a cut takes to be noticed.
const LOOK: Duration = Duration::from_millis(50);

/// A forwarder on loopback.
pub(super) struct Wire {
    address: SocketAddr,
    record: PathBuf,
    inside: Arc<Inside>,
}

struct Inside {
    /// Where it leads.
    end: Mutex<Option<SocketAddr>>,
    is_cut: AtomicBool,
    is_over: AtomicBool,
    record: Mutex<File>,
}

impl Wire {
    /// A line that leads nowhere yet; what goes over it is kept in `record`.
    pub(super) fn new(record: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let inside = Arc::new(Inside {
            end: Mutex::new(None),
            is_cut: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            record: Mutex::new(File::create(record)?),
        });
        let shared = Arc::clone(&inside);
        thread::spawn(move || {
            for near in listener.incoming() {
                if shared.is_over.load(Ordering::Relaxed) {
                    return;
                }
                let end = *locked(&shared.end);
                let (Ok(near), Some(end)) = (near, end) else { continue };
                if shared.is_cut.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(far) = TcpStream::connect(end) else { continue };
                // A connection that cannot be carried ends, and is made again.
                let _ = shared.carry(near, far);
            }
        });
        Ok(Self { address, record: record.to_owned(), inside })
    }

    /// Where it begins.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over it.
    pub(super) fn record(&self) -> &Path {
        &self.record
    }

    pub(super) fn lead_to(&self, end: SocketAddr) {
        *locked(&self.inside.end) = Some(end);
    }

    /// Cuts it, also what is connected over it, or mends it.
    pub(super) fn cut(&self, is_cut: bool) {
        self.inside.is_cut.store(is_cut, Ordering::Relaxed);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.inside.is_over.store(true, Ordering::Relaxed);
        self.cut(true);
        let _ = TcpStream::connect(self.address);
    }
}

impl Inside {
    fn carry(self: &Arc<Self>, near: TcpStream, far: TcpStream) -> io::Result<()> {
        for socket in [&near, &far] {
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(LOOK))?;
        }
        for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
            let shared = Arc::clone(self);
            thread::spawn(move || shared.copy(from, to));
        }
        Ok(())
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; 64 << 10];
        while !self.is_cut.load(Ordering::Relaxed) {
            let count = match from.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    continue;
                }
                Err(_) => break,
            };
            let bytes = piece.get(..count).unwrap_or_default();
            let kept = locked(&self.record).write_all(bytes);
            if kept.and_then(|()| to.write_all(bytes)).is_err() {
                break;
            }
        }
        for socket in [&from, &to] {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
