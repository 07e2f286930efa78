//! Conflicts and their resolution.

use crate::site::{Site, bundle, text};

#[test]
fn two_feeds_that_disagree_are_a_conflict_until_it_is_settled() {
    let site = Site::new();
    for (name, criticality) in [("a", "low"), ("b", "high")] {
        let file = site.file(&format!("{name}.json"), bundle(name, criticality));
        assert_eq!(site.run(["import", "--feed", name, &file]).code, Some(0));
    }
    let open = site.json(0, ["conflicts", "MRN-1"]);
    let about = |path: &str| open.iter().find(|it| text(it, "path").ends_with(path));
    let conflict = about("criticality").expect("a conflict about the criticality");
    let sides = conflict.get("values").and_then(|it| it.as_array()).expect("sides");
    assert_eq!(sides.len(), 2);
    assert_eq!(text(conflict.get("shown").expect("shown"), "criticality"), "high");
    let human = site.run(["conflicts"]);
    assert!(human.out.contains("criticality"), "{}", human.out);

    let id = text(conflict, "id");
    let refused = site.run(["resolve", "MRN-1", id, "--value", "{"]);
    assert_eq!(refused.code, Some(2));
    assert_eq!(site.run(["resolve", "MRN-1", id]).code, Some(2));
    let settled = site.object(0, ["resolve", "MRN-1", id, "--value", r#"{"criticality":"high"}"#]);
    assert_eq!(text(&settled, "change").len(), 64);
    assert!(!site.json(0, ["conflicts", "MRN-1"]).iter().any(|it| text(it, "id") == id));
    assert_eq!(site.run(["resolve", "MRN-1", id, "--remove"]).code, Some(4));
}
