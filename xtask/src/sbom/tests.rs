//! The document of this very project holds what `CycloneDX` 1.6 requires.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{checksums, document};
use crate::metadata::Metadata;
use crate::project;

fn of_this_project() -> Value {
    let lock = std::fs::read_to_string(project::root().join("Cargo.lock")).unwrap();
    document(&Metadata::load().unwrap(), &checksums(&lock)).unwrap()
}

#[test]
fn required_members_are_there() {
    let document = of_this_project();
    assert_eq!(document["bomFormat"], "CycloneDX");
    assert_eq!(document["specVersion"], "1.6");
    assert_eq!(document["version"], 1);
    assert_eq!(document["metadata"]["component"]["type"], "application");
    let components = document["components"].as_array().unwrap();
    assert!(components.len() > 5);
    for component in components {
        assert_eq!(component["type"], "library");
        for member in ["name", "version", "purl", "bom-ref"] {
            assert!(!component[member].as_str().unwrap().is_empty(), "{component}");
        }
        assert!(component["licenses"][0]["expression"].is_string(), "{component}");
    }
}

#[test]
fn references_are_unique_and_lead_to_components() {
    let document = of_this_project();
    let mut known = BTreeSet::new();
    let main = std::iter::once(&document["metadata"]["component"]);
    for component in main.chain(document["components"].as_array().unwrap()) {
        assert!(known.insert(component["bom-ref"].as_str().unwrap()), "{component}");
    }
    for node in document["dependencies"].as_array().unwrap() {
        assert!(known.contains(node["ref"].as_str().unwrap()));
        for used in node["dependsOn"].as_array().unwrap() {
            assert!(known.contains(used.as_str().unwrap()), "{used}");
        }
    }
}

#[test]
fn the_same_lock_file_gives_the_same_bytes() {
    assert_eq!(of_this_project().to_string(), of_this_project().to_string());
}

#[test]
fn outside_components_carry_the_hash_of_their_archive() {
    let document = of_this_project();
    let outside = |component: &&Value| {
        !component["name"].as_str().is_some_and(|name| name.starts_with("clisonix"))
    };
    for component in document["components"].as_array().unwrap().iter().filter(outside) {
        assert_eq!(component["hashes"][0]["content"].as_str().map(str::len), Some(64));
    }
}

#[test]
fn nothing_of_this_machine_is_in_it() {
    assert!(!of_this_project().to_string().contains(project::root().to_str().unwrap()));
}
