//! Expressions, parsed and evaluated on a sample resource within a small number of steps.

use std::sync::OnceLock;

use clisonix_fhir::fhirpath::{self, Context};
use clisonix_fhir::json::Value;

use super::sample;
use crate::site::Site;

/// Steps of one evaluation; far fewer than the default, so that the fuzzer tries more.
const STEPS: usize = 200_000;

/// The whole input is one expression.
pub(crate) fn run(data: &[u8]) {
    static SAMPLES: OnceLock<Vec<Value>> = OnceLock::new();
    let shown = |site: &Site| {
        let entries = ["Patient/patient-123", "Observation/o1"];
        entries.iter().filter_map(|entry| site.shown(entry)).collect::<Vec<_>>()
    };
    let samples = SAMPLES.get_or_init(|| shown(&sample::site()));
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(expression) = fhirpath::parse(text) else { return };
    for resource in samples {
        let context = Context::new(resource).with_steps(STEPS);
        if let Ok(found) = expression.evaluate(&context) {
            for item in &found {
                let _ = (item.type_info(), item.to_text(), item.as_bool());
            }
        }
        let strict = Context::new(resource).with_steps(STEPS).strict();
        let _ = expression.is_true(&strict);
    }
}
