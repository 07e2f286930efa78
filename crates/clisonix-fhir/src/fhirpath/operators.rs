//! The operators (N1 6).

use std::cmp::Ordering;

use super::MAX_TEXT_BYTES;
use super::comparison::{all_equal, all_equivalent, distinct, holds, number, order};
use super::decimal::Decimal;
use super::error::EvaluationError;
use super::evaluation::{Evaluated, single, truth};
use super::item::{Collection, Item};
use super::quantity::Quantity;
use super::syntax::Operator;
use super::temporal::Step;

fn boolean<'a>(value: Option<bool>) -> Collection<'a> {
    value.map(Item::Boolean).into_iter().collect()
}

/// The result of `and`, `or` and `implies` where the left operand is enough.
pub(super) fn decided_by_left(operator: Operator, left: &[Item<'_>]) -> Evaluated<Option<bool>> {
    Ok(match operator {
        Operator::And if truth("and", left)? == Some(false) => Some(false),
        Operator::Or if truth("or", left)? == Some(true) => Some(true),
        Operator::Implies if truth("implies", left)? == Some(false) => Some(true),
        _ => None,
    })
}

pub(super) fn apply<'a>(
    operator: Operator,
    left: Collection<'a>,
    right: Collection<'a>,
) -> Evaluated<Collection<'a>> {
    match operator {
        Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
            Ok(boolean(logic(operator, truth("logic", &left)?, truth("logic", &right)?)))
        }
        Operator::Equal => Ok(boolean(all_equal(&left, &right))),
        Operator::NotEqual => Ok(boolean(all_equal(&left, &right).map(|equal| !equal))),
        Operator::Equivalent => Ok(boolean(Some(all_equivalent(&left, &right)))),
        Operator::NotEquivalent => Ok(boolean(Some(!all_equivalent(&left, &right)))),
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
            Ok(boolean(inequality(operator, &left, &right)?))
        }
        Operator::In => among(&left, &right),
        Operator::Contains => among(&right, &left),
        Operator::Union => {
            let mut all = left;
            all.extend(right);
            Ok(distinct(all))
        }
        Operator::Concatenate => {
            let text = [joinable(&left)?, joinable(&right)?].concat();
            if text.len() > MAX_TEXT_BYTES {
                return Err(EvaluationError::TooLong);
            }
            Ok(vec![Item::text(text)])
        }
        Operator::Plus
        | Operator::Minus
        | Operator::Times
        | Operator::Over
        | Operator::Div
        | Operator::Mod => {
            let operands = single("arithmetic", &left)?.zip(single("arithmetic", &right)?);
            let Some((left, right)) = operands else { return Ok(Vec::new()) };
            let result = arithmetic(operator, &left.plain(), &right.plain())?;
            Ok(result.into_iter().collect())
        }
    }
}

/// N1 6.5: three-valued logic.
fn logic(operator: Operator, left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match operator {
        Operator::And => match (left, right) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Operator::Or => match (left, right) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Operator::Xor => left.zip(right).map(|(left, right)| left != right),
        _ => logic(Operator::Or, left.map(|left| !left), right),
    }
}

fn inequality(
    operator: Operator,
    left: &[Item<'_>],
    right: &[Item<'_>],
) -> Evaluated<Option<bool>> {
    let operands = single("comparison", left)?.zip(single("comparison", right)?);
    let Some((left, right)) = operands else { return Ok(None) };
    Ok(order(left, right)?.map(|order| match operator {
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    }))
}

fn among<'a>(item: &[Item<'a>], items: &[Item<'a>]) -> Evaluated<Collection<'a>> {
    match single("in", item)? {
        None => Ok(Vec::new()),
        Some(item) => Ok(boolean(Some(holds(items, item)))),
    }
}

/// `&` takes nothing for the empty text.
fn joinable(items: &[Item<'_>]) -> Evaluated<String> {
    match single("&", items)? {
        None => Ok(String::new()),
        Some(item) => item.to_text().map(Into::into).ok_or(EvaluationError::Operand("&")),
    }
}

/// `+x` and `-x`.
pub(super) fn signed<'a>(negative: bool, operand: &[Item<'a>]) -> Evaluated<Collection<'a>> {
    let Some(item) = single("sign", operand)? else { return Ok(Vec::new()) };
    let item = item.plain();
    let item = match item {
        Item::Integer(value) if negative => match value.checked_neg() {
            Some(value) => Item::Integer(value),
            None => return Ok(Vec::new()),
        },
        Item::Decimal(value) if negative => Item::Decimal(value.negated()),
        Item::Quantity(Quantity { value, unit }) if negative => {
            Item::Quantity(Quantity { value: value.negated(), unit })
        }
        Item::Integer(_) | Item::Decimal(_) | Item::Quantity(_) => item,
        _ => return Err(EvaluationError::Operand("sign")),
    };
    Ok(vec![item])
}

/// N1 6.6; what would be too large, and a division by zero, give nothing.
fn arithmetic<'a>(
    operator: Operator,
    left: &Item<'a>,
    right: &Item<'a>,
) -> Evaluated<Option<Item<'a>>> {
    if let (Item::Integer(left), Item::Integer(right)) = (left, right)
        && operator != Operator::Over
    {
        return Ok(whole(operator, *left, *right).map(Item::Integer));
    }
    if let Some((left, right)) = number(left).zip(number(right)) {
        return Ok(decimal(operator, left, right));
    }
    match (operator, left, right) {
        (Operator::Plus, Item::String(left), Item::String(right)) => {
            if left.len() + right.len() > MAX_TEXT_BYTES {
                return Err(EvaluationError::TooLong);
            }
            Ok(Some(Item::text(format!("{left}{right}"))))
        }
        (Operator::Plus | Operator::Minus, _, Item::Quantity(amount))
            if matches!(left, Item::Date(_) | Item::DateTime(_) | Item::Time(_)) =>
        {
            moved(left, amount, operator == Operator::Minus)
        }
        _ => {
            let operands = measured(left).zip(measured(right));
            let (left, right) = operands.ok_or(EvaluationError::Operand("arithmetic"))?;
            measure(operator, &left, &right)
        }
    }
}

fn measured(item: &Item<'_>) -> Option<Quantity> {
    match item {
        Item::Quantity(quantity) => Some(quantity.clone()),
        _ => Some(Quantity { value: number(item)?, unit: super::quantity::Unit::code("1") }),
    }
}

fn whole(operator: Operator, left: i64, right: i64) -> Option<i64> {
    match operator {
        Operator::Plus => left.checked_add(right),
        Operator::Minus => left.checked_sub(right),
        Operator::Times => left.checked_mul(right),
        Operator::Div => left.checked_div(right),
        _ => left.checked_rem(right),
    }
}

fn decimal<'a>(operator: Operator, left: Decimal, right: Decimal) -> Option<Item<'a>> {
    Some(match operator {
        Operator::Plus => Item::Decimal(left.plus(right)?),
        Operator::Minus => Item::Decimal(left.plus(right.negated())?),
        Operator::Times => Item::Decimal(left.times(right)?),
        Operator::Over => Item::Decimal(left.over(right)?),
        Operator::Div => Item::Integer(left.whole_over(right)?.as_whole()?),
        _ => Item::Decimal(left.rest_over(right)?),
    })
}

fn measure<'a>(
    operator: Operator,
    left: &Quantity,
    right: &Quantity,
) -> Evaluated<Option<Item<'a>>> {
    let result = match operator {
        Operator::Plus => left.plus(right),
        Operator::Minus => {
            left.plus(&Quantity { value: right.value.negated(), unit: right.unit.clone() })
        }
        Operator::Times => left.times(right),
        Operator::Over => left.over(right),
        _ => return Err(EvaluationError::Operand("arithmetic")),
    };
    Ok(result.map(Item::Quantity))
}

/// N1 6.6.7 and 6.6.8: a date or time and an amount of time.
fn moved<'a>(item: &Item<'a>, amount: &Quantity, back: bool) -> Evaluated<Option<Item<'a>>> {
    let step = amount.unit.step().ok_or(EvaluationError::Operand("date arithmetic"))?;
    let value = if back { amount.value.negated() } else { amount.value };
    let whole = value.whole_over(1.into()).and_then(Decimal::as_whole);
    let Some(whole) = whole else { return Ok(None) };
    // Above seconds the part behind the point does not count.
    let exact = if step <= Step::Second { value } else { whole.into() };
    let length = i64::try_from(step.nanos()).ok().map(Decimal::from);
    let nanos = length.and_then(|length| exact.times(length)?.whole_over(1.into())?.as_whole());
    let nanos = nanos.map(i128::from);
    Ok(match item {
        Item::Date(date) => date.plus(whole, step).map(Item::Date),
        Item::DateTime(moment) => {
            let nanos = if step >= Step::Day { Some(0) } else { nanos };
            nanos.and_then(|nanos| moment.plus(whole, nanos, step)).map(Item::DateTime)
        }
        Item::Time(time) => nanos.and_then(|nanos| time.plus(nanos, step)).map(Item::Time),
        _ => None,
    })
}
