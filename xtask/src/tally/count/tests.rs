//! The closing lines that the three runners print.

use super::Count;

#[track_caller]
fn check(line: &str, passed: u64, failed: u64) {
    assert_eq!(Count::of_line(line), Count { passed, failed }, "{line}");
}

#[test]
fn nextest() {
    check("     Summary [   0.523s] 12 tests run: 12 passed, 0 skipped", 12, 0);
    check(
        "     Summary [   1.2s] 5 tests run: 3 passed (1 slow), 1 failed, 1 timed out, 0 skipped",
        3,
        2,
    );
}

#[test]
fn libtest() {
    check("test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 7, 0);
    check("test result: FAILED. 6 passed; 1 failed; 0 ignored; 0 measured", 6, 1);
}

#[test]
fn pytest() {
    check("31 passed in 2.04s", 31, 0);
    check("1 failed, 30 passed, 2 warnings in 62.10s (0:01:02)", 30, 1);
    check("==== 1 error in 0.10s ====", 0, 1);
}

#[test]
fn other_lines() {
    check("running 3 tests", 0, 0);
    check("3 passed the door", 0, 0);
    check("test passed ... ok", 0, 0);
}
