//! A medium for tests that keeps unsynced writes apart, tears them at a crash, and fails on order.

use std::io;
use std::sync::{Arc, Mutex};

use clisonix_store::{Medium, StorageBackend};

/// `SplitMix64` (Steele, Lea, Flood 2014): small and seeded.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

enum Pending {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// Which operations fail, by their number since the last reset.
#[derive(Default)]
pub(crate) struct Plan {
    /// Power goes at this operation and stays away.
    pub(crate) crash_at: Option<u64>,
    /// This one operation fails.
    pub(crate) fail_once_at: Option<u64>,
    /// Growing beyond this length fails with "no room".
    pub(crate) room: Option<u64>,
    /// Every sync fails.
    pub(crate) no_sync: bool,
}

#[derive(Default)]
struct State {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Pending>,
    plan: Plan,
    operations: u64,
    syncs: Vec<u64>,
    dead: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// Sets a plan and counts operations from here.
    pub(crate) fn plan(&self, plan: Plan) {
        let mut state = self.0.lock().unwrap();
        state.plan = plan;
        state.operations = 0;
        state.syncs.clear();
    }

    /// Operations since the plan was set, and which of them were syncs.
    pub(crate) fn operations(&self) -> (u64, Vec<u64>) {
        let state = self.0.lock().unwrap();
        (state.operations, state.syncs.clone())
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.0.lock().unwrap().dead
    }

    /// Power comes back: of what was not synced, any part may have reached the medium.
    pub(crate) fn power_on(&self, dice: &mut Dice) {
        let mut state = self.0.lock().unwrap();
        let mut image = std::mem::take(&mut state.durable);
        for pending in std::mem::take(&mut state.pending) {
            survive(&mut image, &pending, dice);
        }
        state.current.clone_from(&image);
        state.durable = image;
        state.dead = false;
        state.plan = Plan::default();
    }
}

fn survive(image: &mut Vec<u8>, pending: &Pending, dice: &mut Dice) {
    let grain = match dice.roll(4) {
        0 => return,
        1 => usize::MAX,
        2 => 512,
        _ => 1,
    };
    match pending {
        Pending::Length(length) => image.resize(*length as usize, 0),
        Pending::Write(offset, data) => {
            let start = *offset as usize;
            if image.len() < start + data.len() {
                image.resize(start + data.len(), 0);
            }
            let target = &mut image[start..start + data.len()];
            let grain = grain.min(data.len().max(1));
            for (to, from) in target.chunks_mut(grain).zip(data.chunks(grain)) {
                if grain == data.len() || dice.roll(2) == 0 {
                    to.copy_from_slice(from);
                }
            }
        }
    }
}

impl State {
    /// Counts an operation; an error when it is to fail before having any effect.
    fn step(&mut self) -> io::Result<()> {
        if self.dead {
            return Err(io::Error::other("no power"));
        }
        self.operations += 1;
        if self.plan.fail_once_at == Some(self.operations) {
            return Err(io::Error::other("fails on order"));
        }
        Ok(())
    }

    /// Whether power goes now, after the operation's bytes left the program.
    fn last_breath(&mut self) -> io::Result<()> {
        if self.plan.crash_at == Some(self.operations) {
            self.dead = true;
            return Err(io::Error::other("power cut"));
        }
        Ok(())
    }

    fn room_for(&self, length: u64) -> io::Result<()> {
        match self.plan.room {
            Some(room) if length > room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
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
        Ok(self.0.0.lock().unwrap().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.0.lock().unwrap();
        if state.dead {
            return Err(io::Error::other("no power"));
        }
        let start = offset as usize;
        let end = start + out.len();
        let bytes = state.current.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        state.step()?;
        state.room_for(len)?;
        state.current.resize(len as usize, 0);
        state.pending.push(Pending::Length(len));
        state.last_breath()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        state.step()?;
        let number = state.operations;
        state.syncs.push(number);
        if state.plan.no_sync {
            return Err(io::Error::other("sync fails on order"));
        }
        state.last_breath()?;
        let State { durable, current, .. } = &mut *state;
        durable.clone_from(current);
        state.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        state.step()?;
        let end = offset as usize + data.len();
        state.room_for(end as u64)?;
        if state.current.len() < end {
            state.current.resize(end, 0);
        }
        state.current[offset as usize..end].copy_from_slice(data);
        state.pending.push(Pending::Write(offset, data.to_vec()));
        state.last_breath()
    }
}
