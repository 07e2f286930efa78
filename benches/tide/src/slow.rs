//! Two whole nodes over a slow, far line: a forwarder in this process that lets so many bits through
//! in a second and hands them on after half a round trip.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use clisonix_node::ReadVersion;

use crate::json;
use crate::nodes::{BY, Folder, Site, wait_for};

/// Bytes a second, in each direction: 1 Mbit/s.
const BYTES_PER_S: f64 = 125_000.0;
/// Half of a round trip.
const HALF: Duration = Duration::from_millis(300);
/// Bytes that are let through at once.
const PIECE_BYTES: usize = 1_460;
/// Pieces on their way in one direction: a second's.
const PIECES: usize = 128;

/// How long it took until both held the same.
pub struct Caught {
    /// From the open link on.
    pub seconds: f64,
    /// What the bytes alone take.
    pub payload_s: f64,
    pub bytes: f64,
}

/// Changes at one of two nodes with the same records: found by sketches when the two meet for the
/// first time, then as many again over the open link.
pub fn catch_up(records: usize, changed: usize) -> Result<(Caught, Caught)> {
    let folder = Folder::new()?;
    let mut one = Site::plain(&folder, "one")?;
    one.fill(records)?;
    let mut two = Site::copy_of(&one, &folder, "two")?;
    let names = one.records()?;
    let step = (names.len() / changed).max(1);
    let names: Vec<&str> = names.iter().step_by(step).take(changed).map(String::as_str).collect();
    change(&one, &names, true)?;
    one.settle()?;
    let address = line(two.serve()?)?;
    one.serve()?;
    two.admit(&[(&one, None)])?;
    one.admit(&[(&two, Some(address))])?;
    wait_for(Duration::from_millis(1), || {
        Ok(one.status(two.name)?.traffic.linked_since_ms.is_some())
    })?;
    let sketched = caught(&one, &two, &names, Instant::now(), 0)?;
    one.wait_for_sync(two.name, records)?;
    let before = one.status(two.name)?.traffic.bytes_out;
    let begun = Instant::now();
    change(&one, &names, false)?;
    let pushed = caught(&one, &two, &names, begun, before)?;
    Ok((sketched, pushed))
}

fn change(site: &Site, names: &[&str], is_active: bool) -> Result<()> {
    for name in names {
        let mut patient = json::patient(&site.node.record_text(name, BY)?.bundle)?;
        json::set_active(&mut patient, is_active);
        site.node.edit(name, &patient, ReadVersion::Current, BY)?;
    }
    Ok(())
}

/// Waits until the other one has every change.
fn caught(one: &Site, two: &Site, names: &[&str], begun: Instant, before: u64) -> Result<Caught> {
    wait_for(Duration::from_millis(5), || {
        for name in names {
            if one.node.heads(name)? != two.node.heads(name)? {
                return Ok(false);
            }
        }
        Ok(true)
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let bytes = (one.status(two.name)?.traffic.bytes_out - before) as f64;
    Ok(Caught { seconds, payload_s: bytes / BYTES_PER_S, bytes })
}

/// A line to an address; gives where it begins.
fn line(to: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("line".to_owned()).spawn(move || {
        for near in listener.incoming() {
            let Ok((near, far)) = near.and_then(|near| Ok((near, TcpStream::connect(to)?))) else {
                continue;
            };
            // A connection that cannot be carried ends, and is made again.
            let _ = carry(&near, &far);
        }
    })?;
    Ok(address)
}

fn carry(near: &TcpStream, far: &TcpStream) -> Result<()> {
    for (from, to) in [(near, far), (far, near)] {
        to.set_nodelay(true)?;
        let (from, to) = (from.try_clone()?, to.try_clone()?);
        let (pieces, waiting) = sync_channel(PIECES);
        thread::Builder::new().name("line-in".to_owned()).spawn(move || take(from, &pieces))?;
        thread::Builder::new().name("line-out".to_owned()).spawn(move || hand_on(to, &waiting))?;
    }
    Ok(())
}

/// Takes bytes as fast as the line is.
fn take(mut from: TcpStream, pieces: &SyncSender<(Instant, Vec<u8>)>) {
    let mut piece = vec![0; PIECE_BYTES];
    let mut free = Instant::now();
    while let Ok(count) = from.read(&mut piece) {
        let bytes = piece.get(..count).unwrap_or_default();
        free = free.max(Instant::now()) + Duration::from_secs_f64(count as f64 / BYTES_PER_S);
        if pieces.send((free + HALF, bytes.to_vec())).is_err() || count == 0 {
            return;
        }
        thread::sleep(free.saturating_duration_since(Instant::now()));
    }
}

/// Hands them on when they have come all the way; nothing stands for the end.
fn hand_on(mut to: TcpStream, waiting: &Receiver<(Instant, Vec<u8>)>) {
    for (due, piece) in waiting {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}
