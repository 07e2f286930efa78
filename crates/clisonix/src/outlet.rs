//! Where a command's words go: this process's stdout and stderr, or whoever asked a serving process
//! to run the command.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;

use zeroize::Zeroizing;

/// Which of a command's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Out,
    Err,
}

/// Takes the words of a command that runs for somebody else.
pub(crate) trait Asker: Send + Sync {
    fn take(&self, stream: Stream, bytes: &[u8]) -> io::Result<()>;

    /// Whether who asked still waits.
    fn is_there(&self) -> bool;

    /// The pass-phrase of the own keys of this name, as who asked has it.
    fn pass_phrase(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>>;
}

thread_local! {
    static ASKER: RefCell<Option<Arc<dyn Asker>>> = const { RefCell::new(None) };
}

/// Runs `work` so that what it says on this thread goes to `asker`.
pub(crate) fn run_for<T>(asker: Arc<dyn Asker>, work: impl FnOnce() -> T) -> T {
    ASKER.set(Some(asker));
    let end = work();
    ASKER.set(None);
    end
}

/// Whether somebody else asked for the command that runs on this thread.
pub(crate) fn is_for_another() -> bool {
    ASKER.with_borrow(Option::is_some)
}

/// Whether who asked for the command that runs on this thread still waits; a command of this
/// process's own has nobody who could go away.
pub(crate) fn is_waited_for() -> bool {
    ASKER.with_borrow(Clone::clone).is_none_or(|asker| asker.is_there())
}

/// The pass-phrase of own keys from who asked for the command that runs on this thread; `None` for a
/// command of this process's own.
pub(crate) fn pass_phrase(name: &str) -> Option<io::Result<Zeroizing<Vec<u8>>>> {
    ASKER.with_borrow(Clone::clone).map(|asker| asker.pass_phrase(name))
}

/// Results.
pub(crate) fn out() -> Box<dyn Write> {
    match ASKER.with_borrow(Clone::clone) {
        Some(asker) => Box::new(Asked { asker, stream: Stream::Out }),
        None => Box::new(io::stdout()),
    }
}

/// Everything else.
pub(crate) fn err() -> Box<dyn Write> {
    match ASKER.with_borrow(Clone::clone) {
        Some(asker) => Box::new(Asked { asker, stream: Stream::Err }),
        None => Box::new(io::stderr()),
    }
}

struct Asked {
    asker: Arc<dyn Asker>,
    stream: Stream,
}

impl Write for Asked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.asker.take(self.stream, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
