//! What reading a loaded record costs: never its log.

use clisonix_fhir::json;

use super::*;
use crate::actor::ActorSecret;
use crate::edit::{Base, Origin};
use crate::time::HybridTime;

fn put(record: &mut Record, site: u8, text: &str) {
    let origin =
        Origin { author: "x", time: HybridTime::from_millis(u64::from(site)), source: None };
    let mut actors = || (ActorId([site; 16]), ActorSecret([site; 32]));
    let value = json::parse(text.as_bytes()).unwrap();
    record.edit(&[value.as_object().unwrap()], &Base::Current, &origin, &mut actors).unwrap();
}

#[test]
fn reading_a_loaded_record_with_concurrent_heads_leaves_its_log_packed() {
    let mut a = Record::new("p");
    put(&mut a, 1, r#"{"resourceType":"Patient","id":"p","gender":"male"}"#);
    let mut b = a.fork();
    put(&mut a, 1, r#"{"resourceType":"Patient","id":"p","gender":"female"}"#);
    put(&mut b, 2, r#"{"resourceType":"Patient","id":"p","gender":"male","active":true}"#);
    put(&mut b, 2, r#"{"resourceType":"Patient","id":"p","gender":"other","active":true}"#);
    a.receive(&b.changes_since(&[])).unwrap();
    let loaded = Record::load(&a.save()).unwrap();
    assert_eq!(loaded.view().bundle_text(), a.view().bundle_text());
    assert_eq!(loaded.view().conflicts(), a.view().conflicts());
    assert!(!loaded.log.is_opened());
    assert_eq!(loaded.history(None).len(), 4);
    assert!(loaded.log.is_opened());
}
