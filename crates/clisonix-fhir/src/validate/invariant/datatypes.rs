//! The rules of the datatypes.

use super::{At, Rule, text_of};
use crate::json::Value;
use crate::validate::moment;

const UCUM: &str = "http://unitsofmeasure.org";

pub(super) const RULES: &[Rule] = &[
    Rule {
        key: "age-1",
        at: "Age",
        reads: &["value", "code", "system"],
        message: "an age is positive and has a UCUM code of time",
        holds: |age| is_coded(age) && age.number("value").is_none_or(|value| value > 0.0),
    },
    Rule {
        key: "att-1",
        at: "Attachment",
        reads: &["data", "contentType"],
        message: "data must have a contentType",
        holds: |attachment| !attachment.has("data") || attachment.has("contentType"),
    },
    Rule {
        key: "cnt-3",
        at: "Count",
        reads: &["value", "code", "system"],
        message: "a count is a whole number of the UCUM code 1",
        holds: |count| {
            is_coded(count)
                && (!count.has("code") || count.is("code", &["1"]))
                && count
                    .get("value")
                    .and_then(Value::as_number)
                    .is_none_or(|value| !value.as_str().contains('.'))
        },
    },
    Rule {
        key: "cpt-2",
        at: "ContactPoint",
        reads: &["value", "system"],
        message: "a value must have a system",
        holds: |contact| !contact.has("value") || contact.has("system"),
    },
    Rule {
        key: "dis-1",
        at: "Distance",
        reads: &["value", "code", "system"],
        message: "a distance has a UCUM code of length",
        holds: is_coded,
    },
    Rule {
        key: "drq-1",
        at: "DataRequirement.codeFilter",
        reads: &["path", "searchParam"],
        message: "either a path or a searchParam must be there",
        holds: |filter| filter.has("path") != filter.has("searchParam"),
    },
    Rule {
        key: "drq-2",
        at: "DataRequirement.dateFilter",
        reads: &["path", "searchParam"],
        message: "either a path or a searchParam must be there",
        holds: |filter| filter.has("path") != filter.has("searchParam"),
    },
    Rule {
        key: "drt-1",
        at: "Duration",
        reads: &["value", "code", "system"],
        message: "the code of a duration is of UCUM and has a value",
        holds: |duration| {
            !duration.has("code") || (duration.is("system", &[UCUM]) && duration.has("value"))
        },
    },
    Rule {
        key: "exp-1",
        at: "Expression",
        reads: &["expression", "reference"],
        message: "an expression or a reference must be there",
        holds: |expression| expression.has_any(&["expression", "reference"]),
    },
    Rule {
        key: "ext-1",
        at: "Extension",
        reads: &["extension", "value"],
        message: "an extension has either a value or extensions",
        holds: |extension| extension.has("extension") != extension.has("value"),
    },
    Rule {
        key: "per-1",
        at: "Period",
        reads: &["start", "end"],
        message: "the start is after the end",
        holds: |period| match (period.text("start"), period.text("end")) {
            (Some(start), Some(end)) => moment::in_order(start, end),
            _ => true,
        },
    },
    Rule {
        key: "qty-3",
        at: "Quantity",
        reads: &["code", "system"],
        message: "a code must have a system",
        holds: |quantity| !quantity.has("code") || quantity.has("system"),
    },
    Rule {
        key: "rat-1",
        at: "Ratio",
        reads: &["numerator", "denominator", "extension"],
        message: "a ratio has both numbers, or none and an extension",
        holds: |ratio| {
            ratio.has("numerator") == ratio.has("denominator")
                && ratio.has_any(&["numerator", "extension"])
        },
    },
    Rule {
        key: "rng-2",
        at: "Range",
        reads: &["low", "high"],
        message: "the low end is above the high end",
        holds: |range| match (range.get("low"), range.get("high")) {
            (Some(low), Some(high)) => !is_above(low, high),
            _ => true,
        },
    },
    Rule {
        key: "tim-1",
        at: "Timing.repeat",
        reads: &["duration", "durationUnit"],
        message: "a duration must have a unit",
        holds: |repeat| !repeat.has("duration") || repeat.has("durationUnit"),
    },
    Rule {
        key: "tim-2",
        at: "Timing.repeat",
        reads: &["period", "periodUnit"],
        message: "a period must have a unit",
        holds: |repeat| !repeat.has("period") || repeat.has("periodUnit"),
    },
    Rule {
        key: "tim-4",
        at: "Timing.repeat",
        reads: &["duration"],
        message: "a duration is not negative",
        holds: |repeat| repeat.number("duration").is_none_or(|value| value >= 0.0),
    },
    Rule {
        key: "tim-5",
        at: "Timing.repeat",
        reads: &["period"],
        message: "a period is not negative",
        holds: |repeat| repeat.number("period").is_none_or(|value| value >= 0.0),
    },
    Rule {
        key: "tim-6",
        at: "Timing.repeat",
        reads: &["periodMax", "period"],
        message: "a periodMax must have a period",
        holds: |repeat| !repeat.has("periodMax") || repeat.has("period"),
    },
    Rule {
        key: "tim-7",
        at: "Timing.repeat",
        reads: &["durationMax", "duration"],
        message: "a durationMax must have a duration",
        holds: |repeat| !repeat.has("durationMax") || repeat.has("duration"),
    },
    Rule {
        key: "tim-8",
        at: "Timing.repeat",
        reads: &["countMax", "count"],
        message: "a countMax must have a count",
        holds: |repeat| !repeat.has("countMax") || repeat.has("count"),
    },
    Rule {
        key: "tim-9",
        at: "Timing.repeat",
        reads: &["offset", "when"],
        message: "an offset must have a when, and not one at a meal",
        holds: |repeat| {
            let is_meal = |when: &Value| matches!(when.as_str(), Some("C" | "CM" | "CD" | "CV"));
            !repeat.has("offset")
                || (repeat.has("when") && !repeat.items("when").iter().any(is_meal))
        },
    },
    Rule {
        key: "tim-10",
        at: "Timing.repeat",
        reads: &["timeOfDay", "when"],
        message: "a timeOfDay and a when exclude each other",
        holds: |repeat| !repeat.has("timeOfDay") || !repeat.has("when"),
    },
    Rule {
        key: "trd-1",
        at: "TriggerDefinition",
        reads: &["data", "timing"],
        message: "a timing and data exclude each other",
        holds: |trigger| !trigger.has("data") || !trigger.has("timing"),
    },
    Rule {
        key: "trd-2",
        at: "TriggerDefinition",
        reads: &["condition", "data"],
        message: "a condition must have data",
        holds: |trigger| !trigger.has("condition") || trigger.has("data"),
    },
    Rule {
        key: "trd-3",
        at: "TriggerDefinition",
        reads: &["type", "name", "timing", "data"],
        message: "the type asks for a name, a timing or data",
        holds: |trigger| match trigger.text("type") {
            Some("named-event") => trigger.has("name"),
            Some("periodic") => trigger.has("timing"),
            Some(ty) if ty.starts_with("data-") => trigger.has("data"),
            _ => true,
        },
    },
];

/// A code if there is a value, and no other system than UCUM.
fn is_coded(quantity: &At<'_>) -> bool {
    (quantity.has("code") || !quantity.has("value"))
        && (!quantity.has("system") || quantity.is("system", &[UCUM]))
}

/// Whether two quantities of one unit are in the wrong order. Rounding to floats keeps the order of
/// decimals, so what is greater as a float is greater.
fn is_above(low: &Value, high: &Value) -> bool {
    let is_same = |name| text_of(low, name) == text_of(high, name);
    let is_one_unit = if low.get("code").is_some() || high.get("code").is_some() {
        is_same("system") && is_same("code")
    } else {
        is_same("unit")
    };
    let value = |quantity: &Value| Some(quantity.get("value")?.as_number()?.as_f64());
    is_one_unit && value(low).zip(value(high)).is_some_and(|(low, high)| low > high)
}
