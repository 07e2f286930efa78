//! Which function does what: existence, filtering, subsetting, combining; the rest is handed on.

use std::cmp::Ordering;

use super::comparison::{distinct, holds, order};
use super::error::EvaluationError;
use super::evaluation::{
    Evaluated, Evaluator, Frame, cost_of_distinct, is_of, of_type, single, truth,
};
use super::function::Function as F;
use super::item::{Collection, Item};
use super::syntax::Term;
use super::{conversion, mathematics, strings};

impl<'a> Evaluator<'_, 'a> {
    pub(super) fn call(
        &mut self,
        base: Option<&Term>,
        function: F,
        arguments: &[Term],
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        if matches!(function, F::First | F::Last | F::Tail | F::Skip | F::Take) {
            self.check_order(base)?;
        }
        let input = match base {
            Some(base) => self.term(base, frame)?,
            None => frame.this.to_vec(),
        };
        self.spend(input.len())?;
        if let Some(result) = self.with_lambda(function, &input, arguments, frame)? {
            return Ok(result);
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            values.push(self.term(argument, frame)?);
        }
        self.with_values(function, input, &values)
    }

    /// The functions whose arguments are evaluated about each item, or not at all.
    fn with_lambda(
        &mut self,
        function: F,
        input: &[Item<'a>],
        arguments: &[Term],
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Option<Collection<'a>>> {
        let first = arguments.first();
        let result = match (function, first) {
            (F::Where, Some(argument)) => self.filtered(input, argument, frame)?,
            (F::Exists, Some(argument)) => {
                vec![Item::Boolean(!self.filtered(input, argument, frame)?.is_empty())]
            }
            (F::All, Some(argument)) => {
                let mut all = true;
                for (index, item) in input.iter().enumerate() {
                    let inner = inner_frame(item, index, frame);
                    if self.criterion(argument, inner)? != Some(true) {
                        all = false;
                        break;
                    }
                }
                vec![Item::Boolean(all)]
            }
            (F::Select, Some(argument)) => {
                let mut out = Vec::new();
                for (index, item) in input.iter().enumerate() {
                    out.extend(self.term(argument, inner_frame(item, index, frame))?);
                    self.spend(1)?;
                }
                out
            }
            (F::Repeat, Some(argument)) => self.repeat(input, argument, frame)?,
            (F::Aggregate, Some(argument)) => {
                let mut total = match arguments.get(1) {
                    Some(start) => self.term(start, frame)?,
                    None => Vec::new(),
                };
                for (index, item) in input.iter().enumerate() {
                    let inner = inner_frame(item, index, frame);
                    total = self.term(argument, Frame { total: Some(&total), ..inner })?;
                }
                total
            }
            (F::Iif, Some(criterion)) => self.iif(input, criterion, arguments, frame)?,
            (F::Sort, _) => self.sorted(input, arguments, frame)?,
            (F::Trace, _) => input.to_vec(),
            (F::OfType, Some(Term::Is { ty, .. })) => of_type(input.to_vec(), ty)?,
            (F::Is, Some(Term::Is { ty, .. })) => is_of(input, ty)?,
            (F::As, Some(Term::Is { ty, .. })) => self.cast(input.to_vec(), ty)?,
            _ => return Ok(None),
        };
        Ok(Some(result))
    }

    fn filtered(
        &mut self,
        input: &[Item<'a>],
        argument: &Term,
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        let mut kept = Vec::new();
        for (index, item) in input.iter().enumerate() {
            if self.criterion(argument, inner_frame(item, index, frame))? == Some(true) {
                kept.push(item.clone());
            }
        }
        Ok(kept)
    }

    fn repeat(
        &mut self,
        input: &[Item<'a>],
        argument: &Term,
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        let mut found: Collection<'a> = Vec::new();
        let mut next = input.to_vec();
        while !next.is_empty() {
            let mut new = Vec::new();
            for (index, item) in next.iter().enumerate() {
                for item in self.term(argument, inner_frame(item, index, frame))? {
                    self.spend(found.len())?;
                    if !holds(&found, &item) {
                        found.push(item.clone());
                        new.push(item);
                    }
                }
            }
            next = new;
        }
        Ok(found)
    }

    fn iif(
        &mut self,
        input: &[Item<'a>],
        criterion: &Term,
        arguments: &[Term],
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        if input.len() > 1 {
            return Err(EvaluationError::NotSingle("iif"));
        }
        let inner = Frame { this: input, ..frame };
        let result = self.term(criterion, inner)?;
        let is_boolean = single("iif", &result)?.is_none_or(|item| item.as_bool().is_some());
        if self.context.strict && !is_boolean {
            return Err(EvaluationError::Operand("iif"));
        }
        let branch = if truth("iif", &result)? == Some(true) { 1 } else { 2 };
        arguments.get(branch).map_or(Ok(Vec::new()), |branch| self.term(branch, inner))
    }

    /// Stable, by one key after the other; `-key` sorts from the highest on; what has no key comes
    /// after all others, and with `-key` before them.
    fn sorted(
        &mut self,
        input: &[Item<'a>],
        arguments: &[Term],
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        let mut rows = Vec::with_capacity(input.len());
        for (index, item) in input.iter().enumerate() {
            let inner = inner_frame(item, index, frame);
            let mut keys = Vec::new();
            for argument in arguments {
                let (term, descending) = match argument {
                    Term::Sign { negative: true, operand } => (&**operand, true),
                    other => (other, false),
                };
                let key = self.term(term, inner)?;
                keys.push((single("sort", &key)?.cloned(), descending));
            }
            if arguments.is_empty() {
                keys.push((Some(item.clone()), false));
            }
            rows.push((keys, item.clone()));
        }
        self.spend(input.len().saturating_mul(input.len().max(2).ilog2() as usize))?;
        let mut fault = None;
        rows.sort_by(|(a, _), (b, _)| {
            let mut orders = a.iter().zip(b).map(|((a, descending), (b, _))| {
                let order = key_order(a.as_ref(), b.as_ref(), &mut fault);
                if *descending { order.reverse() } else { order }
            });
            orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        match fault {
            Some(error) => Err(error),
            None => Ok(rows.into_iter().map(|(_, item)| item).collect()),
        }
    }

    /// The functions whose arguments are evaluated before they are called.
    fn with_values(
        &mut self,
        function: F,
        input: Collection<'a>,
        values: &[Collection<'a>],
    ) -> Evaluated<Collection<'a>> {
        let other = values.first().map(Vec::as_slice).unwrap_or_default();
        match function {
            F::SubsetOf | F::SupersetOf | F::Intersect | F::Exclude | F::Union => {
                self.spend(input.len().saturating_mul(other.len()))?;
            }
            F::Distinct | F::IsDistinct => self.spend(cost_of_distinct(&input))?,
            _ => {}
        }
        let boolean = |value| Ok(vec![Item::Boolean(value)]);
        match function {
            F::Empty => boolean(input.is_empty()),
            F::Exists => boolean(!input.is_empty()),
            F::Not => Ok(truth("not", &input)?.map(|t| Item::Boolean(!t)).into_iter().collect()),
            F::AllTrue => boolean(booleans(&input)?.all(|value| value)),
            F::AnyTrue => boolean(booleans(&input)?.any(|value| value)),
            F::AllFalse => boolean(booleans(&input)?.all(|value| !value)),
            F::AnyFalse => boolean(booleans(&input)?.any(|value| !value)),
            F::SubsetOf => boolean(input.iter().all(|item| holds(other, item))),
            F::SupersetOf => boolean(other.iter().all(|item| holds(&input, item))),
            F::Count => Ok(vec![Item::Integer(i64::try_from(input.len()).unwrap_or(i64::MAX))]),
            F::Distinct => Ok(distinct(input)),
            F::IsDistinct => {
                let len = input.len();
                boolean(distinct(input).len() == len)
            }
            F::Single => match input.len() {
                0 | 1 => Ok(input),
                _ => Err(EvaluationError::NotSingle("single")),
            },
            F::First => Ok(input.into_iter().take(1).collect()),
            F::Last => Ok(input.into_iter().last().into_iter().collect()),
            F::Tail => Ok(input.into_iter().skip(1).collect()),
            F::Skip => Ok(input.into_iter().skip(count_of("skip", other)?).collect()),
            F::Take => Ok(input.into_iter().take(count_of("take", other)?).collect()),
            F::Intersect => {
                Ok(distinct(input.into_iter().filter(|item| holds(other, item)).collect()))
            }
            F::Exclude => Ok(input.into_iter().filter(|item| !holds(other, item)).collect()),
            F::Union => Ok(distinct(input.into_iter().chain(other.iter().cloned()).collect())),
            F::Combine => Ok(input.into_iter().chain(other.iter().cloned()).collect()),
            _ => self.handed_on(function, &input, values),
        }
    }

    fn handed_on(
        &mut self,
        function: F,
        input: &[Item<'a>],
        values: &[Collection<'a>],
    ) -> Evaluated<Collection<'a>> {
        if let Some(result) = conversion::apply(function, input, values)? {
            return Ok(result);
        }
        if let Some(result) = mathematics::apply(function, input, values)? {
            return Ok(result);
        }
        if let Some(result) = strings::apply(function, input, values, &mut self.steps_left)? {
            return Ok(result);
        }
        self.standard(function, input, values)
    }
}

/// What the arguments of a function see about one item.
fn inner_frame<'f, 'a>(item: &'f Item<'a>, index: usize, frame: Frame<'f, 'a>) -> Frame<'f, 'a> {
    Frame { this: std::slice::from_ref(item), index: i64::try_from(index).ok(), total: frame.total }
}

fn key_order(
    a: Option<&Item<'_>>,
    b: Option<&Item<'_>>,
    fault: &mut Option<EvaluationError>,
) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => match order(a, b) {
            Ok(order) => order.unwrap_or(Ordering::Equal),
            Err(error) => {
                *fault = Some(error);
                Ordering::Equal
            }
        },
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

fn booleans<'i>(items: &'i [Item<'_>]) -> Evaluated<impl Iterator<Item = bool> + use<'i>> {
    let values: Option<Vec<bool>> = items.iter().map(Item::as_bool).collect();
    Ok(values.ok_or(EvaluationError::Operand("allTrue"))?.into_iter())
}

/// A number of items; less than none is none.
fn count_of(what: &'static str, items: &[Item<'_>]) -> Evaluated<usize> {
    match single(what, items)?.map(Item::plain) {
        Some(Item::Integer(count)) => Ok(usize::try_from(count).unwrap_or(0)),
        _ => Err(EvaluationError::Operand(what)),
    }
}
