//! Conversions between `FHIRPath`'s own types (N1 5.5).

use super::decimal::Decimal;
use super::error::EvaluationError;
use super::evaluation::{Evaluated, single};
use super::function::Function as F;
use super::item::{Collection, Item};
use super::quantity::{Kind, Quantity, Unit};
use super::temporal::{Date, DateTime, Time};

/// The result, if the function is one of these.
pub(super) fn apply<'a>(
    function: F,
    input: &[Item<'a>],
    values: &[Collection<'a>],
) -> Evaluated<Option<Collection<'a>>> {
    let (convert, asks): (fn(&Item<'a>) -> Option<Item<'a>>, bool) = match function {
        F::ToBoolean => (boolean, false),
        F::ConvertsToBoolean => (boolean, true),
        F::ToInteger => (integer, false),
        F::ConvertsToInteger => (integer, true),
        F::ToDecimal => (decimal, false),
        F::ConvertsToDecimal => (decimal, true),
        F::ToDate => (date, false),
        F::ConvertsToDate => (date, true),
        F::ToDateTime => (date_time, false),
        F::ConvertsToDateTime => (date_time, true),
        F::ToTime => (time, false),
        F::ConvertsToTime => (time, true),
        F::ToString => (string, false),
        F::ConvertsToString => (string, true),
        F::ToQuantity => (quantity, false),
        F::ConvertsToQuantity => (quantity, true),
        _ => return Ok(None),
    };
    let Some(item) = single(function.name(), input)? else { return Ok(Some(Vec::new())) };
    let mut converted = convert(&item.plain());
    if let Some(unit) = values.first() {
        converted = in_unit(converted, unit)?;
    }
    if asks {
        return Ok(Some(vec![Item::Boolean(converted.is_some())]));
    }
    Ok(Some(converted.into_iter().collect()))
}

fn boolean<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let value = match item {
        Item::Boolean(value) => *value,
        Item::Integer(0) => false,
        Item::Integer(1) => true,
        Item::Decimal(value) if *value == 0.into() => false,
        Item::Decimal(value) if *value == 1.into() => true,
        Item::String(text) => match text.to_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => true,
            "false" | "f" | "no" | "n" | "0" | "0.0" => false,
            _ => return None,
        },
        _ => return None,
    };
    Some(Item::Boolean(value))
}

fn integer<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let value = match item {
        Item::Integer(value) => *value,
        Item::Boolean(value) => i64::from(*value),
        Item::String(text) => text.parse().ok()?,
        _ => return None,
    };
    Some(Item::Integer(value))
}

fn decimal<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let value = match item {
        Item::Decimal(value) => *value,
        Item::Integer(value) => (*value).into(),
        Item::Boolean(value) => i64::from(*value).into(),
        Item::String(text) => Decimal::parse(text).filter(|_| !text.contains(['e', 'E']))?,
        _ => return None,
    };
    Some(Item::Decimal(value))
}

fn date<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    match item {
        Item::Date(date) => Some(Item::Date(*date)),
        Item::DateTime(moment) => Some(Item::Date(moment.date)),
        Item::String(text) => DateTime::parse(text).map(|moment| Item::Date(moment.date)),
        _ => None,
    }
}

fn date_time<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let of_date = |date: Date| DateTime { date, time: None, offset_minutes: None };
    match item {
        Item::DateTime(moment) => Some(Item::DateTime(*moment)),
        Item::Date(date) => Some(Item::DateTime(of_date(*date))),
        Item::String(text) => DateTime::parse(text).map(Item::DateTime),
        _ => None,
    }
}

fn time<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    match item {
        Item::Time(time) => Some(Item::Time(*time)),
        Item::String(text) => Time::parse(text.strip_prefix('T').unwrap_or(text)).map(Item::Time),
        _ => None,
    }
}

fn string<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    item.to_text().map(Item::String)
}

fn quantity<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let of_number = |value: Decimal| Quantity { value, unit: Unit::code("1") };
    let quantity = match item {
        Item::Quantity(quantity) => quantity.clone(),
        Item::Integer(value) => of_number((*value).into()),
        Item::Decimal(value) => of_number(*value),
        Item::Boolean(value) => of_number(i64::from(*value).into()),
        Item::String(text) => Quantity::parse(text)?,
        _ => return None,
    };
    Some(Item::Quantity(quantity))
}

fn in_unit<'a>(converted: Option<Item<'a>>, unit: &[Item<'a>]) -> Evaluated<Option<Item<'a>>> {
    let (Some(Item::Quantity(quantity)), Some(unit)) = (converted, single("toQuantity", unit)?)
    else {
        return Ok(None);
    };
    let Item::String(text) = unit.plain() else {
        return Err(EvaluationError::Operand("toQuantity"));
    };
    let unit = Unit::calendar(&text).unwrap_or_else(|| Unit(Kind::Code(text.as_ref().into())));
    Ok(quantity.in_unit(&unit).map(|value| Item::Quantity(Quantity { value, unit })))
}
