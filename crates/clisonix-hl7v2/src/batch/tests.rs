//! Splitting and counting.

use super::*;

#[test]
fn messages_and_envelopes() {
    let file = b"FHS|^~\\&|A\rBHS|^~\\&|A\rMSH|^~\\&|1\rPID|1\rMSH|^~\\&|2\rBTS|2\rFTS|1\r";
    let batch = split(file);
    assert_eq!(batch.messages.len(), 2);
    assert_eq!(batch.envelopes.len(), 4);
    assert!(batch.stray.is_empty() && batch.faults.is_empty(), "{batch:?}");
    assert!(file[batch.messages[0].clone()].ends_with(b"PID|1\r"));
}

#[test]
fn wrong_counts_and_missing_trailers() {
    let batch = split(b"BHS|^~\\&\nMSH|^~\\&|1\n\n\nMSH|^~\\&|2\nBTS|3|x\n");
    assert!(matches!(batch.faults[..], [BatchFault::MessageCount { stated: 3, found: 2, .. }]));
    let batch = split(b"FHS|^~\\&\rMSH|^~\\&|1\r");
    assert!(matches!(batch.faults[..], [BatchFault::TrailerMissing { .. }]));
    let batch = split(b"FHS|^~\\&\rBHS|^~\\&\rMSH|^~\\&|1\rBTS\rFTS|4");
    assert!(matches!(batch.faults[..], [BatchFault::BatchCount { stated: 4, found: 1, .. }]));
}

#[test]
fn what_is_no_message_is_stray() {
    assert_eq!(split(b"AAA|1\rBBB|2\r").stray, vec![0..12]);
    assert_eq!(split(b"noise\r\nMSH|^~\\&|1").stray, vec![0..7]);
    assert_eq!(split(b"MSHELL|x\r").stray.len(), 1);
    assert_eq!(split(b"").stray.len(), 0);
    assert_eq!(split(b"\xEF\xBB\xBF \r\n").stray.len(), 0);
}
