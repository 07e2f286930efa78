//! The committed bytes of one message of each kind, and bytes that are no message.

use clisonix_crdt::HybridTime;
use proptest::prelude::*;

use super::*;
use crate::replica::NodeId;

fn state() -> State {
    State {
        epoch: 300,
        at: Cursor { incarnation: 0x0102_0304_0506_0708, arrival: 9 },
        seen: Cursor { incarnation: 7, arrival: 200 },
        feeding: Feeding::Running,
        count: 1,
        hash: SetHash(0x0f),
        version: 5,
        symbols: vec![Symbol::default()],
    }
}

fn receipt() -> Receipt {
    Receipt {
        from: NodeId([1; 32]),
        to: NodeId([2; 32]),
        time: HybridTime(3),
        at: Cursor { incarnation: 4, arrival: 5 },
        epoch: 6,
        count: 7,
        hash: SetHash(8),
        scope: [9; 32],
    }
}

/// Each kind, with its bytes after the version in hexadecimal digits. `_` stands for nothing.
fn vectors() -> Vec<(Message, String)> {
    let zeros = |count: usize| "00".repeat(count);
    let set = format!(
        "ac02_0102030405060708_09_0000000000000007_c801_01_01_{}0f_05_01_{}",
        zeros(15),
        zeros(13)
    );
    let signed = format!(
        "{}_{}_0000000000000003_0000000000000004_05_06_07_{}08_{}",
        "01".repeat(32),
        "02".repeat(32),
        zeros(15),
        "09".repeat(32)
    );
    let record: Box<str> = "p".into();
    let (have, run) = (vec![0xaa], vec![0xbb, 0xbc]);
    let (name, entry) =
        (Subject::Name(record.clone()), Subject::Entry { id: 258, check: 0x0102_0304 });
    let part = |have, is_all| Part::Run { record: record.clone(), have, run: run.clone(), is_all };
    let parts = vec![part(Some(have.clone()), true), part(None, false), Part::Gone, Part::Outside];
    let offers = vec![
        Offer::Run { subject: name.clone(), run: run.clone(), is_all: false },
        Offer::Run { subject: entry.clone(), run: run.clone(), is_all: true },
        Offer::Outside { subject: name.clone() },
    ];
    let results = vec![
        Taken::Whole { have: Vec::new() },
        Taken::Lacks { have: have.clone() },
        Taken::Refused { reason: 2 },
        Taken::Outside,
        Taken::Later,
        Taken::Gone,
    ];
    let items = vec![
        Item::Id(1),
        Item::Known { subject: name, have: have.clone() },
        Item::Known { subject: entry, have },
    ];
    let batches = vec![Batch { record, run }];
    vec![
        (Message::Hello { question: 1, state: state() }, format!("00_01_{set}")),
        (
            Message::State { question: 128, is_comparing: true, state: state() },
            format!("01_8001_01_{set}"),
        ),
        (
            Message::AskSymbols { question: 1, version: 2, first: 64, count: 129 },
            "02_01_02_40_8101".into(),
        ),
        (
            Message::Symbols { question: 1, version: 2, first: 64, symbols: Vec::new() },
            "03_01_02_40_00".into(),
        ),
        (Message::AskList { question: 1, after: None }, "04_01_00".into()),
        (Message::AskList { question: 1, after: Some(258) }, "04_01_01_0000000000000102".into()),
        (
            Message::List { question: 1, is_all: true, ids: vec![258] },
            "05_01_01_01_0000000000000102".into(),
        ),
        (
            Message::Want { question: 1, items },
            "06_01_03_00_0000000000000001_01_0170_01aa_01_00_0000000000000102_01020304_01aa".into(),
        ),
        (
            Message::Runs { question: 1, parts },
            "07_01_04_01_0170_01aa_02bbbc_04_0170_02bbbc_02_03".into(),
        ),
        (
            Message::Give { question: 1, offers },
            "08_01_03_00_0170_02bbbc_01_00_0000000000000102_01020304_02bbbc_03_0170".into(),
        ),
        (Message::Taken { question: 1, results }, "09_01_06_00_00_01_01aa_02_02_03_04_05".into()),
        (
            Message::Feed { incarnation: 3, after: 4, upto: 5, batches },
            "0a_0000000000000003_04_05_01_0170_02bbbc".into(),
        ),
        (
            Message::Seen { cursor: Cursor { incarnation: 3, arrival: 4 } },
            "0b_0000000000000003_04".into(),
        ),
        (
            Message::Receipt { question: 1, receipt: receipt(), signature: vec![0xcc] },
            format!("0c_01_{signed}_01cc"),
        ),
        (Message::Kept { question: 1 }, "0d_01".into()),
        (Message::Close { reason: 7 }, "0e_07".into()),
    ]
}

fn bytes(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|digit| *digit != b'_').collect();
    let text = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(text).collect()
}

#[test]
fn each_kind_has_its_bytes() {
    for (message, digits) in vectors() {
        let bytes = [vec![TIDE_VERSION], bytes(&digits)].concat();
        assert_eq!(message.write(), bytes, "{message:?}");
        assert_eq!(Message::read(&bytes).unwrap(), message);
    }
    let signed = [&b"clisonix receipt 1\0"[..], &[1; 32], &[2; 32]].concat();
    assert!(receipt().signed_bytes().starts_with(&signed));
}

#[test]
fn what_is_cut_longer_or_of_another_version_is_no_message() {
    for (message, _) in vectors() {
        let bytes = message.write();
        for end in 0..bytes.len() {
            assert!(Message::read(&bytes[..end]).is_err(), "{message:?} cut to {end}");
        }
        assert!(Message::read(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Message::read(&[&[2], &bytes[1..]].concat()).is_err());
    }
    // More records, symbols or entries than a message may hold, although the bytes are there.
    for (kind, limit) in [(6, MAX_MESSAGE_RECORDS), (5, MAX_MESSAGE_ENTRIES)] {
        let mut bytes = vec![TIDE_VERSION, kind, 1];
        bytes.extend_from_slice(if kind == 5 { &[1] } else { &[] });
        clisonix_crdt::wire::put_u64(&mut bytes, limit as u64 + 1);
        bytes.resize(bytes.len() + 9 * limit + 9, 0);
        assert!(Message::read(&bytes).is_err());
    }
}

proptest! {
    #[test]
    fn a_message_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 0..16_u8) {
        let bytes = [vec![TIDE_VERSION, kind], bytes].concat();
        if let Ok(message) = Message::read(&bytes) {
            prop_assert_eq!(message.write(), bytes);
        }
    }
}
