//! How many messages a second are indexed; run with `CLISONIX_SPEED=1` in release mode.

use clisonix_hl7v2::Message;
use std::fmt::Write;
use std::time::Instant;

#[test]
fn index_of_a_message_of_four_kilobytes() {
    if std::env::var_os("CLISONIX_SPEED").is_none() {
        return;
    }
    let mut text =
        String::from("MSH|^~\\&|LAB|NORTH|EHR|MAIN|20260102030405||ORU^R01^ORU_R01|1|P|2.5.1\r");
    text.push_str("PID|1||123456^^^NORTH&1.2.3.4&ISO^MR||DOE^JANE^Q^^^^L||19700101|F|||1 MAIN ST^^TOWN^ST^12345\r");
    text.push_str("OBR|1|A1^LAB|B2^LAB|24323-8^Metabolic panel^LN|||20260102030405\r");
    let mut number = 0;
    while text.len() < 4_096 {
        number += 1;
        write!(
            text,
            "OBX|{number}|NM|2951-2^Sodium [Moles/volume] in Serum^LN||13{number}|mmol/L^^UCUM|136-145|N|||F|||20260102030405||1^DOE^JOHN\r"
        )
        .unwrap();
    }
    let bytes = text.as_bytes();
    let leaves = Message::parse(bytes).unwrap().leaves().len();
    let mut best = f64::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        let rounds = 20_000_u32;
        let mut sum = 0_usize;
        for _ in 0..rounds {
            sum += Message::parse(std::hint::black_box(bytes)).unwrap().leaves().len();
        }
        assert_eq!(sum, rounds as usize * leaves);
        best = best.min(start.elapsed().as_secs_f64() / f64::from(rounds));
    }
    eprintln!("{} bytes, {leaves} leaves: {:.0} messages/s", bytes.len(), 1.0 / best);
}
