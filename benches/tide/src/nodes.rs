//! Whole nodes of this product in this process: real files, real sockets on loopback.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use clisonix_node::consent::{Basis, PeerRule};
use clisonix_node::{By, Input, Keys, Node, Outside, Read};
use clisonix_pq::at_rest::StoreKey;
use clisonix_pq::checkpoint::Author;
use clisonix_pq::link::{About, LinkKeys, Peer};
use clisonix_pq::{Fingerprint, Identity, Profile};
use clisonix_server::{Member, NodeHome, PeerStatus, Server, ServerError, Settings};

/// Who writes.
pub const BY: By<'static> = By { author: "bench", purpose: "measurement" };
/// Records in one input.
const IN_ONE_INPUT: usize = 1_000;
/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(3_600);

const PAGE: [u8; 4096] = [7; 4096];
/// Pages of a file that is written without a node.
const PLAIN_PAGES: u64 = 1 << 12;
/// Pages that a commit of a few edits writes, and how often nodes commit that many write to.
const COMMIT_PAGES: u64 = 24;
const COMMIT_EVERY: Duration = Duration::from_millis(6);

/// A folder that goes with it.
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder; on a disk, if `TMPDIR` is.
    pub fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    /// A new folder in memory, where the system has that.
    pub fn in_memory() -> Result<Self> {
        let shared = Path::new("/dev/shm");
        if shared.is_dir() { Self::within(shared) } else { Self::new() }
    }

    fn within(place: &Path) -> Result<Self> {
        let mut name = [0; 8];
        random(&mut name);
        let path = place.join(format!("clisonix-bench-{:016x}", u64::from_be_bytes(name)));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Something in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// What the disk alone takes for commits like those of two nodes at once: two files, written as
    /// often and as much, each commit in two steps that are synced one after the other.
    pub fn commits(&self, seconds: f64) -> Result<Vec<Duration>> {
        let write = |name: &str| commits_of(&self.join(name), Duration::from_secs_f64(seconds));
        std::thread::scope(|scope| {
            let other = scope.spawn(|| write("plain-2"));
            let mut times = write("plain-1")?;
            times.extend(other.join().expect("a writer ended")?);
            Ok(times)
        })
    }
}

fn commits_of(path: &Path, time: Duration) -> Result<Vec<Duration>> {
    use std::os::unix::fs::FileExt as _;
    let file = fs::File::create(path)?;
    for page in 0..PLAIN_PAGES {
        file.write_all_at(&PAGE, page * PAGE.len() as u64)?;
    }
    file.sync_all()?;
    let (mut times, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < time {
        let (turn, at) = (times.len() as u64, Instant::now());
        for number in 0..COMMIT_PAGES {
            let page = 1 + (turn * COMMIT_PAGES + number) * 7919 % (PLAIN_PAGES - 1);
            file.write_all_at(&PAGE, page * PAGE.len() as u64)?;
        }
        file.sync_data()?;
        file.write_all_at(&PAGE, 0)?;
        file.sync_data()?;
        times.push(at.elapsed());
        std::thread::sleep(COMMIT_EVERY.saturating_sub(at.elapsed()));
    }
    Ok(times)
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies where such things are cleared away.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A node with keys; it serves once it is started.
pub struct Site {
    pub node: Arc<Node>,
    pub name: Fingerprint,
    seed: Vec<u8>,
    peer: Peer,
    author: clisonix_pq::checkpoint::KnownAuthor,
    keys: Arc<LinkKeys>,
    server: Option<Server>,
}

struct System;

impl Outside for System {
    fn now_ms(&mut self) -> u64 {
        now_ms()
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random(bytes);
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system has random bytes");
}

impl Site {
    /// A node with an encrypted store, as the program makes them.
    pub fn encrypted(folder: &Folder, name: &str) -> Result<Self> {
        let mut store = [0; 16];
        random(&mut store);
        let vault = folder.join(&format!("{name}.vault"));
        let key = StoreKey::generate(&mut { random });
        let keys = Keys { store, key, others: Vec::new(), vault, random };
        Self::over(Node::open_encrypted(&folder.join(name), keys, Box::new(System))?)
    }

    /// A node whose store is not encrypted.
    pub fn plain(folder: &Folder, name: &str) -> Result<Self> {
        Self::over(Node::open(&folder.join(name), Box::new(System))?)
    }

    /// A node with the same records, that never met the other one.
    pub fn copy_of(other: &Self, folder: &Folder, name: &str) -> Result<Self> {
        let file = folder.join("backup");
        other.node.backup(&file, BY)?;
        Node::restore(&file, &folder.join(name), None, &mut System)?;
        fs::remove_file(&file)?;
        Self::plain(folder, name)
    }

    fn over(node: Node) -> Result<Self> {
        let random = &mut { random };
        let identity = Identity::generate(Profile::Hybrid, random)?;
        let seed = identity.seed().to_vec();
        let public = identity.public().clone();
        let keys = LinkKeys::new(identity, now_ms(), random)?;
        let peer = Peer::new(public, keys.public().to_text().as_bytes())?;
        let author = Author::new(Identity::from_seed(Profile::Hybrid, &seed)?, now_ms(), random)?;
        let known = author.known().clone();
        node.sign_as(author)?;
        let (node, name) = (Arc::new(node), peer.fingerprint());
        Ok(Self { node, name, seed, peer, author: known, keys: Arc::new(keys), server: None })
    }

    /// Takes in so many patients, and signs for them.
    pub fn fill(&self, patients: usize) -> Result<()> {
        let mut load = self.node.load(BY);
        for first in (0..patients).step_by(IN_ONE_INPUT) {
            let last = patients.min(first + IN_ONE_INPUT);
            let entries: Vec<String> = (first..last).map(patient).collect();
            let text = format!(
                r#"{{"resourceType":"Bundle","type":"collection","timestamp":"2024-01-01T00:00:00Z","entry":[{}]}}"#,
                entries.join(",")
            );
            let input =
                Input { name: format!("{first}.json"), feed: None, bytes: text.into_bytes() };
            let taken = load.take(&Read::new(input))?;
            ensure!(taken.rejected == 0, "a patient was rejected");
        }
        load.finish()?;
        self.settle()
    }

    /// Signs for good what is not signed so yet.
    pub fn settle(&self) -> Result<()> {
        while self.node.checkpoint()?.is_some() {}
        Ok(())
    }

    /// Listens and serves.
    pub fn serve(&mut self) -> Result<SocketAddr> {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let settings = Settings { listen, proxy: None, now_ms, random };
        let home = NodeHome::new(Arc::clone(&self.node), self.author.clone());
        let identity = Identity::from_seed(Profile::Hybrid, &self.seed)?;
        let server = Server::start(settings, Arc::clone(&self.keys), identity, home, None)?;
        self.node.on_arrival(Box::new(server.waker()));
        let address = server.address().context("no address")?;
        self.server = Some(server);
        Ok(address)
    }

    /// Admits other sites, each where it is dialed, for every record.
    pub fn admit(&self, others: &[(&Self, Option<SocketAddr>)]) -> Result<()> {
        let member = |(other, address): &(&Self, Option<SocketAddr>)| Member {
            peer: other.peer.clone(),
            author: other.author.clone(),
            about: About {
                name: other.name.hexadecimal(),
                identifiers: Vec::new(),
                addresses: address.iter().map(ToString::to_string).collect(),
            },
            rule: PeerRule { basis: Basis::All, shared: true, ..PeerRule::default() },
            revoked_ms: None,
        };
        let server = self.server.as_ref().context("it does not serve")?;
        Ok(server.admit(others.iter().map(member).collect())?)
    }

    /// How it stands with another site.
    pub fn status(&self, other: Fingerprint) -> Result<PeerStatus> {
        let server = self.server.as_ref().context("it does not serve")?;
        let begun = Instant::now();
        // With very many records the engine answers late, while a session begins.
        let all = loop {
            match server.status() {
                Err(ServerError::Busy) if begun.elapsed() < PATIENCE => {}
                status => break status?.peers,
            }
        };
        all.into_iter().find(|status| status.peer == other).context("no such peer")
    }

    /// Waits until the two hold the same and know it; `records` of them.
    pub fn wait_for_sync(&self, other: Fingerprint, records: usize) -> Result<()> {
        wait_for(Duration::from_millis(20), || {
            let session = self.status(other)?.session;
            Ok(session.is_some_and(|now| now.is_in_sync && now.count >= records as u64))
        })
    }

    /// The records of these sites' patients.
    pub fn records(&self) -> Result<Vec<String>> {
        Ok(self.node.record_ids()?)
    }

    /// Whether it serves.
    pub fn is_serving(&self) -> bool {
        self.server.is_some()
    }

    /// Ends the links.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until something is so.
pub fn wait_for(look: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < PATIENCE, "waited too long");
        std::thread::sleep(look);
    }
    Ok(())
}

fn patient(number: usize) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Patient","identifier":[{{"type":{{"coding":[{{"code":"MR"}}]}},"system":"urn:oid:1.2.3","value":"N-{number}"}}],"gender":"female","birthDate":"1970-02-03","name":[{{"family":"Family{number}","given":["Given{number}"]}}]}}}}"#
    )
}

/// A percentile in milliseconds.
pub fn percentile_ms(times: &mut [Duration], part: usize) -> f64 {
    times.sort_unstable();
    let at = times.len().saturating_sub(1) * part / 100;
    times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Threads of this process with these names.
pub fn threads(names: &[&str]) -> BTreeSet<u32> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let number = |task: fs::DirEntry| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let number = task.file_name().to_str()?.parse().ok()?;
        names.contains(&name.trim()).then_some(number)
    };
    tasks.filter_map(number).collect()
}

/// Processor time of threads, in milliseconds.
pub fn thread_ms(threads: &BTreeSet<u32>) -> f64 {
    let time = |thread: &u32| {
        let text = fs::read_to_string(format!("/proc/self/task/{thread}/schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    threads.iter().filter_map(time).sum::<f64>() / 1e6
}

/// The most memory that this process had since [`forget_peak`], in megabytes.
pub fn peak_mb() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kb.map_or(f64::NAN, |kb| kb / 1024.0)
}

/// The most memory counts from now on.
pub fn forget_peak() {
    // proc(5): 5 resets the peak; without it the figure is that of the whole process.
    let _ = fs::write("/proc/self/clear_refs", "5");
}
