//! What happens to machines and their disks: power cuts, backups put back, copies, flipped bits.

use std::path::Path;

use clisonix_node::Node;
use clisonix_store::Store;

use crate::bug::Bug;
use crate::disk::Plan as Fault;
use crate::machine::{BY, Machine};
use crate::world::{Mishap, World};

/// Most records that are read while bits flip.
const READ_RECORDS: usize = 2;

/// An old state of a machine.
pub(crate) enum Backup {
    /// A backup of the store.
    File(tempfile::TempDir),
    /// An image of the disk.
    Image(Vec<u8>),
}

/// A copy of a machine. One of the two runs at a time.
pub(crate) struct Twin {
    pub(crate) of: usize,
    image: Vec<u8>,
    acknowledged: u64,
}

impl World {
    pub(crate) fn restart_if_dead(&mut self, number: usize) {
        if self.machines[number].disk.is_dead() {
            self.tally.cuts += 1;
            self.restart(number);
        }
    }

    pub(crate) fn power_cut(&mut self, number: usize) {
        self.restart(number);
    }

    /// A machine's power goes and comes back: what was acknowledged is there.
    pub(crate) fn restart(&mut self, number: usize) {
        self.down(number);
        self.up(number);
    }

    fn down(&mut self, number: usize) {
        let machine = &mut self.machines[number];
        machine.disk.cut_power();
        machine.stop();
        machine.disk.power_cycle(&mut self.chance);
    }

    fn up(&mut self, number: usize) {
        let seed = self.seed;
        let machine = &mut self.machines[number];
        machine.set_time(self.now_ms);
        let acknowledged = machine.acknowledged;
        assert!(machine.start(), "seed {seed}: {number} does not start after a power cut");
        let arrival = machine.acknowledged;
        assert!(
            arrival >= acknowledged,
            "seed {seed}: {number} acknowledged {acknowledged} arrivals and has {arrival}"
        );
        self.reopen(number);
    }

    pub(crate) fn mishap(&mut self, number: usize) {
        if Some(number) == self.malicious {
            return;
        }
        match self.mishap {
            Mishap::Restore if self.chance.percent(50) => self.back_up(number),
            Mishap::Restore => self.restore(number),
            Mishap::Clone => {
                let of = self.twin.as_ref().map_or(number, |twin| twin.of);
                self.swap_twin(of);
            }
            _ => {}
        }
    }

    fn back_up(&mut self, number: usize) {
        let Some(node) = self.node(number) else { return };
        let backup = if self.chance.percent(50) {
            Backup::Image(self.machines[number].disk.image())
        } else {
            let folder = tempfile::tempdir().expect("a folder");
            // A machine whose disk is full makes none.
            if node.backup(&folder.path().join("backup"), BY).is_err() {
                return;
            }
            Backup::File(folder)
        };
        self.backups[number] = Some(backup);
        self.settle_arrivals(number);
    }

    /// An old backup or an old image takes the place of what a machine has.
    fn restore(&mut self, number: usize) {
        let Some(backup) = self.backups[number].take() else { return };
        self.tally.restored += 1;
        self.down(number);
        let machine = &mut self.machines[number];
        let image = match backup {
            Backup::Image(image) => {
                self.has_gone_back = true;
                image
            }
            Backup::File(folder) => {
                let mut incarnation = [0; 16];
                self.chance.fill(&mut incarnation);
                restored(machine, folder.path(), incarnation)
            }
        };
        machine.disk.replace(image);
        machine.acknowledged = 0;
        self.up(number);
        // What only it had is gone.
        self.forget_lost();
        for plan in self.plans.iter_mut().filter(|plan| plan.has_consent) {
            plan.is_vague = true;
        }
    }

    /// Of what was acknowledged, what no machine has any more is not asked for.
    fn forget_lost(&mut self) {
        let good: Vec<usize> = (0..self.machines.len()).filter(|at| self.is_good(*at)).collect();
        for (record, plan) in self.plans.iter().enumerate() {
            let mut held = std::collections::BTreeMap::new();
            for number in &good {
                let Some(node) = self.node(*number) else { continue };
                for place in node.standings(&plan.id).unwrap_or_default() {
                    let most: &mut (u64, usize) = held.entry(place.actor).or_default();
                    if place.changes > most.0 {
                        *most = (place.changes, *number);
                    }
                }
            }
            for ((of, actor), made) in &mut self.made {
                if *of == record {
                    let (changes, holder) = held.get(actor).copied().unwrap_or_default();
                    if changes < made.0 {
                        *made = (changes, holder);
                    } else if self.machines[made.1].catalogue.version(&plan.id).is_none() {
                        made.1 = holder;
                    }
                }
            }
            // Who made it may have been put back to before.
            for ((of, actor), made) in &mut self.made {
                if *of == record {
                    made.1 = held.get(actor).map_or(made.1, |(_, holder)| *holder);
                }
            }
        }
    }

    /// The copy of a machine takes its place, and is taken first if there is none.
    fn swap_twin(&mut self, of: usize) {
        self.tally.swapped += 1;
        self.has_gone_back = true;
        let Some(mut twin) = self.twin.take() else {
            let machine = &self.machines[of];
            if machine.node.is_some() {
                let image = machine.disk.image();
                self.twin = Some(Twin { of, image, acknowledged: machine.acknowledged });
            }
            return;
        };
        for plan in self.plans.iter_mut().filter(|plan| plan.has_consent) {
            plan.is_vague = true;
        }
        self.down(of);
        let machine = &mut self.machines[of];
        let image = machine.disk.image();
        machine.disk.replace(std::mem::replace(&mut twin.image, image));
        std::mem::swap(&mut machine.acknowledged, &mut twin.acknowledged);
        self.twin = Some(twin);
        self.up(of);
    }

    /// The copy that does not run takes its turn.
    pub(crate) fn bring_twin_back(&mut self) -> bool {
        let of = self.twin.as_ref().map(|twin| twin.of);
        of.inspect(|of| self.swap_twin(*of)).is_some()
    }

    /// Whether bits may flip under a machine: a store that is not encrypted does not notice all.
    pub(crate) fn can_flip(&self, number: usize) -> bool {
        let machine = &self.machines[number];
        machine.is_encrypted && machine.node.is_some() && Some(number) != self.malicious
    }

    /// A machine starts and reads while bits flip: what it shows is what it shows without that.
    pub(crate) fn read_with_flips(&mut self, number: usize) {
        if !self.can_flip(number) {
            return;
        }
        if self.chance.percent(70) {
            // After a clean end little is read at the start, and more of it while bits flip.
            self.machines[number].stop();
        }
        if self.machines[number].node.is_some() || self.machines[number].disk.is_dead() {
            self.down(number);
        }
        let flips = 1 + self.chance.below(400);
        let is_lying = self.bug == Some(Bug::AcknowledgedBeforeSync);
        let machine = &mut self.machines[number];
        let before = machine.disk.flipped();
        machine.disk.plan(Fault { flips, is_lying, ..Fault::default() });
        machine.set_time(self.now_ms);
        let acknowledged = machine.acknowledged;
        let mut read = Vec::new();
        if machine.start() {
            let node = machine.node.clone().expect("started");
            for plan in self.plans.iter().take(READ_RECORDS) {
                read.push((plan.id.clone(), shown(&node, &plan.id)));
            }
        } else {
            self.tally.damage_told += 1;
        }
        machine.disk.cut_power();
        machine.stop();
        self.tally.flipped += machine.disk.flipped() - before;
        machine.acknowledged = acknowledged;
        machine.disk.power_cycle(&mut self.chance);
        self.up(number);
        let Some(node) = self.node(number) else { return };
        for (record, text) in read {
            let Some(text) = text else {
                self.tally.damage_told += 1;
                continue;
            };
            let seed = self.seed;
            let now = shown(&node, &record);
            assert!(now == Some(text), "seed {seed}: {number} shows {record} otherwise than it is");
        }
    }
}

/// A record's text; `None` if it cannot be read, also if nothing is known of it.
fn shown(node: &Node, record: &str) -> Option<(String, String)> {
    let text = node.record_text(record, BY).ok()?;
    Some((text.bundle, text.conflicts))
}

/// The disk's image after a backup was put back.
fn restored(machine: &mut Machine, folder: &Path, incarnation: [u8; 16]) -> Vec<u8> {
    let data = folder.join("data");
    let protection = machine.protection();
    Store::restore(&folder.join("backup"), &data, incarnation, protection.as_ref())
        .expect("a backup can be put back");
    let files = std::fs::read_dir(&data).expect("a folder");
    let contents = files.map(|file| std::fs::read(file.expect("a file").path()).expect("reads"));
    contents.max_by_key(Vec::len).expect("a file")
}
