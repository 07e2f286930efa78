//! The socket of a serving process: commands on the same data directory are run by the process that
//! has the store open.
//!
//! The socket lies in the data directory and only its owner can connect. Who asks sends one request
//! of lines; answers are pieces of stdout and stderr, then the exit code. A command that needs own
//! keys asks for their pass-phrase in between; it is in memory that is wiped at both ends.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clisonix_fhir::json::{self, Object, Value};
use zeroize::Zeroizing;

use crate::exit::{Exit, Fault};
use crate::outlet::{self, Asker, Stream};
use crate::pass_phrase::MAX_PASS_PHRASE_BYTES;

/// Most bytes of a request.
pub(crate) const MAX_REQUEST_BYTES: usize = 1 << 20;
/// Most bytes of one piece of an answer.
const MAX_PIECE_BYTES: usize = 1 << 20;
/// Most commands that are run for others at once.
pub(crate) const MAX_ASKERS: usize = 32;
/// Longest wait for a request, and for an asker that does not read.
const PATIENCE: Duration = Duration::from_secs(30);

const OUT: u8 = 1;
const ERR: u8 = 2;
const EXIT: u8 = 3;
/// The name of own keys; the pass-phrase is answered.
const PASS_PHRASE: u8 = 4;
/// How long a person may take to type one.
const TYPING: Duration = Duration::from_mins(5);

/// What is to be run, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The arguments behind the program's name.
    pub(crate) arguments: Vec<String>,
    /// Where relative paths begin.
    pub(crate) folder: PathBuf,
    /// Who asks.
    pub(crate) author: Option<String>,
    /// What for.
    pub(crate) purpose: String,
    /// The folder of own keys, of a command that needs some.
    pub(crate) keys: Option<PathBuf>,
}

impl Request {
    fn to_text(&self) -> String {
        let mut object = Object::new();
        let arguments = self.arguments.iter().map(|argument| Value::from(argument.as_str()));
        object.insert("arguments", Value::Array(arguments.collect()));
        object.insert("folder", self.folder.to_string_lossy().into_owned());
        object.insert("author", self.author.clone().map_or(Value::Null, Value::from));
        object.insert("purpose", self.purpose.as_str());
        if let Some(keys) = &self.keys {
            object.insert("keys", keys.to_string_lossy().into_owned());
        }
        Value::Object(object).to_text()
    }

    fn from_text(text: &[u8]) -> Option<Self> {
        let value = json::parse(text).ok()?;
        let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let arguments = value.get("arguments")?.as_array()?.iter();
        Some(Self {
            arguments: arguments.map(|it| it.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            folder: text("folder")?.into(),
            author: text("author"),
            purpose: text("purpose")?,
            keys: text("keys").map(PathBuf::from),
        })
    }
}

/// The socket's place.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("serve.socket")
}

/// A connection to the process that serves a data directory; `None` if none does.
pub(crate) fn connect(directory: &Path) -> Option<UnixStream> {
    // A socket that nobody listens at was left by a process that was killed.
    UnixStream::connect(path(directory)).ok()
}

/// Has a request run; what it says is passed on as it comes. `pass_phrase` gives that of own keys.
pub(crate) fn ask(
    stream: UnixStream,
    request: &Request,
    pass_phrase: impl Fn(&str) -> Result<Zeroizing<Vec<u8>>>,
) -> Result<Exit> {
    ask_for(stream, request, pass_phrase, &mut io::stdout())
}

/// As [`ask`], with the results to `out`.
pub(crate) fn ask_for(
    mut stream: UnixStream,
    request: &Request,
    pass_phrase: impl Fn(&str) -> Result<Zeroizing<Vec<u8>>>,
    out: &mut dyn io::Write,
) -> Result<Exit> {
    let text = request.to_text();
    if text.len() > MAX_REQUEST_BYTES {
        return Err(Fault::usage("too many arguments for a served data directory").into());
    }
    let lost = "the serving process ended before the command did";
    send(&mut stream, 0, text.as_bytes()).context(lost)?;
    loop {
        let (kind, piece) = receive(&mut stream, MAX_PIECE_BYTES).context(lost)?;
        match kind {
            OUT => out.write_all(&piece)?,
            ERR => io::stderr().write_all(&piece)?,
            PASS_PHRASE => {
                let words = pass_phrase(&String::from_utf8_lossy(&piece))?;
                send(&mut stream, PASS_PHRASE, &words).context(lost)?;
            }
            EXIT => {
                out.flush()?;
                let code = piece.first().copied().and_then(Exit::of_code);
                return code.ok_or_else(|| Fault::unusable(lost).into());
            }
            _ => return Err(Fault::unusable("the serving process is another version").into()),
        }
    }
}

/// For commands that need no own keys.
pub(crate) fn no_pass_phrase(_name: &str) -> Result<Zeroizing<Vec<u8>>> {
    Err(Fault::usage("the command takes no pass-phrase").into())
}

/// A listening socket, removed when dropped.
pub(crate) struct Control {
    path: PathBuf,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Control {
    /// Listens for requests; `run` runs each on a thread of its own. The store must be held by
    /// this process, so that a socket that is there was left behind.
    pub(crate) fn start(
        directory: &Path,
        run: impl Fn(Request) -> Exit + Send + Sync + 'static,
    ) -> Result<Self> {
        let path = path(directory);
        if path.exists() {
            fs::remove_file(&path)?;
        }
        // The directory is for its owner only; so nobody connects before the rights are set.
        let named = || format!("cannot listen at {}", path.display());
        let listener = UnixListener::bind(&path).with_context(named)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).with_context(named)?;
        let run = Arc::new(run);
        let askers = Arc::new(());
        let stopping = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&stopping);
        let thread = thread::Builder::new().name("control".to_owned()).spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else {
                    thread::sleep(Duration::from_millis(50));
                    continue;
                };
                let (run, asker) = (Arc::clone(&run), Arc::clone(&askers));
                if Arc::strong_count(&asker) > MAX_ASKERS + 1 {
                    continue;
                }
                let _ = thread::Builder::new().name("command".to_owned()).spawn(move || {
                    // Who goes away gets no answer.
                    let _ = answer(stream, &*run);
                    drop(asker);
                });
            }
            // Commands that are running come to their end.
            let begun = Instant::now();
            while Arc::strong_count(&askers) > 1 && begun.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(20));
            }
        })?;
        Ok(Self { path, stopping, thread: Some(thread) })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // A connection wakes the thread.
        if UnixStream::connect(&self.path).is_ok() {
            let _ = self.thread.take().map(JoinHandle::join);
        }
        let _ = fs::remove_file(&self.path);
    }
}

fn answer(mut stream: UnixStream, run: &dyn Fn(Request) -> Exit) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (_, text) = receive(&mut stream, MAX_REQUEST_BYTES)?;
    let request = Request::from_text(&text).ok_or(io::ErrorKind::InvalidData)?;
    let asker = Arc::new(Connection { stream: Mutex::new(stream) });
    let exit = outlet::run_for(Arc::clone(&asker) as Arc<dyn Asker>, || run(request));
    let mut stream = asker.stream.lock().unwrap_or_else(PoisonError::into_inner);
    send(&mut stream, EXIT, &[exit as u8])
}

/// Who asked, behind a socket.
struct Connection {
    stream: Mutex<UnixStream>,
}

impl Asker for Connection {
    fn take(&self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let kind = match stream {
            Stream::Out => OUT,
            Stream::Err => ERR,
        };
        let mut socket = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.chunks(MAX_PIECE_BYTES).try_for_each(|piece| send(&mut socket, kind, piece))
    }

    fn is_there(&self) -> bool {
        let mut socket = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut socket, ERR, &[]).is_ok()
    }

    fn pass_phrase(&self, name: &str) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut socket = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        send(&mut socket, PASS_PHRASE, name.as_bytes())?;
        socket.set_read_timeout(Some(TYPING))?;
        match receive(&mut socket, MAX_PASS_PHRASE_BYTES)? {
            (PASS_PHRASE, words) => Ok(words),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// A kind, a length of four bytes, big-endian, and that many bytes.
fn send(stream: &mut UnixStream, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // Apart, so that no copy of a secret stays in memory.
    stream.write_all(&[&[kind], &length.to_be_bytes()[..]].concat())?;
    stream.write_all(bytes)
}

fn receive(stream: &mut UnixStream, most: usize) -> io::Result<(u8, Zeroizing<Vec<u8>>)> {
    let mut kind = [0];
    let mut length = [0; 4];
    stream.read_exact(&mut kind)?;
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut bytes)?;
    let [kind] = kind;
    Ok((kind, bytes))
}
