//! The official `FHIRPath` suite of FHIR R4.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::fhirpath::{self, Context, DateTime, Decimal, Item};
use clisonix_fhir::json::{self, Value};
use roxmltree::Node;

use crate::data;

const SUITE: &str = "fhir/tests/fhirpath-r4/tests-fhir-r4.xml";
const COUNT: usize = 935;

/// The cases that fail, each with the reason. The list may only shrink.
const FAILURES: &str = include_str!("fhirpath-failures.txt");

#[test]
fn the_official_suite_passes_but_for_what_is_listed() {
    let Some(path) = data::path(SUITE) else { return };
    let text = std::fs::read_to_string(&path).unwrap();
    let suite = roxmltree::Document::parse(&text).unwrap();
    let mut inputs = BTreeMap::new();
    for entry in std::fs::read_dir(path.with_file_name("input")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        inputs.insert(name, json::parse(&std::fs::read(&path).unwrap()).unwrap());
    }
    let (mut count, mut failed) = (0, BTreeMap::new());
    for case in suite.descendants().filter(|node| node.has_tag_name("test")) {
        count += 1;
        if let Err(reason) = check(case, &inputs) {
            failed.insert(case.attribute("name").unwrap().to_owned(), reason);
        }
    }
    let listed: BTreeSet<&str> = FAILURES
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(": ").unwrap().0)
        .collect();
    let unlisted: Vec<_> =
        failed.iter().filter(|(name, _)| !listed.contains(name.as_str())).collect();
    assert!(unlisted.is_empty(), "{} fail: {unlisted:#?}", unlisted.len());
    let mended: Vec<_> = listed.iter().filter(|name| !failed.contains_key(**name)).collect();
    assert!(mended.is_empty(), "pass now: {mended:?}");
    assert_eq!(count, COUNT);
    eprintln!("FHIRPath suite: {} of {count} pass", count - failed.len());
}

fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// What is wrong with the result of a case.
fn check(case: Node<'_, '_>, inputs: &BTreeMap<String, Value>) -> Result<(), String> {
    let nothing = json::parse(br#"{"resourceType":"Basic"}"#).unwrap();
    let resource = match case.attribute("inputfile") {
        Some(file) => &inputs[file.rsplit_once('.').unwrap().0],
        None => &nothing,
    };
    let term = case.children().find(|child| child.has_tag_name("expression")).unwrap();
    let invalid = term.attribute("invalid");
    let mut context =
        Context::new(resource).at(DateTime::parse("2026-01-02T03:04:05.678Z").unwrap());
    if case.attribute("mode") == Some("strict") || invalid == Some("semantic") {
        context = context.strict();
    }
    let result = fhirpath::parse(term.text().unwrap_or_default())
        .map_err(|error| error.to_string())
        .and_then(|parsed| parsed.evaluate(&context).map_err(|error| error.to_string()));
    let items = match (result, invalid) {
        (Err(_), Some(_)) => return Ok(()),
        (Err(error), None) => return Err(error),
        (Ok(items), Some(kind)) => return Err(format!("{kind} error expected: {}", show(&items))),
        (Ok(items), None) => items,
    };
    if case.attribute("predicate") == Some("true") {
        let truth = match items.as_slice() {
            [] => false,
            [item] => item.as_bool().unwrap_or(true),
            _ => true,
        };
        let wanted = child(case, "output").and_then(|node| node.text()) == Some("true");
        return if truth == wanted { Ok(()) } else { Err(format!("as a predicate {truth}")) };
    }
    let mut wanted: Vec<_> = case.children().filter(|node| node.has_tag_name("output")).collect();
    let in_order = case.attribute("ordered") != Some("false");
    let fits = items.len() == wanted.len()
        && items.iter().enumerate().all(|(index, item)| {
            if in_order {
                return is_output(item, wanted[index]);
            }
            let found = wanted.iter().position(|output| is_output(item, *output));
            found.map(|found| wanted.remove(found)).is_some()
        });
    if fits { Ok(()) } else { Err(format!("gives {}", show(&items))) }
}

fn is_output(item: &Item<'_>, output: Node<'_, '_>) -> bool {
    let name = item.type_info().name;
    let is_type = output.attribute("type").is_none_or(|ty| ty.eq_ignore_ascii_case(name));
    let wanted = output.text().unwrap_or_default();
    let there = item.to_text().unwrap_or_default();
    let is_value = if let (Item::Decimal(number), Some(wanted)) = (item, Decimal::parse(wanted)) {
        *number == wanted
    } else {
        let plain = wanted.strip_prefix('@').map_or(wanted, |w| w.strip_prefix('T').unwrap_or(w));
        there == wanted || there == plain
    };
    is_type && is_value
}

fn show(items: &[Item<'_>]) -> String {
    let shown: Vec<_> = items
        .iter()
        .map(|item| format!("{}({})", item.type_info().name, item.to_text().unwrap_or_default()))
        .collect();
    format!("[{}]", shown.join(", "))
}
