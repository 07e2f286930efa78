//! Messages into a session, as a peer could send them: no panic, and bounded answers.
#![no_main]

use std::collections::BTreeMap;

use clisonix_tide::{
    Catalogue, Clock, Cursor, Input, MAX_MESSAGE_BYTES, NodeId, Outcome, Output, Pushed, Reception,
    Replica, Run, Session, Settings, Signer, Site, Version,
};
use libfuzzer_sys::fuzz_target;

/// Most messages of one input; each is at most [`MAX_MESSAGE_BYTES`] long.
const MAX_MESSAGES: usize = 64;

/// Records that are counts of bytes received.
#[derive(Default)]
struct Counts(BTreeMap<Box<str>, u8>);

impl Replica for Counts {
    fn arrival(&self) -> u64 {
        self.0.values().map(|count| u64::from(*count)).sum()
    }

    fn versions(&self, each: &mut dyn FnMut(&str, Version)) {
        self.0.iter().for_each(|(record, count)| each(record, Version([*count; 32])));
    }

    fn version(&self, record: &str) -> Option<Version> {
        self.0.get(record).map(|count| Version([*count; 32]))
    }

    fn have(&self, record: &str) -> Vec<u8> {
        self.0.get(record).map(|count| vec![*count]).unwrap_or_default()
    }

    fn beyond(&self, record: &str, have: &[u8], _: usize) -> Option<Run> {
        let count = self.0.get(record).copied().unwrap_or_default();
        let there = have.first().copied().unwrap_or_default();
        let lacking = count.saturating_sub(there);
        let bytes = vec![lacking; usize::from(lacking.min(1))];
        Some(Run { bytes, is_all: lacking < 9, knows_all: there <= count })
    }

    fn arrived(
        &self,
        after: u64,
        _: usize,
        wanted: &mut dyn FnMut(&str) -> bool,
    ) -> Option<Pushed> {
        let runs = self.0.keys().filter(|record| wanted(record));
        let runs = runs.map(|record| (record.clone(), vec![1])).take(9).collect();
        Some(Pushed { upto: after.checked_add(1)?, runs })
    }

    fn receive(&mut self, runs: &[(&str, &[u8])], _: &NodeId) -> Vec<Reception> {
        let mut receptions = Vec::new();
        for (record, run) in runs {
            let first = self.arrival();
            let count = self.0.entry((*record).into()).or_default();
            *count = count.saturating_add(run.first().copied().unwrap_or_default() & 3);
            let outcome = if run.len() % 7 == 3 { Outcome::Lacks } else { Outcome::Taken };
            let version = self.version(record);
            receptions.push(Reception { outcome, version, arrivals: (first, self.arrival()) });
        }
        receptions
    }
}

struct Anybody;

impl Signer for Anybody {
    fn sign(&self, _: &[u8]) -> Vec<u8> {
        Vec::new()
    }

    fn verify(&self, _: &NodeId, _: &[u8], signature: &[u8]) -> bool {
        signature.is_empty()
    }
}

fuzz_target!(|data: &[u8]| {
    let mut replica = Counts((0..100).map(|n| (format!("p-{n}").into(), n)).collect());
    let mut catalogue = Catalogue::of(&replica);
    let scope = |record: &str| !record.ends_with('7');
    let settings = Settings {
        node: NodeId([1; 32]),
        peer: NodeId([2; 32]),
        secret: [3; 16],
        epoch: 1,
        incarnation: 4,
        seen: Cursor { incarnation: 5, arrival: 6 },
        first_question: 7,
    };
    let mut session = Session::new(settings, &catalogue, &scope);
    let mut clock = Clock::default();
    let mut now_ms = 1_700_000_000_000;
    // Each message is as long as the byte before it says, twice.
    let (mut rest, mut count) = (data, 0);
    while let [length, ahead, after @ ..] = rest
        && count < MAX_MESSAGES
    {
        let (message, after) = after.split_at(usize::from(*length).min(after.len()));
        (rest, count) = (after, count + 1);
        now_ms += u64::from(*ahead) * 100;
        let inputs = [Input::Open { is_first: *ahead > 9 }, Input::Message(message), Input::Tick];
        for input in inputs.into_iter().skip(usize::from(*ahead % 4 != 0)) {
            let mut site = Site {
                replica: &mut replica,
                catalogue: &mut catalogue,
                scope: &scope,
                signer: &Anybody,
                clock: &mut clock,
            };
            let outputs = session.handle(input, now_ms, &mut site);
            assert!(outputs.len() < 10_000);
            for output in outputs {
                if let Output::Send(bytes) = output {
                    assert!(bytes.len() <= MAX_MESSAGE_BYTES);
                }
            }
        }
    }
});
