//! Resources that are not what they should be: nothing panics, and what goes out is valid.

use clisonix_fhir::json::{Number, Object, Value};
use clisonix_fhir::validate::broken_rules;
use clisonix_research::{MAX_DEPTH, Profile, Project, Rules, Scope, Withheld};

use crate::{data, mac};

/// A small generator of numbers, so that a failure can be repeated.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn strange(chance: &mut Chance) -> Value {
    let texts = [
        "",
        "-",
        "\u{0}",
        "2024-02-30",
        "#",
        "Patient/",
        "9999-12-31T23:59:60+14:00",
        "µ",
        "{",
        "10*",
    ];
    match chance.below(8) {
        0 => Value::Null,
        1 => Vec::new().into(),
        2 => Object::new().into(),
        3 => vec![Value::Null, Value::from(vec![Value::from(true)])].into(),
        4 => Number::from_text("-1e999999").unwrap().into(),
        5 => {
            [("extension", Value::Null), ("_x", Value::Null)].into_iter().collect::<Object>().into()
        }
        _ => texts[chance.below(texts.len() as u64) as usize].into(),
    }
}

/// Puts something else in the place of some members, and renames some.
fn mangle(value: &mut Value, chance: &mut Chance) {
    match value {
        Value::Object(object) => {
            let mut made = Object::new();
            for (name, mut member) in std::mem::take(object) {
                let name = match chance.below(60) {
                    0 => format!("_{name}"),
                    1 => name.trim_start_matches('_').to_owned(),
                    _ => name.into(),
                };
                match chance.below(25) {
                    0 if name != "resourceType" => member = strange(chance),
                    _ => mangle(&mut member, chance),
                }
                made.insert(name, member);
            }
            *object = made;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mangle(item, chance)),
        _ => {}
    }
}

#[test]
fn nothing_panics_and_what_goes_out_is_valid() {
    let key = mac::keyed(11);
    let types: Vec<&str> =
        ["Bundle", "Composition", "Provenance", "Questionnaire", "Consent"].to_vec();
    let open = format!("base expert\nresource | {} | release | | a test\n", types.join(" "));
    let all = [
        Rules::built_in(Profile::SafeHarbor),
        Rules::built_in(Profile::Expert),
        Rules::load("open", &open).unwrap(),
    ];
    let examples = data::examples();
    for (seed, rules) in (0_u64..).zip(all) {
        let project = Project::new(rules, &key, 2026);
        for (index, (file, example)) in (0_u64..).zip(&examples) {
            let mut chance = Chance(seed * 1_000 + index);
            let mut mangled = example.clone();
            mangle(&mut mangled, &mut chance);
            let scope = if index % 2 == 0 { Scope::Patient("p") } else { Scope::Shared };
            let released = project.deidentify(scope, &[mangled]).unwrap();
            for resource in &released.resources {
                assert_eq!(broken_rules(resource), [], "{file}, seed {seed}");
            }
        }
    }
}

#[test]
fn deep_and_wide_resources_are_limited() {
    let key = mac::keyed(11);
    let project = Project::new(Rules::safe_harbor(), &key, 2026);
    let mut item: Value = [("linkId", Value::from("1"))].into_iter().collect::<Object>().into();
    for _ in 0..MAX_DEPTH {
        let items = Value::from(vec![item]);
        item = [("linkId", "1".into()), ("item", items)].into_iter().collect::<Object>().into();
    }
    let deep: Object = [
        ("resourceType", Value::from("QuestionnaireResponse")),
        ("status", "completed".into()),
        ("item", vec![item].into()),
    ]
    .into_iter()
    .collect();
    let released = project.deidentify(Scope::Patient("p"), &[deep.into()]).unwrap();
    let withheld: Vec<_> = released.report.withheld().collect();
    assert_eq!(withheld, [("QuestionnaireResponse", Withheld::TooDeep, 1)]);
}
