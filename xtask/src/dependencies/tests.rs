//! The check notices what it is there for.

use std::collections::{BTreeMap, BTreeSet};

use super::faults;
use super::table::HOUSE;
use crate::metadata::{Metadata, Package, Use};

/// The house with every allowed use, and one edge more.
fn house_with(from: &str, to: &str, shipped: bool) -> Metadata {
    let mut packages = BTreeMap::new();
    for row in HOUSE {
        let uses = row.uses.iter().map(|name| edge(name, true));
        packages.insert(row.name.to_owned(), package(row.name, uses.collect()));
    }
    let members: BTreeSet<String> = packages.keys().cloned().collect();
    packages.entry(to.to_owned()).or_insert_with(|| package(to, Vec::new()));
    if let Some(package) = packages.get_mut(from) {
        package.uses.push(edge(to, shipped));
    }
    Metadata { packages, members }
}

fn edge(to: &str, shipped: bool) -> Use {
    Use { package: to.to_owned(), shipped }
}

fn package(name: &str, uses: Vec<Use>) -> Package {
    Package {
        name: name.to_owned(),
        version: "0.0.0".to_owned(),
        description: None,
        license: None,
        repository: None,
        uses,
    }
}

#[test]
fn the_allowed_house_has_no_fault() {
    assert_eq!(faults(&house_with("clisonix", "clisonix-node", true)), Vec::<String>::new());
}

#[test]
fn an_upward_use_is_a_fault() {
    let found = faults(&house_with("clisonix-fhir", "clisonix-crdt", true));
    assert_eq!(found, ["clisonix-fhir uses clisonix-crdt"]);
}

#[test]
fn a_test_only_use_is_allowed_only_to_tests() {
    assert!(faults(&house_with("clisonix-demo", "clisonix-ingest", false)).is_empty());
    assert_eq!(faults(&house_with("clisonix-demo", "clisonix-ingest", true)).len(), 1);
}

#[test]
fn a_runtime_is_a_fault_even_when_reached_through_others() {
    let mut metadata = house_with("clisonix-store", "helper", true);
    metadata.packages.insert("tokio".to_owned(), package("tokio", Vec::new()));
    metadata.packages.insert("helper".to_owned(), package("helper", vec![edge("tokio", true)]));
    let found = faults(&metadata);
    assert!(found.iter().any(|fault| fault.starts_with("clisonix-store uses tokio")), "{found:?}");
    // Whoever ships the store ships it too.
    assert!(found.iter().any(|fault| fault.starts_with("clisonix uses tokio")), "{found:?}");
}

#[test]
fn encryption_is_reached_through_its_home_only() {
    let mut metadata = house_with("clisonix-pq", "aws-lc-rs", true);
    assert_eq!(faults(&metadata), Vec::<String>::new());
    metadata.packages.insert("helper".to_owned(), package("helper", vec![edge("ring", true)]));
    metadata.packages.insert("ring".to_owned(), package("ring", Vec::new()));
    metadata.packages.entry("clisonix-store".to_owned()).and_modify(|store| {
        store.uses.push(edge("helper", true));
    });
    let found = faults(&metadata);
    assert!(found.iter().any(|fault| fault.starts_with("clisonix-store uses ring")), "{found:?}");
}

#[test]
fn a_crate_without_a_row_is_a_fault() {
    let mut metadata = house_with("clisonix", "clisonix-node", true);
    metadata.packages.insert("clisonix-new".to_owned(), package("clisonix-new", Vec::new()));
    metadata.members.insert("clisonix-new".to_owned());
    assert_eq!(faults(&metadata), ["clisonix-new has no row in the table"]);
}
