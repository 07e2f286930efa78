//! The demo of sites that are often apart: three processes of this program, each with a store and
//! keys of its own, connected by lines that can be cut.

mod bundle;
mod place;
mod report;
mod search;
mod wire;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clisonix_fhir::json::{Number, Value};

use self::bundle::{Message, word};
use self::place::Place;
use self::search::{Search, Where};
use self::wire::Wire;

pub(crate) use self::report::Report;

/// The sites.
const NAMES: [&str; 3] = ["hospital", "laboratory", "clinic"];
/// Patients, each of whom every site edits while one is cut off.
const PATIENTS: usize = 6;
/// Whose consent is withdrawn, and who is erased.
const WITHDRAWN: usize = 1;
const ERASED: usize = 2;
/// Longest wait for all sites to show the same.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long nothing may arrive that must not arrive.
const QUIET: Duration = Duration::from_secs(4);

/// Three sites and the lines between each two.
struct Sites {
    places: Vec<Place>,
    wires: Vec<([usize; 2], Wire)>,
}

/// Runs the demo in an empty folder; `step` is told what begins.
pub(crate) fn run(folder: &Path, step: &mut dyn FnMut(&str)) -> Result<Report> {
    let mut report = Report::default();
    step("three sites make keys, invite each other and begin to serve");
    let mut sites = Sites::new(folder)?;
    sites.serve()?;

    step("the hospital takes in its patients; they go to the others");
    let before = sites.take_in_patients()?;
    sites.settle()?;

    step("the clinic is cut off; all three edit the same patients");
    sites.cut_off(2, true);
    let edits = sites.edit_all()?;
    sites.cut_off(2, false);
    step("the line is mended");
    report.digest = sites.settle()?;
    report.sites_equal = true;
    report.edits_submitted = edits.len();
    let shown = Search::shown(&sites.places)?;
    report.edits_lost = edits.iter().filter(|edit| shown.sites_with(edit) < NAMES.len()).count();
    report.conflicts = shown.conflicts();

    // The search in what went over the lines finds what is there.
    let words: Vec<&str> = edits.iter().map(String::as_str).collect();
    let traffic = Search::traffic(sites.place(0)?)?;
    report.traffic_before = traffic.count(&words, &Where::anywhere());

    step("the sites sign receipts that they hold the same");
    sites.receipts(&mut report)?;

    step("one consent is withdrawn");
    sites.withdraw(&before, &mut report)?;
    step("one patient is erased everywhere");
    sites.erase(&before, &edits, &mut report)?;
    for place in &mut sites.places {
        place.stop()?;
    }
    Ok(report)
}

impl Sites {
    fn new(folder: &Path) -> Result<Self> {
        let places = NAMES.map(|name| Place::new(name, folder));
        let places = places.into_iter().collect::<Result<Vec<_>>>()?;
        let mut wires = Vec::new();
        for pair @ [caller, called] in [[0, 1], [0, 2], [1, 2]] {
            let (one, other) = (at(&places, caller)?, at(&places, called)?);
            let record = folder.join(format!("{}-{}.line", one.name, other.name));
            let wire = Wire::new(&record)?;
            one.admit(other.invite(Some(wire.address()))?)?;
            other.admit(one.invite(None)?)?;
            wires.push((pair, wire));
        }
        Ok(Self { places, wires })
    }

    fn serve(&mut self) -> Result<()> {
        for (number, place) in self.places.iter_mut().enumerate() {
            let address = place.serve()?;
            for (_, wire) in self.wires.iter().filter(|([_, called], _)| *called == number) {
                wire.lead_to(address);
            }
        }
        Ok(())
    }

    fn place(&self, number: usize) -> Result<&Place> {
        at(&self.places, number)
    }

    /// Cuts all lines of a site, or mends them.
    fn cut_off(&self, number: usize, is_cut: bool) {
        for (_, wire) in self.wires.iter().filter(|(pair, _)| pair.contains(&number)) {
            wire.cut(is_cut);
        }
    }

    /// Each patient with a name and an allergy that can be searched for; gives these words.
    fn take_in_patients(&self) -> Result<Vec<String>> {
        let hospital = self.place(0)?;
        let mut words = Vec::new();
        for number in 0..PATIENTS {
            let (name, substance) = (word(), word());
            let message = Message::new(number).patient(&name).allergy(&substance);
            hospital.take_in("registration", &message.to_text())?;
            words.extend([name, substance]);
        }
        Ok(words)
    }

    /// At each site two edits of each patient: something new, and a cell that all write.
    fn edit_all(&self) -> Result<Vec<String>> {
        let mut words = Vec::new();
        for place in &self.places {
            for number in 0..PATIENTS {
                let (finding, status) = (word(), word());
                let message = Message::new(number).marital_status(&status).finding(&finding);
                place.take_in(place.name, &message.to_text())?;
                words.extend([finding, status]);
            }
        }
        Ok(words)
    }

    /// Waits until all sites hold the same; gives the digest.
    fn settle(&self) -> Result<String> {
        let mut last = Vec::new();
        self.wait("the same at all sites", |sites| {
            last = sites.digests()?;
            Ok(matches!(&*last, [first, rest @ ..] if rest.iter().all(|other| other == first)))
        })?;
        Ok(last.swap_remove(0))
    }

    fn digests(&self) -> Result<Vec<String>> {
        let digest = |place: &Place| -> Result<String> {
            let told = place.run(&["tide", "digest"])?;
            let digest = told.first().and_then(|value| value.get("digest"));
            Ok(digest.and_then(Value::as_str).unwrap_or_default().to_owned())
        };
        self.places.iter().map(digest).collect()
    }

    /// Waits for receipts with every peer, and has every site check what it keeps.
    fn receipts(&self, report: &mut Report) -> Result<()> {
        self.wait("receipts", |sites| {
            for place in &sites.places {
                let status = place.run(&["tide", "status"])?;
                let is_signed = |peer: &Value| {
                    peer.get("in_sync").and_then(Value::as_bool) == Some(true)
                        && peer.get("peers_receipt_ms").is_some_and(|time| *time != Value::Null)
                };
                if status.len() + 1 != sites.places.len() || !status.iter().all(is_signed) {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        report.receipts_valid = true;
        for place in &self.places {
            for checked in place.run(&["tide", "verify"])? {
                let count = checked.get("receipts").and_then(Value::as_number);
                report.receipts += count.and_then(Number::as_i64).unwrap_or_default();
                report.receipts_valid &=
                    checked.get("sound").and_then(Value::as_bool) == Some(true);
                report.receipt = checked.get("last").map(Value::to_text).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// The clinic may not hold one patient any more: what is written then must not reach it.
    fn withdraw(&self, before: &[String], report: &mut Report) -> Result<()> {
        let (hospital, laboratory, clinic) = (self.place(0)?, self.place(1)?, self.place(2)?);
        let old = before.get(2 * WITHDRAWN).cloned().unwrap_or_default();
        let control = Search::shown(&self.places)?;
        report.withdrawn_before = control.sites_with(&old);
        let consent = Message::new(WITHDRAWN).withdrawal(&clinic.identifier());
        hospital.take_in("consents", &consent.to_text())?;
        thread::sleep(QUIET);
        let told = Search::lengths(&self.places)?;
        let new = word();
        let edit = Message::new(WITHDRAWN).finding(&new);
        hospital.take_in(hospital.name, &edit.to_text())?;
        // It must go where it may go, or its absence elsewhere says nothing.
        self.wait("an edit after the withdrawal", |sites| {
            let shown = Search::shown(&sites.places)?;
            Ok(shown.is_at(laboratory.name, &new))
        })?;
        thread::sleep(QUIET);
        let search = Search::everything(&self.places, &self.records(), &told)?;
        let words = [new.as_str()];
        report.withdrawn_values_found = search.count(&words, &Where::of(clinic.name));
        report.withdrawn_elsewhere = search.count(&words, &Where::of(laboratory.name));
        Ok(())
    }

    /// One patient's content is erased at one site, and goes everywhere.
    fn erase(&self, before: &[String], edits: &[String], report: &mut Report) -> Result<()> {
        let hospital = self.place(0)?;
        let mut words: Vec<&str> =
            before.iter().skip(2 * ERASED).take(2).map(String::as_str).collect();
        let of_patient = |at: usize| (at / 2) % PATIENTS == ERASED;
        let edits = edits.iter().enumerate().filter(|(at, _)| of_patient(*at));
        words.extend(edits.map(|(_, word)| word.as_str()));
        let shown = Search::shown(&self.places)?;
        report.erased_before = words.iter().map(|word| shown.sites_with(word)).sum();
        hospital.run(&["erase", &Message::new(ERASED).name(), "--reason", "demonstration"])?;
        let told = Search::lengths(&self.places)?;
        // The words are gone when they are: what is left at the end is counted.
        let gone = self.wait("the erasure", |sites| {
            let shown = Search::shown(&sites.places)?;
            Ok(words.iter().all(|word| shown.sites_with(word) == 0))
        });
        if gone.is_ok() {
            thread::sleep(QUIET);
        }
        let search = Search::everything(&self.places, &self.records(), &told)?;
        report.erased_values_found = search.count(&words, &Where::anywhere());
        Ok(())
    }

    fn records(&self) -> Vec<&Path> {
        self.wires.iter().map(|(_, wire)| wire.record()).collect()
    }

    fn wait(&self, what: &str, mut is_so: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if is_so(self)? {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(300));
        }
        bail!("{what}: not there after {} s", PATIENCE.as_secs())
    }
}

fn at(places: &[Place], number: usize) -> Result<&Place> {
    places.get(number).ok_or_else(|| anyhow::anyhow!("there is no such site"))
}
