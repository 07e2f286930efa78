//! Hashing leaves beside the work of the thread that has them: encryption and hashing of one payload
//! together take little longer than encryption alone.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::tree::{Hash, leaf};

/// Most leaves that are on their way; with those in hand that is the memory of a share.
pub(super) const MAX_UNDER_WAY: usize = 2;

/// A leaf to be hashed: its number, its bytes.
type Job = (u64, Vec<u8>);
/// The hash of a leaf, and its bytes back.
type Done = (Hash, Vec<u8>);

/// Hashes the leaves of one payload in order, but for a leaf that is the root.
#[derive(Default)]
pub(super) struct Lane {
    worker: Worker,
    under_way: usize,
}

#[derive(Default)]
enum Worker {
    /// No leaf came yet: most payloads have one leaf and need no thread.
    #[default]
    None,
    Thread(SyncSender<Job>, Receiver<Done>),
    /// The system gave no thread.
    Here(VecDeque<Done>),
}

impl Lane {
    /// How many leaves are on their way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Takes a leaf. The caller sees to it that no more than [`MAX_UNDER_WAY`] are.
    pub(super) fn start(&mut self, index: u64, bytes: Vec<u8>) {
        if matches!(self.worker, Worker::None) {
            self.worker = Worker::new();
        }
        self.under_way += 1;
        match &mut self.worker {
            // A thread that is gone gives no answer, which the next call of `next` tells.
            Worker::Thread(jobs, _) => drop(jobs.send((index, bytes))),
            Worker::Here(done) => done.push_back(hashed((index, bytes))),
            Worker::None => {}
        }
    }

    /// The hash of the leaf that came first of those on their way, and its bytes; waits for it.
    /// `None` if none is on its way, or the thread is gone.
    pub(super) fn next(&mut self) -> Option<Done> {
        self.under_way = self.under_way.checked_sub(1)?;
        match &mut self.worker {
            Worker::None => None,
            Worker::Thread(_, done) => done.recv().ok(),
            Worker::Here(done) => done.pop_front(),
        }
    }
}

impl Worker {
    fn new() -> Self {
        let (jobs, taken) = sync_channel::<Job>(MAX_UNDER_WAY);
        let (answers, done) = sync_channel(MAX_UNDER_WAY);
        let work = move || {
            taken.into_iter().map(hashed).try_for_each(|one| answers.send(one)).unwrap_or_default();
        };
        let thread = thread::Builder::new().name("clisonix leaves".to_owned()).spawn(work);
        thread.map_or(Self::Here(VecDeque::new()), |_| Self::Thread(jobs, done))
    }
}

fn hashed((index, bytes): Job) -> Done {
    (leaf(index, false, &bytes), bytes)
}
