//! Two sessions and a connection: what it costs, and what bad messages lead to.

use std::collections::BTreeMap;

use super::*;
use crate::clock::Clock;
use crate::message::{Batch, Feeding, Item, Offer, Part, State, Subject};
use crate::receipt::Receipt;
use crate::replica::{Refusal, Replica};
use crate::sim::model::{Model, Seal, change_bytes};
use crate::sketch::{LISTED_BYTES, SYMBOL_BYTES};

fn id(node: usize) -> NodeId {
    NodeId([node as u8 + 1; 32])
}

/// Two nodes with a connection between them.
struct Pair {
    models: [Model; 2],
    catalogues: [Catalogue; 2],
    clocks: [Clock; 2],
    sessions: [Session; 2],
    /// Bytes of messages, by kind.
    bytes: BTreeMap<u8, usize>,
    /// How often messages crossed the way, one after the other.
    crossings: usize,
    /// After how many crossings both held the same.
    equal_after: Option<usize>,
    agreed: [Option<Receipt>; 2],
    now_ms: u64,
}

fn settings(node: usize) -> Settings {
    Settings {
        node: id(node),
        peer: id(1 - node),
        secret: [5; 16],
        epoch: 1,
        incarnation: node as u64 + 7,
        seen: Cursor::default(),
        first_question: (node as u64) << 40,
    }
}

fn all(_: &str) -> bool {
    true
}

/// A session that has looked at everything.
fn session(settings: Settings, catalogue: &Catalogue) -> Session {
    let mut session = Session::new(settings, catalogue);
    assert!(!session.look(usize::MAX, catalogue, &all));
    session
}

fn name(record: u32) -> String {
    format!("p-{record:08}")
}

impl Pair {
    fn of(models: [Model; 2]) -> Self {
        let catalogues = [Catalogue::of(&models[0]), Catalogue::of(&models[1])];
        let session = |node: usize| session(settings(node), &catalogues[node]);
        Self {
            sessions: [session(0), session(1)],
            models,
            catalogues,
            clocks: [Clock::default(); 2],
            bytes: BTreeMap::new(),
            crossings: 0,
            equal_after: None,
            agreed: [None; 2],
            now_ms: 1_000_000,
        }
    }

    /// Both hold so many records.
    fn with(records: u32) -> Self {
        let mut model = Model::new(1 << 20);
        for record in 0..records {
            model.edit(&name(record), 1);
        }
        Self::of([model.clone(), model])
    }

    fn write(&mut self, node: usize, record: u32) {
        let record = name(record);
        self.models[node].edit(&record, node as u64 + 2);
        self.catalogues[node].set(&record, self.models[node].version(&record));
        self.sessions[node].record_changed(&record, &self.catalogues[node], &all);
    }

    fn give_in(&mut self, node: usize, input: Input<'_>, scope: &dyn Scope) -> Vec<Output> {
        let mut site = Site {
            replica: &mut self.models[node],
            catalogue: &mut self.catalogues[node],
            scope,
            signer: &Seal(id(node)),
            clock: &mut self.clocks[node],
        };
        self.sessions[node].handle(input, self.now_ms, &mut site)
    }

    fn give(&mut self, node: usize, input: Input<'_>) -> Vec<Output> {
        self.give_in(node, input, &all)
    }

    fn send(&mut self, node: usize, message: &Message) -> Vec<Output> {
        self.give(node, Input::Message(&message.write()))
    }

    /// Opens the connection, which node 0 makes, and carries messages until nothing is left to say.
    fn meet(&mut self) {
        (self.bytes, self.crossings, self.equal_after) = (BTreeMap::new(), 0, None);
        let mut waiting: [Vec<Vec<u8>>; 2] = [Vec::new(), Vec::new()];
        for node in [1, 0] {
            let outputs = self.give(node, Input::Open { is_first: node == 0 });
            self.sort(node, outputs, &mut waiting);
        }
        for _ in 0..8 {
            self.carry(&mut waiting);
            self.now_ms += SETTLE_MS;
            for node in 0..2 {
                let outputs = self.give(node, Input::Tick);
                self.sort(node, outputs, &mut waiting);
            }
        }
        assert!(waiting.iter().all(Vec::is_empty), "it comes to an end");
    }

    fn carry(&mut self, waiting: &mut [Vec<Vec<u8>>; 2]) {
        while waiting.iter().any(|messages| !messages.is_empty()) {
            self.crossings += 1;
            for (node, messages) in std::mem::take(waiting).into_iter().enumerate() {
                for message in messages {
                    *self.bytes.entry(message[1]).or_default() += message.len();
                    let outputs = self.give(node, Input::Message(&message));
                    self.sort(node, outputs, waiting);
                }
            }
            if self.models[0].records == self.models[1].records {
                self.equal_after.get_or_insert(self.crossings);
            }
        }
    }

    fn sort(&mut self, node: usize, outputs: Vec<Output>, waiting: &mut [Vec<Vec<u8>>; 2]) {
        for output in outputs {
            match output {
                Output::Send(bytes) => waiting[1 - node].push(bytes),
                Output::Agreed(receipt, _) => self.agreed[node] = Some(receipt),
                Output::Closed(reason) => panic!("closed: {reason}"),
                _ => {}
            }
        }
    }

    fn is_equal(&self) -> bool {
        self.models[0].records == self.models[1].records
            && matches!(self.agreed, [Some(one), Some(other)] if one.agrees(&other))
    }

    /// Bytes of all messages but receipts.
    fn talk(&self) -> usize {
        self.bytes.iter().filter(|(kind, _)| ![12, 13].contains(*kind)).map(|(_, size)| size).sum()
    }
}

#[test]
fn equal_nodes_know_it_after_one_round_trip() {
    let mut pair = Pair::with(3000);
    pair.meet();
    assert!(pair.is_equal());
    pair.meet();
    assert!(pair.talk() <= 1000, "{} bytes of both", pair.talk());
    let kinds: Vec<u8> = pair.bytes.keys().copied().collect();
    assert_eq!((kinds, pair.crossings), (vec![0, 1], 2), "hello and its answer; receipts are kept");
}

#[test]
fn one_change_since_the_last_agreement_is_there_after_one_round_trip() {
    for node in 0..2 {
        let mut pair = Pair::with(3000);
        pair.meet();
        pair.write(node, 17);
        pair.meet();
        assert!(pair.is_equal());
        // Where the peer stood is remembered: it comes before it is asked for.
        assert_eq!(pair.equal_after, Some(1), "changed at {node}");
        assert!(pair.talk() <= 2300, "{} bytes", pair.talk());

        // A process that starts anew knows its own cursor only.
        let seen = pair.sessions[0].settings.seen;
        pair.write(node, 18);
        let fresh = Settings { seen, ..settings(0) };
        pair.sessions[0] = session(fresh, &pair.catalogues[0]);
        pair.meet();
        assert!(pair.is_equal());
        assert!(pair.equal_after <= Some(2 + usize::from(node == 0)), "{:?}", pair.equal_after);
    }
}

#[test]
fn many_small_changes_of_many_records_are_pushed() {
    let mut pair = Pair::with(5000);
    pair.meet();
    for record in 0..5000 {
        pair.write(0, record);
    }
    pair.meet();
    assert!(pair.is_equal());
    assert!(!pair.bytes.contains_key(&6), "all came by the feed");
}

#[test]
fn one_change_is_found_without_cursors() {
    for node in 0..2 {
        let mut pair = Pair::with(3000);
        pair.write(node, 17);
        pair.meet();
        assert!(pair.is_equal());
        // Who is greeted knows what the greeter has, and gives; the greeter is asked.
        assert_eq!(pair.equal_after, Some(3 - node), "changed at {node}");
        let kinds: Vec<u8> = pair.bytes.keys().copied().collect();
        assert!(!kinds.contains(&2), "64 symbols suffice: {kinds:?}");
    }
}

#[test]
fn a_record_that_is_too_long_to_be_given_whole_is_asked_for() {
    let mut model = Model::new(1 << 20);
    for _ in 0..400 {
        model.edit(&name(7), 1);
    }
    for record in 100..400 {
        model.edit(&name(record), 1);
    }
    let mut pair = Pair::of([model.clone(), model]);
    pair.write(1, 7);
    pair.meet();
    assert!(pair.is_equal());
    assert_eq!(pair.equal_after, Some(4));
    assert!(pair.bytes[&8] < 200, "{:?}", pair.bytes);
}

#[test]
fn what_both_changed_is_exchanged_without_cursors() {
    for records in [1, 3, 30] {
        let mut pair = Pair::with(3000);
        for record in 0..records {
            pair.write(0, record);
            pair.write(1, record);
            pair.write(1, record + 100);
        }
        pair.meet();
        assert!(pair.is_equal(), "{records}");
        assert!(pair.equal_after <= Some(8), "{:?}", pair.equal_after);
    }
}

#[test]
fn many_differences_on_both_sides_are_found() {
    for (records, changed) in [(2000_u32, 5_u32), (5000, 100), (20_000, 1500), (3000, 2500), (0, 3)]
    {
        let mut pair = Pair::with(records);
        for record in 0..changed {
            pair.write((record % 2) as usize, record * 7 % records.max(10));
        }
        pair.meet();
        assert!(pair.is_equal(), "{records} records, {changed} changed");
        // One side asks for symbols, or for a list.
        let symbols = pair.bytes.get(&3).copied().unwrap_or_default();
        let list = pair.bytes.get(&5).copied().unwrap_or_default();
        let limit = (3 * changed as usize + 40) * SYMBOL_BYTES;
        assert!(symbols <= limit, "{changed} changed: {symbols} B of symbols");
        assert!(list <= LISTED_BYTES * (records + changed) as usize + 200);
    }
}

#[test]
fn a_large_difference_takes_few_round_trips_and_no_names() {
    const CHANGED: usize = 2000;
    for node in 0..2 {
        let mut pair = Pair::with(20_000);
        for record in 0..CHANGED {
            pair.write(node, record as u32);
        }
        pair.meet();
        assert!(pair.is_equal());
        let crossings = pair.equal_after.expect("equal");
        assert!(crossings <= 14, "{crossings} crossings, changed at {node}");
        // What each has of a record are 12 or 24 bytes here, a change has 28.
        let exchange: usize = (6..10).filter_map(|kind| pair.bytes.get(&kind)).sum();
        let beside = exchange - CHANGED * 28;
        let most = if node == 0 { 32 } else { 80 };
        assert!(beside <= CHANGED * most, "{beside} B beside the changes at {node}");
    }
}

#[test]
fn a_first_copy_goes_in_parts_either_way() {
    for node in 0..2 {
        let mut models = [Model::new(1 << 20), Model::new(1 << 20)];
        for record in 0..4000 {
            models[node].edit(&name(record), 1);
        }
        for _ in 0..20_000 {
            models[node].edit(&name(1), 2);
        }
        let mut pair = Pair::of(models);
        pair.meet();
        assert!(pair.is_equal(), "from {node}");
        let bytes: usize = pair.bytes.values().sum();
        assert!(bytes < 24_000 * 28 + 4000 * 60 + 20_000, "{bytes} B");
    }
}

#[test]
fn a_wrong_cursor_is_noticed() {
    let mut pair = Pair::with(100);
    pair.meet();
    pair.write(0, 3);
    // The cursor says that all is there.
    pair.sessions[1].settings.seen.arrival += 1;
    pair.meet();
    assert!(pair.is_equal());
}

#[test]
fn a_receipt_is_renewed_with_the_set_and_the_day() {
    let mut pair = Pair::with(100);
    pair.meet();
    let first = pair.agreed[0].expect("a receipt");
    pair.meet();
    assert_eq!(pair.agreed[0], Some(first), "there is nothing new to say");
    pair.now_ms += 86_400_000;
    pair.meet();
    let second = pair.agreed[0].expect("a receipt");
    assert!(second.time > first.time && second.hash == first.hash);
    pair.write(1, 5);
    pair.meet();
    assert_ne!(pair.agreed[0].expect("a receipt").hash, first.hash);
}

/// A clock that runs ahead begins again where the image of the store has it, and says the same twice.
#[test]
fn a_node_put_back_that_signs_the_very_same_gets_the_peers_receipt_again() {
    let mut pair = Pair::with(3);
    let (clock, now_ms) = (pair.clocks[1], pair.now_ms);
    pair.meet();
    let signed = pair.agreed[1].expect("a receipt");
    assert!(pair.sessions[1].status(&pair.models[1]).peers_receipt.is_some());
    pair.give(0, Input::Shut);
    pair.sessions[1] = session(settings(1), &pair.catalogues[1]);
    (pair.clocks[1], pair.now_ms) = (clock, now_ms);
    pair.meet();
    assert_eq!(pair.agreed[1], Some(signed), "the very same");
    assert!(pair.sessions[1].status(&pair.models[1]).peers_receipt.is_some());
}

#[test]
fn an_epoch_is_met_and_a_peer_that_changes_it_too_often_is_left() {
    let mut pair = Pair::with(300);
    pair.sessions[1] = session(Settings { epoch: 9, ..settings(1) }, &pair.catalogues[1]);
    pair.meet();
    assert!(pair.is_equal());
    let mut state = pair.state(1);
    state.epoch = 10;
    assert_eq!(pair.closes(&Message::Hello { question: 1, state }), CloseReason::Epoch);
    pair.now_ms += EPOCH_MS;
    let mut state = pair.state(1);
    state.epoch = MAX_EPOCH + 1;
    assert_eq!(pair.closes(&Message::Hello { question: 1, state }), CloseReason::Epoch);
}

impl Pair {
    /// What a node says of itself when it is asked for symbols that it has not shown.
    fn state(&mut self, node: usize) -> State {
        self.give(node, Input::Open { is_first: false });
        let ask = Message::AskSymbols { question: 1, version: 0, first: 0, count: 64 };
        let outputs = self.send(node, &ask);
        let [Output::Send(bytes)] = &outputs[..] else { panic!("{outputs:?}") };
        let Ok(Message::State { state, .. }) = Message::read(bytes) else { panic!("no state") };
        state
    }

    /// Why a message closes the session of node 0.
    fn closes(&mut self, message: &Message) -> CloseReason {
        self.closes_at(&message.write())
    }

    fn closes_at(&mut self, bytes: &[u8]) -> CloseReason {
        self.give(0, Input::Open { is_first: false });
        let outputs = self.give(0, Input::Message(bytes));
        let Some(Output::Closed(reason)) = outputs.last() else { panic!("{outputs:?}") };
        assert_eq!(self.sessions[0].status(&self.models[0]).closed, Some(*reason));
        assert_eq!(self.give(0, Input::Message(bytes)), [], "nothing more is done");
        *reason
    }
}

#[test]
fn bad_messages_close_the_session_with_a_reason() {
    let mut pair = Pair::with(100);
    for bytes in [&[][..], &[1], &[2, 14, 0], &[1, 99], &[1, 14, 0, 0], &[1, 3, 0, 0, 0, 5]] {
        assert_eq!(pair.closes_at(bytes), CloseReason::Unreadable, "{bytes:?}");
    }
    assert_eq!(pair.closes_at(&vec![0; MAX_MESSAGE_BYTES + 1]), CloseReason::Unreadable);
    // A set that has the same symbols and another hash.
    let mut state = pair.state(1);
    state.hash.0 ^= 1;
    let lie = Message::Hello { question: 1, state };
    assert_eq!(pair.closes(&lie), CloseReason::Contradiction);
    let forged = Receipt {
        from: id(1),
        to: id(0),
        time: clisonix_crdt::HybridTime(0),
        at: Cursor::default(),
        epoch: 1,
        count: 0,
        hash: crate::entry::SetHash(0),
        scope: [0; 32],
    };
    let forged = |from, to| Message::Receipt {
        question: 1,
        receipt: Receipt { from, to, ..forged },
        signature: vec![1],
    };
    assert_eq!(pair.closes(&forged(id(1), id(0))), CloseReason::Receipt);
    assert_eq!(pair.closes(&forged(id(2), id(0))), CloseReason::Receipt);
    assert_eq!(pair.closes(&Message::Close { reason: 7 }), CloseReason::ByPeer(7));
    // A new way begins anew.
    pair.now_ms += EPOCH_MS;
    pair.meet();
    assert!(pair.is_equal());
}

#[test]
fn a_peer_cannot_answer_more_than_it_was_asked() {
    let mut pair = Pair::with(3000);
    for record in 0..100 {
        pair.write(1, record);
    }
    let greet = |pair: &mut Pair, state: State| {
        pair.give(0, Input::Open { is_first: false });
        let outputs = pair.send(0, &Message::Hello { question: 1, state });
        let Some(Output::Send(ask)) = outputs.last() else { panic!("{outputs:?}") };
        Message::read(ask).expect("a question")
    };
    let state = pair.state(1);
    let ask = greet(&mut pair, state.clone());
    let Message::AskSymbols { question, version, first, count } = ask else { panic!("{ask:?}") };
    let symbols = vec![Symbol::default(); count as usize + 1];
    let flood = Message::Symbols { question, version, first, symbols };
    let closed = pair.send(0, &flood);
    assert_eq!(closed.last(), Some(&Output::Closed(CloseReason::Excess)));

    // So many differ that a list is asked for; this one is in no order.
    let state = State { count: 40, ..state };
    let ask = greet(&mut pair, state);
    let Message::AskList { question, .. } = ask else { panic!("{ask:?}") };
    let list = Message::List { question, is_all: true, ids: vec![2, 1] };
    let closed = pair.send(0, &list);
    assert_eq!(closed.last(), Some(&Output::Closed(CloseReason::List)));
}

#[test]
fn answers_to_no_question_do_nothing() {
    let mut pair = Pair::with(100);
    pair.give(0, Input::Open { is_first: false });
    let state = pair.state(1);
    for message in [
        Message::State { question: 9, is_comparing: false, state },
        Message::Symbols { question: 9, version: 1, first: 64, symbols: vec![Symbol::default()] },
        Message::List { question: 9, is_all: true, ids: vec![2, 1] },
        Message::Runs { question: 9, parts: vec![Part::Gone; 9] },
        Message::Taken { question: 9, results: Vec::new() },
        Message::Kept { question: 9 },
    ] {
        assert_eq!(pair.send(0, &message), [], "{message:?}");
    }
}

#[test]
fn a_push_that_does_not_go_on_from_here_is_not_taken() {
    let mut pair = Pair::with(10);
    pair.meet();
    let record = name(3);
    let batches =
        vec![Batch { record: record.as_str().into(), run: change_bytes(&record, (9, 1)) }];
    let seen = pair.sessions[0].settings.seen;
    for (incarnation, after) in [(seen.incarnation, seen.arrival + 1), (1, seen.arrival)] {
        let feed = Message::Feed { incarnation, after, upto: after + 1, batches: batches.clone() };
        let answer = Output::Send(Message::Seen { cursor: seen }.write());
        assert_eq!(pair.send(0, &feed), [answer]);
    }
    let (incarnation, after) = (seen.incarnation, seen.arrival);
    let feed = Message::Feed { incarnation, after, upto: after + 1, batches };
    assert!(pair.send(0, &feed).contains(&Output::Changed { record: record.into() }));
}

#[test]
fn pushes_that_wait_together_are_taken_and_answered_as_one() {
    let mut pair = Pair::with(10);
    pair.meet();
    let mut pushes = Vec::new();
    for record in [3, 5, 3] {
        pair.write(0, record);
        for output in pair.give(0, Input::Arrived) {
            if let Output::Send(bytes) = output {
                pushes.push(bytes);
            }
        }
    }
    assert_eq!(pushes.len(), 3);
    let pushes: Vec<&[u8]> = pushes.iter().map(Vec::as_slice).collect();
    let outputs = pair.give(1, Input::Messages(&pushes));
    let is_sent = |output: &&Output| matches!(output, Output::Send(_));
    assert_eq!(outputs.iter().filter(is_sent).count(), 1, "{outputs:?}");
    assert_eq!(pair.models[0].records, pair.models[1].records);
    // The middle one lost: what goes on from the first is taken, and nothing else.
    let seen = pair.sessions[1].settings.seen;
    let feed = |after, upto| {
        let incarnation = seen.incarnation;
        Message::Feed { incarnation, after, upto, batches: Vec::new() }.write()
    };
    let at = seen.arrival;
    let pushes = [feed(at, at + 1), feed(at + 2, at + 3)];
    let outputs = pair.give(1, Input::Messages(&[&pushes[0], &pushes[1]]));
    let cursor = Cursor { arrival: at + 1, ..seen };
    let answer = Output::Send(Message::Seen { cursor }.write());
    assert_eq!(outputs.iter().filter(is_sent).collect::<Vec<_>>(), [&answer; 2]);
    // What came before a message that cannot be read counts.
    let outputs = pair.give(1, Input::Messages(&[&feed(at + 1, at + 2), &[99]]));
    assert!(outputs.contains(&Output::Closed(CloseReason::Unreadable)));
    assert_eq!(pair.sessions[1].settings.seen.arrival, at + 2);
}

#[test]
fn what_a_peer_said_of_its_place_before_is_passed_over() {
    let mut pair = Pair::with(10);
    pair.meet();
    pair.write(0, 3);
    let behind = |pair: &Pair| pair.sessions[0].status(&pair.models[0]).behind;
    assert_eq!(behind(&pair), Some(1));
    let own = pair.sessions[0].settings.incarnation;
    for (incarnation, arrival) in [(0, 0), (own, 1), (own, 9999), (own + 1, 10)] {
        let seen = Message::Seen { cursor: Cursor { incarnation, arrival } };
        pair.send(0, &seen);
        assert_eq!(behind(&pair), Some(1), "{incarnation} {arrival}");
    }
    pair.give(0, Input::Arrived);
    pair.now_ms += 2 * MAX_RETRY_MS;
    let again = pair.give(0, Input::Tick);
    let is_push = |output: &Output| matches!(output, Output::Send(bytes) if bytes[1] == 10);
    assert!(again.iter().any(is_push), "{again:?}");
}

#[test]
fn a_record_that_both_have_is_spoken_of_by_its_entry() {
    let mut pair = Pair::with(100);
    pair.write(1, 7);
    let state = pair.state(1);
    pair.give(0, Input::Open { is_first: false });
    let outputs = pair.send(0, &Message::Hello { question: 1, state });
    let Some(Output::Send(want)) = outputs.last() else { panic!("{outputs:?}") };
    let Ok(Message::Want { question, items }) = Message::read(want) else { panic!("{want:?}") };
    let [Item::Known { subject: Subject::Entry { id, check }, have }] = &items[..] else {
        panic!("{items:?}")
    };
    let answer = |pair: &mut Pair, subject: Subject| {
        let item = Item::Known { subject, have: have.clone() };
        let outputs = pair.send(1, &Message::Want { question, items: vec![item] });
        let Some(Output::Send(runs)) = outputs.last() else { panic!("{outputs:?}") };
        match Message::read(runs) {
            Ok(Message::Runs { mut parts, .. }) => parts.remove(0),
            other => panic!("{other:?}"),
        }
    };
    let (id, check) = (*id, *check);
    let run = change_bytes(&name(7), (3, 1));
    let told = Part::Run { record: "".into(), have: None, run: run.clone(), is_all: true };
    assert_eq!(answer(&mut pair, Subject::Entry { id, check }), told);
    // Another name's check, and an entry that is not there.
    for (id, check) in [(id, check ^ 1), (id ^ 1, check)] {
        assert_eq!(answer(&mut pair, Subject::Entry { id, check }), Part::Gone);
    }
    let named = answer(&mut pair, Subject::Name(name(7).into()));
    assert!(matches!(named, Part::Run { have: Some(_), .. }), "{named:?}");
    // The asker then asks by name, and for the entry's record.
    let outputs = pair.send(0, &Message::Runs { question, parts: vec![Part::Gone] });
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Send(bytes) => Message::read(bytes).ok(),
        _ => None,
    });
    let items: Vec<Item> = sent
        .filter_map(|message| match message {
            Message::Want { items, .. } => Some(items),
            _ => None,
        })
        .flatten()
        .collect();
    let subject = Subject::Name(name(7).into());
    assert_eq!(items, [Item::Known { subject, have: have.clone() }, Item::Id(id)]);
}

#[test]
fn what_is_refused_rests() {
    let mut pair = Pair::with(10);
    pair.meet();
    let record: Box<str> = name(3).into();
    let subject = Subject::Name(record.clone());
    let offers = vec![Offer::Run { subject, run: vec![1; 28], is_all: true }];
    for pause_ms in [REFUSED_MS, 2 * REFUSED_MS, 4 * REFUSED_MS] {
        let outputs = pair.send(0, &Message::Give { question: 1, offers: offers.clone() });
        let (by_peer, reason) = (false, Refusal::Signature);
        let refused = Output::Refused { record: record.clone(), by_peer, reason, pause_ms };
        assert!(outputs.contains(&refused), "{outputs:?}");
    }
    assert_eq!(pair.sessions[0].status(&pair.models[0]).refused, 1);
}

#[test]
fn a_scope_holds_at_once_and_hides_names() {
    let mut pair = Pair::with(10);
    pair.give(0, Input::Open { is_first: false });
    let hidden = |record: &str| record != "p-00000003";
    let slot = pair.catalogues[0].slot("p-00000003").unwrap();
    let mut ids = pair.sessions[0].roster.ids_after(None);
    let (entry, _) = ids.find(|(_, other)| *other == slot).unwrap();
    drop(ids);
    // Consent was withdrawn; the session was not even told.
    let want = Message::Want { question: 1, items: vec![Item::Id(entry)] }.write();
    let outputs = pair.give_in(0, Input::Message(&want), &hidden);
    let gone = Message::Runs { question: 1, parts: vec![Part::Gone] };
    assert!(outputs.contains(&Output::Send(gone.write())), "{outputs:?}");
    let withheld = Output::Withheld { record: "p-00000003".into() };
    assert!(outputs.contains(&withheld));
    assert_eq!(pair.sessions[0].roster.count(), 9, "and it is not compared any more");
    let subject = Subject::Name("p-00000003".into());
    let named = Item::Known { subject, have: Vec::new() };
    let want = Message::Want { question: 2, items: vec![named] }.write();
    let outputs = pair.give_in(0, Input::Message(&want), &hidden);
    let outside = Message::Runs { question: 2, parts: vec![Part::Outside] };
    assert!(outputs.contains(&Output::Send(outside.write())), "{outputs:?}");

    let told = Some(&["p-00000003"][..]);
    pair.sessions[0].scope_changed(told, &pair.catalogues[0], &all);
    assert_eq!(pair.sessions[0].roster.count(), 10);
    pair.sessions[0].scope_changed(None, &pair.catalogues[0], &hidden);
    assert!(pair.sessions[0].is_looking());
    while pair.sessions[0].look(3, &pair.catalogues[0], &hidden) {}
    assert_eq!(pair.sessions[0].roster.count(), 9);
}

#[test]
fn no_receipt_is_signed_while_a_session_looks_at_its_records() {
    let mut pair = Pair::with(10);
    pair.meet();
    assert!(pair.is_equal());
    let before = pair.agreed[0];
    pair.sessions[0].scope_changed(None, &pair.catalogues[0], &all);
    pair.write(0, 10);
    pair.meet();
    let status = pair.sessions[0].status(&pair.models[0]);
    assert_eq!((status.is_in_sync, status.count, status.receipt), (false, 11, before));
    assert!(!pair.sessions[0].look(usize::MAX, &pair.catalogues[0], &all));
    pair.meet();
    assert!(pair.is_equal() && pair.agreed[0].is_some_and(|receipt| receipt.count == 11));
}

#[test]
fn a_session_looks_at_its_records_in_parts() {
    let mut pair = Pair::with(10);
    let catalogue = &mut pair.catalogues[0];
    let mut session = Session::new(settings(0), catalogue);
    assert!(session.is_looking() && !session.is_ready());
    let mut counts = Vec::new();
    while session.look(4, catalogue, &all) {
        counts.push(session.roster.count());
        // What is written meanwhile is told, whether it was looked at or not.
        for record in [0, 9] {
            let version = crate::Version([counts.len() as u8; 32]);
            assert!(catalogue.set(&name(record), Some(version)));
            session.record_changed(&name(record), catalogue, &all);
        }
    }
    assert_eq!((counts, session.roster.count(), session.is_looking()), (vec![4, 9], 10, false));
    assert!(session.is_ready());
    let whole = self::session(settings(0), catalogue);
    assert_eq!(session.roster.hash(), whole.roster.hash());
    assert_eq!(session.roster.symbols(), whole.roster.symbols());
    // Under another key all are there too, and no scope is asked.
    let epoch = session.roster.epoch() + 1;
    session.roster.rekey(epoch, catalogue);
    let fresh = self::session(Settings { epoch, ..settings(0) }, catalogue);
    assert_eq!(session.roster.hash(), fresh.roster.hash());
    assert_eq!(session.roster.count(), 10);
    assert_ne!(session.roster.hash(), whole.roster.hash());
}

#[test]
fn a_revoked_peer_is_told_so_at_its_next_message() {
    struct Revoked;
    impl Scope for Revoked {
        fn may_hold(&self, _: &str) -> bool {
            true
        }
        fn is_revoked(&self) -> bool {
            true
        }
    }
    let mut pair = Pair::with(10);
    pair.meet();
    let state = pair.state(1);
    let hello = Message::Hello { question: 1, state }.write();
    pair.give(0, Input::Open { is_first: false });
    let outputs = pair.give_in(0, Input::Message(&hello), &Revoked);
    let close = Output::Send(Message::Close { reason: 7 }.write());
    assert_eq!(outputs, [close, Output::Closed(CloseReason::Revoked)]);
    assert!(pair.give_in(0, Input::Open { is_first: true }, &Revoked).len() == 2);
}

#[test]
fn the_state_says_whether_arrivals_are_on_their_way() {
    let mut pair = Pair::with(10);
    assert_eq!(pair.state(0).feeding, Feeding::Unknown);
    pair.meet();
    pair.write(0, 3);
    let outputs = pair.give(0, Input::Open { is_first: true });
    let [.., Output::Send(hello)] = &outputs[..] else { panic!("{outputs:?}") };
    let Ok(Message::Hello { state, .. }) = Message::read(hello) else { panic!("no hello") };
    assert_eq!(state.feeding, Feeding::Running);
    assert_eq!(pair.sessions[0].status(&pair.models[0]).behind, Some(1));
}
