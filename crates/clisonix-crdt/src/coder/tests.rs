//! The coder against itself, and against bytes that it did not make.

use proptest::prelude::*;

use super::{MAX_CODED_BYTES, decode, encode};

/// Bytes as in a run: a count, five lengths, then columns.
fn run() -> impl Strategy<Value = Vec<u8>> {
    let column = || proptest::collection::vec(any::<u8>(), 0..40);
    let small = proptest::collection::vec(0..64_u8, 0..80);
    (0..40_u8, column(), column(), column(), column(), small, column()).prop_map(
        |(count, shape, graph, time, origin, ops, values)| {
            let told = [&shape, &graph, &time, &origin, &ops];
            let mut run = vec![count];
            run.extend(told.map(|column| column.len() as u8));
            told.into_iter().chain([&values]).for_each(|column| run.extend(column));
            run
        },
    )
}

proptest! {
    #[test]
    fn what_is_coded_is_decoded(run in run(), any in proptest::collection::vec(any::<u8>(), 0..200)) {
        for run in [run, any] {
            let code = encode(&run);
            prop_assert_eq!(decode(&code, run.len()).ok(), Some(run));
        }
    }

    #[test]
    fn no_bytes_are_too_wild(bytes in proptest::collection::vec(any::<u8>(), 0..200), len in 0..5_000_usize) {
        let decoded = decode(&bytes, len);
        prop_assert!(decoded.is_err() || len <= MAX_CODED_BYTES);
    }

    #[test]
    fn nothing_is_cut_or_added(run in run(), more in any::<u8>()) {
        let code = encode(&run);
        let whole = |bytes: &[u8]| decode(bytes, run.len()).is_ok_and(|decoded| decoded == run);
        prop_assert!(!whole(&code[..code.len() - 1]) && !whole(&[&code[..], &[more]].concat()));
    }
}

#[test]
fn a_column_that_is_longer_than_the_run_is_only_bad_luck() {
    let run =
        [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7, 8];
    let code = encode(&run);
    assert_eq!(decode(&code, run.len()).unwrap(), run);
    assert!(decode(&code, MAX_CODED_BYTES + 1).is_err());
}
