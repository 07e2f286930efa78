//! Periods of FHIR: a date counts from its first to its last moment, by UTC.

use clisonix_fhir::json::Value;
use clisonix_ingest::timestamp::{epoch_ms, is_date};

const DAY_MS: i64 = 86_400_000;

/// How a moment stands to a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Within,
    Outside,
    /// The period cannot be read.
    Unclear,
}

/// Where a moment stands, in milliseconds since 1970-01-01T00:00:00Z.
pub(super) fn place(period: Option<&Value>, now_ms: i64) -> Place {
    let Some(period) = period else { return Place::Within };
    let bound = |name| period.get(name).map(|text| text.as_str().and_then(moment));
    let (start, end) = (bound("start"), bound("end"));
    if start == Some(None) || end == Some(None) || period.as_object().is_none() {
        return Place::Unclear;
    }
    let is_begun = start.flatten().is_none_or(|(first, _)| first <= now_ms);
    let is_over = end.flatten().is_some_and(|(_, after)| after <= now_ms);
    if is_begun && !is_over { Place::Within } else { Place::Outside }
}

/// The first millisecond that a date or time covers, and the first after it.
fn moment(text: &str) -> Option<(i64, i64)> {
    if !is_date(text) {
        // A time of day is given to the second; its fraction is within it.
        return epoch_ms(text).map(|at| (at, at + 1_000));
    }
    let start = |text: &str| epoch_ms(&format!("{text}T00:00:00Z"));
    let number = |range| text.get(range).and_then(|part: &str| part.parse::<u32>().ok());
    match text.len() {
        4 => {
            let year = number(0..4)?;
            Some((start(&format!("{text}-01-01"))?, start(&format!("{:04}-01-01", year + 1))?))
        }
        7 => {
            let (year, month) = (number(0..4)?, number(5..7)?);
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            Some((start(&format!("{text}-01"))?, start(&format!("{year:04}-{month:02}-01"))?))
        }
        _ => start(text).map(|first| (first, first + DAY_MS)),
    }
}
