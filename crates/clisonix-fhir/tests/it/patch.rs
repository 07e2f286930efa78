//! The official suites of `FHIRPath` Patch and JSON Patch.

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::patch;
use roxmltree::Node;

use crate::{data, xml};

#[test]
fn every_case_of_fhirpath_patch_passes() {
    let Some(path) = data::path("fhir/tests/patch/fhir-patch-tests.xml") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let suite = roxmltree::Document::parse(&text).unwrap();
    let mut count = 0;
    for case in suite.descendants().filter(|node| node.has_tag_name("case")) {
        count += 1;
        let name = case.attribute("name").unwrap();
        let part = |tag: &str| {
            let holder = case.children().find(|child| child.has_tag_name(tag))?;
            holder.children().find(Node::is_element).map(xml::resource)
        };
        let result = patch::fhirpath(part("input").unwrap(), &part("diff").unwrap());
        match part("output") {
            Some(wanted) => {
                assert_eq!(normal(&result.unwrap()), normal(&wanted), "{name}");
            }
            None => assert!(result.is_err(), "{name}"),
        }
    }
    assert_eq!(count, 33);
}

/// The narrative is given as a text in one place and as XML in the other: entities and white space
/// differ.
fn normal(resource: &Value) -> Value {
    let mut resource = resource.clone();
    if let Some(div) = resource.get_mut("text").and_then(|text| text.get_mut("div")) {
        let text = div.as_str().unwrap().replace("&quot;", "\"");
        *div = text.split_whitespace().collect::<String>().into();
    }
    resource
}

#[test]
fn every_case_of_json_patch_passes() {
    let Some(path) = data::path("fhir/tests/patch/json-patch-tests.json") else { return };
    let cases = json::parse(&std::fs::read(path).unwrap()).unwrap();
    let mut count = 0;
    for case in cases.as_array().unwrap() {
        if case.get("disabled").is_some() {
            continue;
        }
        count += 1;
        let result = patch::json(case.get("doc").unwrap().clone(), case.get("patch").unwrap());
        match case.get("expected") {
            Some(wanted) => assert_eq!(result.as_ref(), Ok(wanted), "{}", case.to_text()),
            None => assert_eq!(result.is_err(), case.get("error").is_some(), "{}", case.to_text()),
        }
    }
    assert!(count > 10, "{count}");
}
