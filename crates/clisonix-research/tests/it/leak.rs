//! The leak test: planted identifiers do not come out, wherever they were planted.

use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::{Value, parse};
use clisonix_fhir::schema::{Kind, TypeId};
use clisonix_fhir::validate::validate;
use clisonix_research::{Profile, Project, Released, RuleKind, Rules, Scope, ZipPopulation};

use crate::generator::{Fill, Generator};
use crate::plant::{Plants, lines};
use crate::{data, mac};

const YEAR: i16 = 2026;

/// How often each type is generated: choices are taken by turns. Twelve in the slow test.
fn turns() -> usize {
    if std::env::var_os("CLISONIX_LONG_LEAK").is_some() { 12 } else { 3 }
}

fn concrete() -> impl Iterator<Item = TypeId> {
    TypeId::all().filter(|ty| {
        let definition = ty.definition();
        definition.kind == Kind::Resource && !definition.is_abstract
    })
}

fn all_rules() -> Vec<Rules> {
    let mut all = vec![Rules::safe_harbor(), Rules::expert()];
    // The rules for elements must hold in types too that the profiles keep at home.
    for base in [Profile::SafeHarbor, Profile::Expert] {
        let types: Vec<&str> = concrete().map(TypeId::name).collect();
        let open = format!(
            "base {}\nresource | {} | release | | a test\n",
            base.as_str(),
            types.join(" ")
        );
        all.push(Rules::load("open", &open).unwrap());
    }
    all
}

fn release(rules: Rules, resources: &[Value]) -> Released {
    let key = mac::keyed(1);
    let zips = ZipPopulation::load("021,700000\n606,900000").unwrap();
    let project = Project::new(rules, &key, YEAR).with_zip_population(zips);
    project.deidentify(Scope::Patient("patient-123"), resources).unwrap()
}

fn errors(resource: &Value) -> Vec<Issue> {
    validate(resource).into_iter().filter(Issue::is_error).collect()
}

fn assert_clean(plants: &Plants, released: &Released, what: &str) {
    let output = lines(&released.resources);
    let found = plants.hits(&output);
    for (plant, at) in found.iter().take(20) {
        let around = &output[at.saturating_sub(100)..(at + 60).min(output.len())];
        eprintln!("{what}: {plant} in {}", String::from_utf8_lossy(around));
    }
    assert!(found.is_empty(), "{what}: {} leaks", found.len());
    for resource in &released.resources {
        assert_eq!(errors(resource), [], "{what}: {}", resource.resource_type().unwrap());
    }
}

#[test]
fn nothing_planted_in_generated_resources_comes_out() {
    for fill in [Fill::WithoutModifiers, Fill::Everything] {
        let mut generator = Generator::new(fill);
        let patient = r#"{"resourceType":"Patient","id":"known","gender":"female"}"#;
        let mut resources = vec![parse(patient.as_bytes()).unwrap()];
        for turn in 0..turns() {
            for ty in concrete() {
                resources.push(generator.resource(ty, turn, "Patient/known"));
            }
        }
        assert!(generator.plants.all.len() > 10_000, "{}", generator.plants.all.len());
        for rules in all_rules() {
            let name = rules.name();
            let released = release(rules.clone(), &resources);
            eprintln!(
                "{name}: {} plants, {} of {} resources",
                generator.plants.all.len(),
                released.resources.len(),
                resources.len()
            );
            assert_clean(&generator.plants, &released, name);
            if fill == Fill::WithoutModifiers {
                let all = concrete().filter(|&ty| rules.releases(ty)).count();
                let types = released.report.resources().filter(|(_, _, out)| *out > 0).count();
                eprintln!("{name}: {types} types");
                for (ty, why, count) in released.report.withheld() {
                    let why = why.as_text();
                    if !why.contains("not released") {
                        eprintln!("  {ty}: {count} withheld, {why}");
                    }
                }
                assert!(types * 10 >= all * 9, "{name}: only {types} of {all} types went out");
            }
        }
    }
}

/// Puts a plant into every text, number and address of a resource that is no code.
fn plant(value: &mut Value, name: &str, plants: &mut Plants) {
    match value {
        Value::Object(object) => {
            let coded = object.contains_key("system") && object.contains_key("code");
            for (name, member) in &mut *object {
                let kept =
                    matches!(name, "resourceType" | "url" | "reference" | "status" | "gender")
                        || (coded && matches!(name, "system" | "code" | "unit"));
                if !kept {
                    plant(member, name, plants);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| plant(item, name, plants)),
        Value::String(text) if name == "id" => *text = plants.word().into(),
        Value::String(text) => {
            let dated =
                text.len() >= 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
            if dated && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) {
                let time = text[10..].to_owned();
                *text = (plants.date().0 + &time).into();
            } else if text.contains(' ')
                || text.starts_with(|first: char| first.is_ascii_uppercase())
            {
                let planted = format!("{text} {}", plants.text());
                *text = if text.starts_with('<') { text.clone() } else { planted.into() };
            }
        }
        _ => {}
    }
}

#[test]
fn nothing_planted_in_the_official_examples_comes_out() {
    let mut plants = Plants::default();
    let mut resources: Vec<Value> = data::examples().into_iter().map(|(_, value)| value).collect();
    for resource in &mut resources {
        plant(resource, "", &mut plants);
    }
    for rules in all_rules() {
        let name = rules.name();
        let released = release(rules, &resources);
        eprintln!(
            "{name}: {} plants, {} resources out",
            plants.all.len(),
            released.resources.len()
        );
        assert_clean(&plants, &released, name);
    }
}

#[test]
fn nothing_planted_in_synthetic_patients_comes_out() {
    let mut plants = Plants::default();
    let mut patients = data::patients(3);
    for bundle in &mut patients {
        plant(bundle, "", &mut plants);
    }
    for rules in [Rules::safe_harbor(), Rules::expert()] {
        let name = rules.name();
        for bundle in &patients {
            let released = release(rules.clone(), std::slice::from_ref(bundle));
            assert_clean(&plants, &released, name);
        }
    }
}

#[test]
fn a_projects_own_rule_does_leak_and_the_search_sees_it() {
    let mut generator = Generator::new(Fill::WithoutModifiers);
    let patient = TypeId::all().find(|ty| ty.name() == "Patient").unwrap();
    let resources = [generator.resource(patient, 1, "Patient/known")];
    let own = "base safe-harbor\ntype | HumanName | walk | A | a test\n\
               element | HumanName.family | keep | A | a test\n";
    let rules = Rules::load("own", own).unwrap();
    assert!(rules.rows().iter().any(|row| row.kind == RuleKind::Type));
    let released = release(rules, &resources);
    assert_eq!(generator.plants.found_in(&lines(&released.resources)).len(), 1);
}
