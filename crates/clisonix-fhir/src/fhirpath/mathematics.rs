//! Mathematical functions (N1 5.7) and the boundaries of what is told imprecisely.
//!
//! Roots, powers, exponentials and logarithms are irrational as a rule; they are computed in
//! floating point and given with 15 digits. All others are exact.

use super::boundary;
use super::comparison::number;
use super::decimal::{Decimal, MAX_SCALE, Rounding};
use super::error::EvaluationError;
use super::evaluation::{Evaluated, single};
use super::function::Function as F;
use super::item::{Collection, Item};
use super::quantity::Quantity;

/// The result, if the function is one of these.
pub(super) fn apply<'a>(
    function: F,
    input: &[Item<'a>],
    values: &[Collection<'a>],
) -> Evaluated<Option<Collection<'a>>> {
    if !matches!(
        function,
        F::Abs
            | F::Ceiling
            | F::Floor
            | F::Truncate
            | F::Round
            | F::Exp
            | F::Ln
            | F::Log
            | F::Power
            | F::Sqrt
            | F::LowBoundary
            | F::HighBoundary
            | F::Precision
            | F::Comparable
    ) {
        return Ok(None);
    }
    let Some(item) = single(function.name(), input)? else { return Ok(Some(Vec::new())) };
    let item = item.plain();
    let argument = match values.first() {
        Some(argument) => match single(function.name(), argument)? {
            Some(argument) => Some(argument.plain()),
            None => return Ok(Some(Vec::new())),
        },
        None => None,
    };
    let result = match function {
        F::LowBoundary | F::HighBoundary => {
            let digits = match argument {
                None => None,
                Some(Item::Integer(digits)) => Some(digits),
                Some(_) => return Err(EvaluationError::Operand(function.name())),
            };
            boundary::boundary(&item, digits, function == F::HighBoundary)?
        }
        F::Precision => boundary::precision(&item)?.map(Item::Integer),
        F::Comparable => match (&item, &argument) {
            (Item::Quantity(a), Some(Item::Quantity(b))) => Some(Item::Boolean(a.is_comparable(b))),
            _ => return Err(EvaluationError::Operand(function.name())),
        },
        _ => of_number(function, &item, argument.as_ref())?,
    };
    Ok(Some(result.into_iter().collect()))
}

fn of_number<'a>(
    function: F,
    item: &Item<'a>,
    argument: Option<&Item<'a>>,
) -> Evaluated<Option<Item<'a>>> {
    let wrong = EvaluationError::Operand(function.name());
    if let (F::Abs, Item::Quantity(quantity)) = (function, item) {
        let value = quantity.value.absolute();
        return Ok(Some(Item::Quantity(Quantity { value, unit: quantity.unit.clone() })));
    }
    let value = number(item).ok_or(wrong)?;
    let whole =
        |rounding| value.rounded(0, rounding).and_then(Decimal::as_whole).map(Item::Integer);
    let result = match function {
        F::Abs => match item {
            Item::Integer(value) => value.checked_abs().map(Item::Integer),
            _ => Some(Item::Decimal(value.absolute())),
        },
        F::Ceiling => whole(Rounding::Ceiling),
        F::Floor => whole(Rounding::Floor),
        F::Truncate => whole(Rounding::Truncate),
        F::Round => {
            let scale = match argument {
                None => 0,
                Some(Item::Integer(scale)) => u32::try_from(*scale).map_err(|_| wrong)?,
                Some(_) => return Err(wrong),
            };
            if scale >= value.scale() || scale > MAX_SCALE {
                Some(Item::Decimal(value))
            } else {
                value.rounded(scale, Rounding::Nearest).map(Item::Decimal)
            }
        }
        F::Exp => irrational(value.approximate().exp()),
        F::Ln => irrational(value.approximate().ln()),
        F::Sqrt => irrational(value.approximate().sqrt()),
        F::Log => {
            let base = argument.and_then(number).ok_or(wrong)?;
            irrational(value.approximate().log(base.approximate()))
        }
        _ => power(item, value, argument.and_then(number).ok_or(wrong)?),
    };
    Ok(result)
}

fn irrational<'a>(value: f64) -> Option<Item<'a>> {
    Decimal::from_approximation(value).map(Item::Decimal)
}

/// Exact for a small whole exponent; nothing where there is no real result.
fn power<'a>(item: &Item<'a>, base: Decimal, exponent: Decimal) -> Option<Item<'a>> {
    let whole = exponent.as_whole().and_then(|exponent| u32::try_from(exponent).ok());
    if let (Item::Integer(base), Some(exponent)) = (item, whole) {
        return base.checked_pow(exponent).map(Item::Integer);
    }
    let exact = whole.filter(|exponent| *exponent <= 64).and_then(|exponent| {
        (0..exponent).try_fold(Decimal::from(1), |product, _| product.times(base))
    });
    match exact {
        Some(exact) => Some(Item::Decimal(exact)),
        None => irrational(base.approximate().powf(exponent.approximate())),
    }
}
