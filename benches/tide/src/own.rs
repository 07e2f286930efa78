//! This engine: sketches that are kept at every write, symbols asked for by the decoder's estimate.

use anyhow::Result;
use clisonix_tide::{
    Decoder, Entry, HELLO_SYMBOLS, KEPT_SYMBOLS, LISTED_BYTES, SYMBOL_BYTES, Sketch, SketchKey,
    Version, is_list_shorter,
};

use crate::sites::{Sites, head, mix, name};
use crate::{Cost, timed};

/// Set hash, size, epoch and other fields of a hello beside the symbols, rounded up.
const HELLO_FIELDS: usize = 80;
/// A request for more symbols, with its frame.
const ASK: usize = 8;

pub fn reconcile(sites: &Sites) -> Result<Cost> {
    let key = SketchKey::of_epoch(&[1; 16], 1);
    let (ours, prepare_ms) = timed(|| sketch(&key, &sites.ours));
    let theirs = sketch(&key, &sites.theirs);
    let (found, session_ms) = timed(|| session(&ours, &theirs));
    let (bytes, round_trips) = found?;
    Ok(Cost { bytes, round_trips, session_ms, prepare_ms })
}

fn sketch(key: &SketchKey, records: &[(String, Version)]) -> Sketch {
    let mut sketch = Sketch::new(Sketch::kept_for(records.len()));
    for (record, head) in records {
        sketch.insert(key.entry(record, head));
    }
    sketch
}

/// Bytes and round trips until the difference is found. One direction's hello is counted: the other
/// one serves the other side's own decoder.
fn session(ours: &Sketch, theirs: &Sketch) -> Result<(usize, usize)> {
    let more = theirs.count() as i64 - ours.count() as i64;
    let mut decoder = Decoder::new();
    let (mut bytes, mut round_trips) = (HELLO_FIELDS, 1);
    let mut wanted = HELLO_SYMBOLS;
    loop {
        let range = decoder.taken()..wanted.min(ours.symbols().len());
        // The symbols travel as bytes.
        let mut message = Vec::with_capacity(range.len() * SYMBOL_BYTES);
        theirs.symbols()[range.clone()].iter().for_each(|symbol| symbol.write(&mut message));
        bytes += message.len();
        let mut reader = clisonix_crdt::wire::Reader::new(&message);
        let symbols: Result<Vec<_>, _> =
            range.clone().map(|_| clisonix_tide::Symbol::read(&mut reader)).collect();
        decoder.take(&symbols?, &ours.symbols()[range])?;
        if decoder.is_complete() {
            return Ok((bytes, round_trips));
        }
        bytes += ASK;
        round_trips += 1;
        let spent = wanted;
        wanted = decoder.wanted(more);
        if is_list_shorter(decoder.estimate(more), theirs.count()) || spent >= ours.symbols().len()
        {
            return Ok((bytes + theirs.count() as usize * LISTED_BYTES, round_trips));
        }
    }
}

/// Nanoseconds for one change of one record in one peer's sketch, hashing included.
pub fn upkeep_ns(records: usize) -> f64 {
    const CHANGES: usize = 200_000;
    let key = SketchKey::of_epoch(&[1; 16], 1);
    let mut sketch = Sketch::new(Sketch::kept_for(records));
    let names: Vec<String> = (0..CHANGES).map(name).collect();
    let heads: Vec<[Version; 2]> = (0..CHANGES).map(|n| [head(n, 0), head(n, 1)]).collect();
    let ((), ms) = timed(|| {
        for (name, heads) in names.iter().zip(&heads) {
            sketch.remove(key.entry(name, &heads[0]));
            sketch.insert(key.entry(name, &heads[1]));
        }
    });
    ms * 1e6 / CHANGES as f64
}

/// The 99th percentile of bytes over different records changed.
pub fn p99_bytes(changed: usize, seeds: usize) -> Result<f64> {
    let entry = |n: u64| Entry(u128::from(mix(n)));
    // Enough shared records that symbols are shorter than the plain list.
    let mut base = Sketch::new(KEPT_SYMBOLS / 8);
    for n in 0..10_000 {
        base.insert(entry(n));
    }
    let mut all = Vec::with_capacity(seeds);
    for seed in 1..=seeds as u64 {
        let (mut ours, mut theirs) = (base.clone(), base.clone());
        for n in 0..changed as u64 {
            ours.insert(entry(seed << 32 | 2 * n));
            theirs.insert(entry(seed << 32 | (2 * n + 1)));
        }
        all.push(session(&ours, &theirs)?.0);
    }
    all.sort_unstable();
    Ok(all[all.len() * 99 / 100] as f64)
}
