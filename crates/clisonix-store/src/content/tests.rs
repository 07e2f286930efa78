//! Round trips of the rows, and their refusal when cut short.

use super::{
    Arrival, ChangePlace, Quarantined, RawInput, change_key, change_prefix, placed_key,
    read_change_key,
};

fn raw() -> RawInput {
    RawInput {
        message: [7; 16],
        feed: "lab".into(),
        file: Some("a.hl7".into()),
        received_ms: -1,
        bytes: vec![0, 1, 2],
    }
}

#[test]
fn rows_read_back_as_written() {
    let input = raw();
    assert_eq!(RawInput::decode([7; 16], &input.encode(42)), Some((42, input)));
    let message = Quarantined {
        message: [9; 16],
        feed: "adt".into(),
        file: None,
        received_ms: 5,
        attempts: 3,
        reason: "no MSH".into(),
        issues: b"[]".to_vec(),
        bytes: b"junk".to_vec(),
    };
    assert_eq!(Quarantined::decode([9; 16], &message.encode()), Some(message));
    for arrival in [Arrival::Raw([1; 16]), Arrival::Change("p-1".into()), Arrival::Note(vec![7, 8])]
    {
        assert_eq!(Arrival::decode(&arrival.encode()), Some(arrival));
    }
}

#[test]
fn a_row_cut_short_is_refused() {
    let whole = raw().encode(1);
    let header = whole.len() - 3;
    for length in 0..header {
        assert_eq!(RawInput::decode([7; 16], &whole[..length]), None, "{length}");
    }
    assert_eq!(Arrival::decode(&[]), None);
    assert_eq!(Arrival::decode(&[9, 1]), None);
    assert_eq!(Arrival::decode(&[1, 1]), None);
}

#[test]
fn changes_of_one_record_are_together_and_in_order() {
    assert!(change_key("p-1", 255) < change_key("p-1", 256));
    assert!(!change_key("p-12", 1).starts_with(&change_prefix("p-1")));
    for (arrival, count) in [(77, 1), (77, 2), (78, 1)] {
        let place = ChangePlace { arrival, count };
        assert_eq!(read_change_key(&placed_key("p-1", place)), Some(("p-1", place)));
    }
    let sealed = placed_key("p-1", ChangePlace { arrival: 77, count: 9 });
    assert!(change_key("p-1", 77) < sealed && sealed < change_key("p-1", 78));
    assert_eq!(read_change_key(&sealed[..sealed.len() - 1]), None);
}
