//! A disk in memory that keeps unsynced writes apart, tears them when the power goes, fills up, flips
//! bits on reading, and can write down what is done to it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clisonix_store::{Medium, StorageBackend};

use crate::chance::Chance;

/// Bytes that a disk writes as a whole.
pub const SECTOR_BYTES: usize = 512;

/// Reads after a flipped bit that are right: the places that are written in place are kept twice each,
/// against one fault at a time.
const CLEAN_READS: usize = 16;

/// What was done to a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes at an offset.
    Write(u64, Vec<u8>),
    /// Another length.
    Length(u64),
    /// All before is durable.
    Sync,
}

impl Step {
    /// What it makes of an image.
    pub fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => {
                let start = *offset as usize;
                if image.len() < start + bytes.len() {
                    image.resize(start + bytes.len(), 0);
                }
                image[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Self::Length(length) => image.resize(*length as usize, 0),
            Self::Sync => {}
        }
    }

    /// As [`Self::apply`], of those pieces of a write for which `survives` says yes.
    pub fn apply_torn(
        &self,
        image: &mut Vec<u8>,
        piece_bytes: usize,
        survives: &mut dyn FnMut(usize) -> bool,
    ) {
        let Self::Write(offset, bytes) = self else { return self.apply(image) };
        let mut start = *offset as usize;
        if image.len() < start + bytes.len() {
            image.resize(start + bytes.len(), 0);
        }
        for (number, piece) in bytes.chunks(piece_bytes).enumerate() {
            if survives(number) {
                image[start..start + piece.len()].copy_from_slice(piece);
            }
            start += piece.len();
        }
    }
}

/// What goes wrong, in operations counted from when it was planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Power goes at this operation and stays away.
    pub crash_at: Option<u64>,
    /// There is no room to grow.
    pub is_full: bool,
    /// Every read flips a bit with this chance in a thousand.
    pub flips: usize,
    /// A sync promises and does nothing: a deliberate bug.
    pub is_lying: bool,
}

#[derive(Default)]
struct State {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Step>,
    plan: Plan,
    operations: u64,
    is_dead: bool,
    chance: Option<Chance>,
    trace: Option<Vec<Step>>,
    flipped: u64,
    clean_reads: usize,
}

/// A disk; clones are the same one.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// An empty disk that draws its flips from a source.
    pub fn new(chance: Chance) -> Self {
        Self(Arc::new(Mutex::new(State { chance: Some(chance), ..State::default() })))
    }

    /// A disk that holds an image, all of it durable.
    pub fn of(image: Vec<u8>, chance: Chance) -> Self {
        let disk = Self::new(chance);
        disk.replace(image);
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a plan and counts operations from here.
    pub fn plan(&self, plan: Plan) {
        let mut state = self.state();
        (state.plan, state.operations) = (plan, 0);
    }

    /// The plan.
    pub fn planned(&self) -> Plan {
        self.state().plan
    }

    /// Whether its power is away.
    pub fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// Its power goes.
    pub fn cut_power(&self) {
        self.state().is_dead = true;
    }

    /// How many bits were flipped.
    pub fn flipped(&self) -> u64 {
        self.state().flipped
    }

    /// Writes down from now on what is done.
    pub fn record(&self) {
        self.state().trace = Some(Vec::new());
    }

    /// How much was written down.
    pub fn recorded(&self) -> usize {
        self.state().trace.as_ref().map_or(0, Vec::len)
    }

    /// What was written down.
    pub fn take_trace(&self) -> Vec<Step> {
        self.state().trace.take().unwrap_or_default()
    }

    /// The bytes as a program reads them.
    pub fn image(&self) -> Vec<u8> {
        self.state().current.clone()
    }

    /// Another image takes the place of what is there.
    pub fn replace(&self, image: Vec<u8>) {
        let mut state = self.state();
        state.durable.clone_from(&image);
        state.current = image;
        state.pending.clear();
        state.is_dead = false;
    }

    /// Power goes, if it has not, and comes back: of what was not synced, any part may have reached
    /// the disk.
    pub fn power_cycle(&self, chance: &mut Chance) {
        let mut state = self.state();
        let mut image = std::mem::take(&mut state.durable);
        for step in std::mem::take(&mut state.pending) {
            match chance.below(4) {
                0 => {}
                1 => step.apply(&mut image),
                2 => step.apply_torn(&mut image, SECTOR_BYTES, &mut |_| chance.percent(50)),
                _ => step.apply_torn(&mut image, 1, &mut |_| chance.percent(50)),
            }
        }
        state.current.clone_from(&image);
        state.durable = image;
        state.is_dead = false;
        let is_lying = state.plan.is_lying;
        state.plan = Plan { is_lying, ..Plan::default() };
    }
}

impl State {
    /// Counts an operation; an error where there is no power.
    fn step(&mut self) -> io::Result<()> {
        if self.is_dead {
            return Err(io::Error::other("no power"));
        }
        self.operations += 1;
        Ok(())
    }

    /// Does it, and then the power may go.
    fn done(&mut self, step: Step) -> io::Result<()> {
        if let Some(trace) = &mut self.trace {
            trace.push(step.clone());
        }
        self.pending.push(step);
        self.last_breath()
    }

    fn last_breath(&mut self) -> io::Result<()> {
        if self.plan.crash_at == Some(self.operations) {
            self.is_dead = true;
            return Err(io::Error::other("power cut"));
        }
        Ok(())
    }

    fn room_for(&self, length: u64) -> io::Result<()> {
        if self.plan.is_full && length > self.current.len() as u64 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Medium for Disk {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Head(self.clone())))
    }
}

struct Head(Disk);

impl std::fmt::Debug for Head {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Head")
    }
}

impl StorageBackend for Head {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.state().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.0.state();
        if state.is_dead {
            return Err(io::Error::other("no power"));
        }
        let start = offset as usize;
        let bytes = state.current.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        let State { plan, chance, flipped, clean_reads, .. } = &mut *state;
        *clean_reads = clean_reads.saturating_sub(1);
        if plan.flips > 0
            && *clean_reads == 0
            && !out.is_empty()
            && let Some(chance) = chance
            && chance.below(1000) < plan.flips
        {
            out[chance.below(out.len())] ^= 1 << chance.below(8);
            *flipped += 1;
            *clean_reads = CLEAN_READS;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.state();
        state.step()?;
        state.room_for(len)?;
        state.current.resize(len as usize, 0);
        state.done(Step::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.state();
        state.step()?;
        state.last_breath()?;
        if let Some(trace) = &mut state.trace {
            trace.push(Step::Sync);
        }
        if !state.plan.is_lying {
            for step in std::mem::take(&mut state.pending) {
                step.apply(&mut state.durable);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.state();
        state.step()?;
        state.room_for(offset + data.len() as u64)?;
        let step = Step::Write(offset, data.to_vec());
        step.apply(&mut state.current);
        state.done(step)
    }
}
