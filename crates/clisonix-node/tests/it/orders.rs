//! Orders to erase as notices: to every node that held the record, and receipts back.

use std::collections::BTreeMap;
use std::path::Path;

use clisonix_node::consent::{Basis, Orders, PeerRule};
use clisonix_node::{Aim, KeptOrder, NodeScope, OrderState};
use clisonix_pq::erasure::Done;
use clisonix_store::{Span, Store, StoreOptions, Table};
use clisonix_tide::{NodeId, Outcome, Refusal, Replica, Scope as _};

use crate::tide::{Site, author, fetch};
use crate::{BUNDLE, BY, take};

/// What the record says and must not be found anywhere afterwards.
const WORD: &str = "Planted-in-the-name";

/// The other two are peers that may hold nothing.
fn admit(site: &Site, orders: Orders) {
    let rule = PeerRule { basis: Basis::Nothing, orders, ..PeerRule::default() };
    let rules: BTreeMap<_, _> =
        [1, 2, 3].map(|seed| (author(seed).fingerprint(), rule.clone())).into();
    site.node.set_peer_rules(&rules, BY).unwrap();
}

/// A node that wrote a record and a node that was given it; then more is written that the other is
/// not given.
fn pair(home: &Path, orders: Orders) -> (Site, Site, String) {
    let (mut one, mut two) = (Site::new(home, 1), Site::new(home, 2));
    admit(&one, Orders::CarryOut);
    admit(&two, orders);
    // Each takes the same message in by itself too, so both have an input.
    for site in [&one, &two] {
        take(&site.node, "a.json", &BUNDLE.replace("Ray", WORD));
    }
    let record = one.record();
    fetch(&one, &mut two, usize::MAX);
    fetch(&two, &mut one, usize::MAX);
    one.node.note_given(two.name, &record).unwrap();
    one.write(&record, "gender", "other");
    (one, two, record)
}

/// Hands every notice over that the other may have; gives how many there were.
fn tell(from: &Site, to: &mut Site) -> usize {
    let scope = NodeScope::new(from.node.clone(), to.name);
    let mut ids = Vec::new();
    from.replica.notices(&mut |id| ids.push(id));
    ids.retain(|id| scope.may_know(id));
    for id in &ids {
        let bytes = from.replica.notice(id).expect("there");
        let taken = to.replica.receive_notice(id, &bytes, &NodeId(from.name.to_bytes()));
        assert_eq!(taken, Outcome::Taken);
    }
    ids.len()
}

fn order(site: &Site) -> KeptOrder {
    let mut orders = site.node.orders().unwrap();
    assert_eq!(orders.len(), 1);
    orders.remove(0)
}

/// How many rows of a closed site's store hold the word.
fn found(site: Site, home: &Path, seed: u64) -> usize {
    drop(site);
    let store = Store::open(&home.join(seed.to_string()), &StoreOptions::default()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let mut found = 0;
    for table in Table::ALL {
        for row in snapshot.rows(table, &Span::all()).unwrap() {
            let value = row.unwrap().value;
            found += usize::from(value.windows(WORD.len()).any(|part| part == WORD.as_bytes()));
        }
    }
    found
}

#[test]
fn an_order_reaches_who_held_the_record_and_its_receipt_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, two, record) = pair(home.path(), Orders::CarryOut);
    assert!(found(two, home.path(), 2) > 1);
    let mut two = Site::new(home.path(), 2);
    let erased = one.node.erase(&record, Aim::Record, "test", true, BY).unwrap();
    let given = one.node.give_order(&erased, true, BY).unwrap().expect("somebody held it");
    assert_eq!((given.peers.as_slice(), given.state), ([two.name].as_slice(), OrderState::Given));
    assert_eq!(given.unanswered().collect::<Vec<_>>(), [two.name]);
    // The engine is told of it as of a record.
    let news = one.node.arrived_since(0).unwrap().records;
    assert!(news.iter().any(|(name, version)| name.starts_with('!') && version.is_some()));

    assert_eq!(tell(&one, &mut two), 1);
    assert_eq!(order(&two).state, OrderState::Waiting);
    // A restart in between loses nothing, and it is done once.
    drop(two);
    let mut two = Site::new(home.path(), 2);
    assert_eq!(two.node.carry_out_orders(BY).unwrap(), 1);
    assert_eq!(two.node.carry_out_orders(BY).unwrap(), 0);
    assert_eq!(tell(&one, &mut two), 1);
    assert_eq!(two.node.carry_out_orders(BY).unwrap(), 0);
    let done = order(&two);
    assert_eq!((done.state, done.digest), (OrderState::Done, given.digest));

    // The order stands at both; the receipt is new here.
    assert_eq!(tell(&two, &mut one), 2);
    let answered = order(&one);
    assert_eq!(answered.receipts.len(), 1);
    assert_eq!((answered.receipts[0].site, answered.receipts[0].done), (two.name, Done::Erased));
    assert_eq!(answered.unanswered().count(), 0);
    // Nobody else hears of either.
    let mut three = Site::new(home.path(), 3);
    admit(&three, Orders::CarryOut);
    assert_eq!((tell(&one, &mut three), tell(&two, &mut three)), (0, 0));
    two.node.verify().unwrap();
    assert!(!two.node.record_text(&record, BY).unwrap().bundle.contains(WORD));
    assert_eq!((found(one, home.path(), 1), found(two, home.path(), 2)), (0, 0));
}

#[test]
fn an_order_goes_on_to_whom_the_record_was_given_on() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, mut two, record) = pair(home.path(), Orders::CarryOut);
    let mut three = Site::new(home.path(), 3);
    admit(&three, Orders::CarryOut);
    fetch(&two, &mut three, usize::MAX);
    two.node.note_given(three.name, &record).unwrap();
    let erased = one.node.erase(&record, Aim::Record, "test", true, BY).unwrap();
    one.node.give_order(&erased, true, BY).unwrap().expect("somebody held it");
    // Told to each other until nothing is new any more.
    for _ in 0..4 {
        tell(&one, &mut two);
        tell(&two, &mut three);
        tell(&three, &mut two);
        tell(&two, &mut one);
        for site in [&one, &two, &three] {
            site.node.carry_out_orders(BY).unwrap();
        }
    }
    let orders = two.node.orders().unwrap();
    let own = orders.iter().find(|order| order.state == OrderState::Given).unwrap();
    assert_eq!((orders.len(), own.peers.as_slice()), (2, [three.name].as_slice()));
    assert_eq!((own.receipts[0].site, own.receipts[0].done), (three.name, Done::Erased));
    assert_eq!((one.node.orders().unwrap().len(), order(&three).state), (1, OrderState::Done));
    assert_eq!(found(three, home.path(), 3), 0);
}

#[test]
fn an_order_waits_for_a_person_where_the_site_wants_it_so() {
    let home = tempfile::tempdir().unwrap();
    for (is_accepted, done) in [(true, Done::Erased), (false, Done::Refused)] {
        let home = home.path().join(done.name());
        std::fs::create_dir(&home).unwrap();
        let (mut one, mut two, record) = pair(&home, Orders::Ask);
        let erased = one.node.erase(&record, Aim::Record, "test", true, BY).unwrap();
        one.node.give_order(&erased, true, BY).unwrap().expect("somebody held it");
        tell(&one, &mut two);
        assert_eq!(two.node.carry_out_orders(BY).unwrap(), 0);
        let asking = order(&two);
        assert_eq!(asking.state, OrderState::Asking);
        assert!(two.node.decide_order(asking.digest, is_accepted, BY).unwrap());
        assert!(!two.node.decide_order(asking.digest, is_accepted, BY).unwrap());
        assert_eq!(two.node.carry_out_orders(BY).unwrap(), u64::from(is_accepted));
        tell(&two, &mut one);
        assert_eq!(order(&one).receipts[0].done, done);
        let shown = two.node.record_text(&record, BY).unwrap().bundle;
        assert_eq!(shown.contains(WORD), !is_accepted);
    }
}

#[test]
fn a_site_that_refuses_orders_says_so_and_strangers_are_not_heard() {
    let home = tempfile::tempdir().unwrap();
    let (mut one, mut two, record) = pair(home.path(), Orders::Refuse);
    let erased = one.node.erase(&record, Aim::Record, "test", true, BY).unwrap();
    one.node.give_order(&erased, true, BY).unwrap().expect("somebody held it");
    tell(&one, &mut two);
    assert_eq!(two.node.carry_out_orders(BY).unwrap(), 0);
    assert_eq!(order(&two).state, OrderState::Refused);
    tell(&two, &mut one);
    assert_eq!(order(&one).receipts[0].done, Done::Refused);

    // Changed by one byte, or from who is not admitted: not taken.
    let mut ids = Vec::new();
    one.replica.notices(&mut |id| ids.push(id));
    let bytes = ids.iter().filter_map(|id| one.replica.notice(id));
    let notice = bytes.max_by_key(Vec::len).unwrap();
    let mut three = Site::new(home.path(), 3);
    let from = NodeId(one.name.to_bytes());
    let receive = |three: &mut Site, bytes: &[u8]| {
        use sha2::Digest as _;
        let id = clisonix_tide::NoticeId(sha2::Sha256::digest(bytes).into());
        three.replica.receive_notice(&id, bytes, &from)
    };
    assert_eq!(receive(&mut three, &notice), Outcome::Refused(Refusal::Author));
    admit(&three, Orders::CarryOut);
    let mut changed = notice.clone();
    let at = notice.windows(7).position(|part| part == b"destroy").unwrap();
    changed.splice(at..at + 7, *b"keep");
    changed[29] -= 3;
    assert_eq!(receive(&mut three, &changed), Outcome::Refused(Refusal::Signature));
    // A site that never had the record says so.
    assert_eq!(receive(&mut three, &notice), Outcome::Taken);
    assert_eq!(three.node.carry_out_orders(BY).unwrap(), 1);
    assert_eq!(order(&three).receipts[0].done, Done::Absent);
}
