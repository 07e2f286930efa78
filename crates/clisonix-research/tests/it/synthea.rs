//! Synthetic patients: what goes out is valid, refers only to what goes out, and comes fast.

use std::collections::BTreeSet;
use std::time::Instant;

use clisonix_fhir::json::Value;
use clisonix_fhir::reference::references;
use clisonix_fhir::validate::validate;
use clisonix_research::{Project, Report, Rules, Scope};

use crate::{data, mac};

#[test]
fn synthetic_patients_are_released_whole_and_valid() {
    let (shared, patients) = (data::shared(), data::patients(4));
    let key = mac::keyed(5);
    for rules in [Rules::safe_harbor(), Rules::expert()] {
        let name = rules.name();
        let mut project = Project::new(rules, &key, 2026);
        let first = project.deidentify(Scope::Shared, &shared).unwrap();
        project.remember(&first);
        let mut all = first.resources;
        let mut report = first.report;
        let mut spent_s = 0.0;
        for (index, bundle) in patients.iter().enumerate() {
            let start = Instant::now();
            let scope = format!("patient-{index}");
            let made =
                project.deidentify(Scope::Patient(&scope), std::slice::from_ref(bundle)).unwrap();
            spent_s += start.elapsed().as_secs_f64();
            report.merge(&made.report);
            all.extend(made.resources);
        }
        print(name, &report, all.len(), spent_s);
        let ids: BTreeSet<String> = all.iter().filter_map(address).collect();
        let mut count = 0;
        for resource in &all {
            assert_eq!(validate(resource), [], "{name}");
            references(resource, |_, text| {
                count += 1;
                assert!(text.starts_with('#') || ids.contains(text), "{name}: dangling");
            });
        }
        assert!(patients.is_empty() || count > 1_000);
        let stayed =
            report.withheld().filter(|(_, why, _)| why.as_text() != "its type is not released");
        assert_eq!(stayed.collect::<Vec<_>>(), []);
    }
}

fn address(resource: &Value) -> Option<String> {
    let id = resource.get("id").and_then(Value::as_str)?;
    Some(format!("{}/{id}", resource.resource_type()?))
}

fn print(name: &str, report: &Report, out: usize, spent_s: f64) {
    eprintln!("{name}: {out} resources out, {spent_s:.2} s for the patients");
    for (ty, why, count) in report.withheld() {
        eprintln!("  {ty}: {count} withheld, {}", why.as_text());
    }
}

/// Prints how fast it goes; worth reading in a release build only: `CLISONIX_SPEED=1 cargo test
/// --release -p clisonix-research --test it speed -- --nocapture`.
#[test]
fn speed_of_synthetic_patients() {
    if std::env::var_os("CLISONIX_SPEED").is_none() {
        return;
    }
    let (shared, patients) = (data::shared(), data::patients(usize::MAX));
    let key = mac::keyed(5);
    for rules in [Rules::safe_harbor(), Rules::expert()] {
        let name = rules.name();
        let mut project = Project::new(rules, &key, 2026);
        let first = project.deidentify(Scope::Shared, &shared).unwrap();
        project.remember(&first);
        let (start, mut count) = (Instant::now(), 0);
        for bundle in &patients {
            let scope = Scope::Patient("speed");
            let made = project.deidentify(scope, std::slice::from_ref(bundle)).unwrap();
            count += made.report.resources().map(|(_, came, _)| came).sum::<u64>();
        }
        let each_us = start.elapsed().as_micros() / u128::from(count.max(1));
        eprintln!("{name}: {count} resources of {} patients, {each_us} us each", patients.len());
    }
}
