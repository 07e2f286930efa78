//! The lowest and highest value that something told imprecisely may stand for.
//!
//! The functions came after N1 (`FHIRPath` 3.0, 5.7 `lowBoundary`, `highBoundary`, `precision`); the
//! precision of a date counts its digits: 4 for a year, 6, 8, and 17 for a millisecond.

use super::decimal::{Decimal, Rounding};
use super::error::EvaluationError;
use super::evaluation::Evaluated;
use super::item::Item;
use super::quantity::Quantity;
use super::temporal::{Date, DateTime, Time, days_in};

/// How many digits behind the point a boundary has when none are asked for.
const DEFAULT_SCALE: i64 = 8;
/// The most digits behind the point that can be asked for.
const MAX_BOUNDARY_SCALE: i64 = 28;

const DATE_DIGITS: i64 = 8;
const DATE_TIME_DIGITS: i64 = 17;
const TIME_DIGITS: i64 = 9;

/// The lowest or highest value, told with so many digits; nothing if it cannot be told so.
pub(super) fn boundary<'a>(
    item: &Item<'a>,
    digits: Option<i64>,
    high: bool,
) -> Evaluated<Option<Item<'a>>> {
    Ok(match item {
        Item::Integer(value) => of_decimal((*value).into(), digits, high).map(Item::Decimal),
        Item::Decimal(value) => of_decimal(*value, digits, high).map(Item::Decimal),
        Item::Quantity(quantity) => {
            let unit = quantity.unit.clone();
            of_decimal(quantity.value, digits, high)
                .map(|value| Item::Quantity(Quantity { value, unit }))
        }
        Item::Date(date) => of_date(*date, digits.unwrap_or(DATE_DIGITS), high).map(Item::Date),
        Item::DateTime(moment) => of_date_time(*moment, digits.unwrap_or(DATE_TIME_DIGITS), high),
        Item::Time(time) => of_time(*time, digits.unwrap_or(TIME_DIGITS), high).map(Item::Time),
        _ => return Err(EvaluationError::Operand("boundary")),
    })
}

fn of_decimal(value: Decimal, scale: Option<i64>, high: bool) -> Option<Decimal> {
    let scale = scale.unwrap_or(DEFAULT_SCALE);
    if !(0..=MAX_BOUNDARY_SCALE).contains(&scale) {
        return None;
    }
    let half = value.half_step();
    let (end, rounding) = if high {
        (value.plus(half)?, Rounding::Ceiling)
    } else {
        (value.plus(half.negated())?, Rounding::Floor)
    };
    end.rounded(u32::try_from(scale).ok()?, rounding)
}

fn of_date(date: Date, digits: i64, high: bool) -> Option<Date> {
    let month = date.month.unwrap_or(if high { 12 } else { 1 });
    let day = date.day.unwrap_or(if high { days_in(date.year, month) } else { 1 });
    match digits {
        4 => Some(Date { month: None, day: None, ..date }),
        6 => Some(Date { month: Some(month), day: None, ..date }),
        8 => Some(Date { month: Some(month), day: Some(day), ..date }),
        _ => None,
    }
}

fn of_date_time<'a>(moment: DateTime, digits: i64, high: bool) -> Option<Item<'a>> {
    if digits <= DATE_DIGITS {
        return of_date(moment.date, digits, high).map(Item::Date);
    }
    let empty =
        Time { hour: if high { 23 } else { 0 }, minute: None, second: None, nanos: 0, digits: 0 };
    let time = of_time(moment.time.unwrap_or(empty), digits - DATE_DIGITS, high)?;
    let date = of_date(moment.date, DATE_DIGITS, high)?;
    // The earliest moment is told in the easternmost place.
    let offset = moment.offset_minutes.unwrap_or(if high { -12 * 60 } else { 14 * 60 });
    Some(Item::DateTime(DateTime { date, time: Some(time), offset_minutes: Some(offset) }))
}

fn of_time(time: Time, digits: i64, high: bool) -> Option<Time> {
    let last = if high { 59 } else { 0 };
    let (minute, second) = (Some(time.minute.unwrap_or(last)), Some(time.second.unwrap_or(last)));
    let hour = Time { hour: time.hour, minute: None, second: None, nanos: 0, digits: 0 };
    match digits {
        2 => Some(hour),
        4 => Some(Time { minute, ..hour }),
        6 => Some(Time { minute, second, ..hour }),
        9 => {
            let nanos = if time.digits == 0 && high { 999_000_000 } else { time.nanos };
            Some(Time { minute, second, nanos, digits: 3, ..hour })
        }
        _ => None,
    }
}

/// How precisely the item is told.
pub(super) fn precision(item: &Item<'_>) -> Evaluated<Option<i64>> {
    Ok(Some(match item {
        Item::Integer(_) => 0,
        Item::Decimal(value) => i64::from(value.scale()),
        Item::Quantity(quantity) => i64::from(quantity.value.scale()),
        Item::Date(date) => of_date_digits(*date),
        Item::DateTime(moment) => {
            of_date_digits(moment.date) + moment.time.map_or(0, of_time_digits)
        }
        Item::Time(time) => of_time_digits(*time),
        _ => return Err(EvaluationError::Operand("precision")),
    }))
}

fn of_date_digits(date: Date) -> i64 {
    match (date.month, date.day) {
        (None, _) => 4,
        (_, None) => 6,
        _ => DATE_DIGITS,
    }
}

fn of_time_digits(time: Time) -> i64 {
    match (time.minute, time.second) {
        (None, _) => 2,
        (_, None) => 4,
        _ => 6 + i64::from(time.digits),
    }
}
