//! Taking in files: a few threads read ahead, the node applies in the files' order.
//!
//! Reading (unpacking, parsing, mapping) needs no node and costs more than applying, so it runs
//! beside it. Each reader takes every n-th file and waits until its last one was taken over, so at
//! most one file for each reader is ahead, whatever the files' number. A file that is too large to be
//! read at once is only recognised here: the node keeps it and reads it in pieces.

use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use anyhow::{Context as _, Result};
use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_node::{By, Input, MAX_WHOLE_BYTES, Node, NodeError, Read, TakenIn, is_large};

use crate::files::File;
use crate::progress::Watch;
use crate::tally::Tally;

/// Most files read ahead.
const MAX_READERS: usize = 2;

/// What is to be taken in, where to, and for whom.
pub(crate) struct Order<'a> {
    pub(crate) node: &'a Node,
    pub(crate) by: By<'a>,
    pub(crate) feed: Option<&'a str>,
    pub(crate) files: &'a [File],
}

enum Loaded {
    Read(Box<Read>),
    Large(fs::File),
    Unreadable(io::Error),
}

/// Takes in all files; what it says is durable when it returns.
///
/// An error ends it: what was durable before stays, and the same files can be taken in again.
pub(crate) fn take_in(order: &Order<'_>, tally: &mut Tally, watch: &mut dyn Watch) -> Result<()> {
    // One core is left to the applying.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let readers = cores.saturating_sub(1).clamp(1, MAX_READERS);
    thread::scope(|scope| {
        let receivers: Vec<Receiver<Loaded>> = (0..readers)
            .map(|first| {
                // Without room in the channel a reader is never more than one file ahead.
                let (sender, receiver) = sync_channel(0);
                let mut files = order.files.iter().skip(first).step_by(readers);
                let feed = order.feed;
                // The receiver is dropped when the import ends early; then the reader ends too.
                scope.spawn(move || files.all(|file| sender.send(read(file, feed)).is_ok()));
                receiver
            })
            .collect();
        let mut load = order.node.load(order.by);
        for (file, receiver) in order.files.iter().zip(receivers.iter().cycle()) {
            match receiver.recv().context("a reading thread ended early")? {
                Loaded::Read(read) => {
                    let taken = load.take(&read);
                    let taken = taken.with_context(|| format!("cannot take in {}", file.name))?;
                    tally.add(&file.name, &taken, watch);
                }
                Loaded::Large(mut source) => {
                    let mut told = |taken: &TakenIn| {
                        tally.add(&file.name, taken, watch);
                        watch.advanced(tally);
                    };
                    match load.take_large(&file.name, order.feed, &mut source, &mut told) {
                        Err(NodeError::Input(error)) => {
                            tally.reject(&file.name, &unreadable(&error), watch);
                        }
                        end => end.with_context(|| format!("cannot take in {}", file.name))?,
                    }
                }
                Loaded::Unreadable(error) => {
                    tally.reject(&file.name, &unreadable(&error), watch);
                }
            }
            tally.file(file.size);
            watch.advanced(tally);
        }
        load.finish().context("cannot make what was taken in durable")
    })
}

fn read(file: &File, feed: Option<&str>) -> Loaded {
    load(file, feed).unwrap_or_else(Loaded::Unreadable)
}

fn load(file: &File, feed: Option<&str>) -> io::Result<Loaded> {
    let mut source = fs::File::open(&file.path)?;
    let large = is_large(source.metadata()?.len(), &mut source)?;
    source.rewind()?;
    if large {
        return Ok(Loaded::Large(source));
    }
    let mut bytes = Vec::new();
    // The size is looked at again while reading, because a file can grow.
    let size = (&source).take(MAX_WHOLE_BYTES + 1).read_to_end(&mut bytes)?;
    if size as u64 > MAX_WHOLE_BYTES {
        source.rewind()?;
        return Ok(Loaded::Large(source));
    }
    let feed = feed.map(str::to_owned);
    let input = Input { name: file.name.clone(), feed, bytes };
    Ok(Loaded::Read(Box::new(Read::new(input))))
}

fn unreadable(error: &io::Error) -> Issue {
    Issue::error(IssueCode::NotFound, "", format!("the file cannot be read: {error}"))
}
