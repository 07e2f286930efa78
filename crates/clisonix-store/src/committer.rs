//! Group commit: many threads submit, one thread makes what waits durable with one sync.
//!
//! While one group is being written the next one gathers, so the group grows by itself with the
//! load and a lone writer never waits for company.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use crate::batch::Batch;
use crate::error::{EngineFault, FaultKind, WriteError};
use crate::group::{Group, Placement};
use crate::key_value::KeyValue;
use crate::ledger::{Ledger, as_fault};
use crate::limit::{MAX_GROUP_BATCHES, MAX_GROUP_BYTES, MAX_WAITING_BATCHES, MAX_WAITING_BYTES};

/// A batch on its way; [`Ticket::wait`] tells when it is durable.
#[must_use = "a batch is durable only after `wait` said so"]
pub struct Ticket {
    outcome: Arc<Outcome>,
    /// Who commits what waits, where no thread does.
    worker: Option<Arc<Mutex<Worker>>>,
}

impl Ticket {
    /// Waits until the batch is durable, or refused.
    pub fn wait(self) -> Result<Placement, WriteError> {
        if let Some(worker) = &self.worker {
            lock(worker).commit_waiting();
        }
        let mut slot = lock(&self.outcome.slot);
        loop {
            if let Some(result) = slot.take() {
                return result;
            }
            slot = self.outcome.told.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ticket").finish_non_exhaustive()
    }
}

/// On which thread batches become durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Commits {
    /// On one of the store's own: while one group is written the next one gathers.
    #[default]
    OnThread,
    /// On the thread that waits first, together with all that was submitted before. What is read
    /// and written then follows from the calls alone, so a simulation repeats exactly.
    OnWait,
}

/// Who commits, and the queue before it.
pub(crate) struct Committer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    worker: Option<Arc<Mutex<Worker>>>,
}

impl Committer {
    /// Starts the thread, where one is wanted; `ledger` is what the engine holds.
    pub(crate) fn start(
        engine: Arc<dyn KeyValue>,
        ledger: Ledger,
        quarantine_max: u64,
        commits: Commits,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let mut worker =
            Worker { engine, queue: Arc::clone(&queue), ledger, quarantine_max, astray: false };
        if commits == Commits::OnWait {
            let worker = Some(Arc::new(Mutex::new(worker)));
            return Ok(Self { queue, thread: None, worker });
        }
        let thread = std::thread::Builder::new()
            .name("clisonix-commit".into())
            .spawn(move || worker.run())?;
        Ok(Self { queue, thread: Some(thread), worker: None })
    }

    /// Queues a batch; waits while too much is queued.
    pub(crate) fn submit(&self, batch: Batch) -> Result<Ticket, WriteError> {
        let (pending, ticket) = self.promise(batch)?;
        if let Some(worker) = self.worker.as_ref().filter(|_| self.queue.is_full()) {
            lock(worker).commit_waiting();
        }
        self.queue.push(pending)?;
        Ok(ticket)
    }

    /// Queues batches so that no group ends between them, unless they are too many for one.
    pub(crate) fn submit_all(
        &self,
        batches: impl IntoIterator<Item = Batch>,
    ) -> Vec<Result<Ticket, WriteError>> {
        if self.worker.is_some() {
            // Nothing is committed before somebody waits.
            return batches.into_iter().map(|batch| self.submit(batch)).collect();
        }
        let mut all = Vec::new();
        let promised = batches.into_iter().map(|batch| {
            let (pending, ticket) = self.promise(batch)?;
            all.push(pending);
            Ok(ticket)
        });
        let tickets = promised.collect();
        self.queue.push_all(all);
        tickets
    }

    /// Has `told` called when batches became durable that are to be announced.
    pub(crate) fn watch(&self, told: Box<dyn Fn() + Send + Sync>) {
        self.queue.watchers.write().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    fn promise(&self, batch: Batch) -> Result<(Pending, Ticket), WriteError> {
        batch.validate()?;
        let outcome = Arc::new(Outcome::default());
        let promise = Promise { outcome: Arc::clone(&outcome) };
        Ok((Pending { batch, promise }, Ticket { outcome, worker: self.worker.clone() }))
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already told to every ticket.
            let _ = thread.join();
        }
        if let Some(worker) = &self.worker {
            lock(worker).commit_waiting();
        }
    }
}

struct Worker {
    engine: Arc<dyn KeyValue>,
    queue: Arc<Queue>,
    ledger: Ledger,
    quarantine_max: u64,
    /// A commit failed, and the engine is not back in a known state yet.
    astray: bool,
}

impl Worker {
    fn run(&mut self) {
        while let Some(waiting) = self.queue.next_group() {
            self.commit_caught(waiting);
        }
    }

    /// Makes everything that waits durable.
    fn commit_waiting(&mut self) {
        while let Some(waiting) = self.queue.next_group_now() {
            self.commit_caught(waiting);
        }
    }

    fn commit_caught(&mut self, waiting: Vec<Pending>) {
        // A panic inside the engine must not leave submitters waiting for ever: unwinding drops
        // the promises, which tells them.
        if catch_unwind(AssertUnwindSafe(|| self.commit(waiting))).is_err() {
            self.astray = true;
        }
    }

    fn commit(&mut self, waiting: Vec<Pending>) {
        if let Err(error) = self.find_way_back() {
            for pending in waiting {
                pending.promise.tell(Err(error.clone()));
            }
            return;
        }
        let mut group = Group::after(&self.ledger, self.quarantine_max);
        let mut accepted = Vec::with_capacity(waiting.len());
        let is_announced = waiting.iter().any(|pending| pending.batch.is_announced);
        for Pending { batch, promise } in waiting {
            match group.admit(batch, &*self.engine) {
                Ok(placement) => accepted.push((promise, placement)),
                Err(error) => promise.tell(Err(error)),
            }
        }
        if accepted.is_empty() {
            return;
        }
        let outcome = self.make_durable(group);
        if is_announced && outcome.is_ok() {
            // First, for they have a longer way to go than those who wait.
            self.queue.tell_watchers();
        }
        for (promise, placement) in accepted {
            promise.tell(outcome.clone().map(|()| placement));
        }
    }

    fn make_durable(&mut self, group: Group) -> Result<(), WriteError> {
        let next = group.ledger.clone();
        // Until the commit has returned, a panic or an error leaves the engine in doubt.
        self.astray = true;
        match self.engine.commit(group.into_rows()) {
            Ok(()) => {
                self.astray = false;
                self.ledger = next;
                Ok(())
            }
            Err(fault) => self.settle(&next, fault),
        }
    }

    /// After a failed commit: tells whether it is there after all.
    fn settle(&mut self, next: &Ledger, fault: EngineFault) -> Result<(), WriteError> {
        if self.reload().is_err() {
            return Err(WriteError::Unknown(fault));
        }
        if self.ledger != *next {
            return Err(WriteError::Failed(fault));
        }
        // It is there, but perhaps not synced yet: one more commit syncs everything before it.
        self.astray = true;
        self.engine.commit(vec![next.row()]).map_err(WriteError::Unknown)?;
        self.astray = false;
        Ok(())
    }

    /// Brings an engine whose last commit failed back before anything else is written.
    fn find_way_back(&mut self) -> Result<(), WriteError> {
        if !self.astray {
            return Ok(());
        }
        self.reload().map_err(|fault| match fault.kind() {
            FaultKind::SyncLost => WriteError::Poisoned(fault),
            _ => WriteError::Failed(fault),
        })
    }

    fn reload(&mut self) -> Result<(), EngineFault> {
        self.engine.recover()?;
        let view = self.engine.view()?;
        self.ledger = Ledger::load(&*view).map_err(as_fault)?;
        self.astray = false;
        Ok(())
    }
}

struct Pending {
    batch: Batch,
    promise: Promise,
}

/// The committing side of a ticket; dropping it untold tells that the outcome is unknown.
struct Promise {
    outcome: Arc<Outcome>,
}

impl Promise {
    fn tell(self, result: Result<Placement, WriteError>) {
        *lock(&self.outcome.slot) = Some(result);
        self.outcome.told.notify_all();
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        // After `tell` the slot is full, or already emptied by the only waiter.
        if Arc::strong_count(&self.outcome) > 1 {
            let mut slot = lock(&self.outcome.slot);
            if slot.is_none() {
                let fault =
                    EngineFault::new(FaultKind::Corrupt, "the engine stopped in the middle");
                *slot = Some(Err(WriteError::Unknown(fault)));
                self.outcome.told.notify_all();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Outcome {
    slot: Mutex<Option<Result<Placement, WriteError>>>,
    told: Condvar,
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    filled: Condvar,
    drained: Condvar,
    watchers: RwLock<Vec<Box<dyn Fn() + Send + Sync>>>,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Pending>,
    bytes: usize,
    closed: bool,
}

impl QueueState {
    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING_BATCHES || self.bytes >= MAX_WAITING_BYTES
    }
}

impl Queue {
    fn push(&self, pending: Pending) -> Result<(), WriteError> {
        let mut state = lock(&self.state);
        while state.is_full() && !state.closed {
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(WriteError::Closed);
        }
        state.bytes += pending.batch.size_bytes();
        state.waiting.push_back(pending);
        self.filled.notify_one();
        Ok(())
    }

    fn tell_watchers(&self) {
        for told in self.watchers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            told();
        }
    }

    /// As [`Self::push`] of many, between which nobody looks unless the queue is full.
    fn push_all(&self, all: Vec<Pending>) {
        let mut state = lock(&self.state);
        for pending in all {
            while state.is_full() && !state.closed {
                self.filled.notify_one();
                state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.closed {
                pending.promise.tell(Err(WriteError::Closed));
                continue;
            }
            state.bytes += pending.batch.size_bytes();
            state.waiting.push_back(pending);
        }
        self.filled.notify_one();
    }

    /// Everything that waits, up to the limits of one group; `None` when closed and empty.
    fn next_group(&self) -> Option<Vec<Pending>> {
        let mut state = lock(&self.state);
        while state.waiting.is_empty() {
            if state.closed {
                return None;
            }
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Some(self.take_group(&mut state))
    }

    /// As [`Self::next_group`], without waiting; `None` when empty.
    fn next_group_now(&self) -> Option<Vec<Pending>> {
        let mut state = lock(&self.state);
        (!state.waiting.is_empty()).then(|| self.take_group(&mut state))
    }

    fn take_group(&self, state: &mut QueueState) -> Vec<Pending> {
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < MAX_GROUP_BATCHES && bytes < MAX_GROUP_BYTES {
            let Some(pending) = state.waiting.pop_front() else { break };
            bytes += pending.batch.size_bytes();
            group.push(pending);
        }
        state.bytes -= bytes;
        self.drained.notify_all();
        group
    }

    fn is_full(&self) -> bool {
        lock(&self.state).is_full()
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }
}

// The guarded values are whole between any two statements, so a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
