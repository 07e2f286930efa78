//! Functions of texts (N1 5.6). Positions count characters, not bytes.

use super::MAX_TEXT_BYTES;
use super::error::EvaluationError;
use super::escapes;
use super::evaluation::{Evaluated, single};
use super::function::Function as F;
use super::item::{Collection, Item};
use super::regex::Regex;

/// The result, if the function is one of these.
pub(super) fn apply<'a>(
    function: F,
    input: &[Item<'a>],
    values: &[Collection<'a>],
    steps: &mut usize,
) -> Evaluated<Option<Collection<'a>>> {
    let name = function.name();
    if function == F::Join {
        return joined(input, values.first()).map(Some);
    }
    if !is_of_texts(function) {
        return Ok(None);
    }
    let Some(text) = text_of(name, input)? else { return Ok(Some(Vec::new())) };
    let mut arguments = Vec::new();
    for value in values {
        match single(name, value)? {
            Some(value) => arguments.push(value.plain()),
            None => return Ok(Some(Vec::new())),
        }
    }
    let result = match (function, arguments.as_slice()) {
        (F::Length, []) => vec![count(text.chars().count())],
        (F::Upper, []) => vec![limited(text.to_uppercase())?],
        (F::Lower, []) => vec![limited(text.to_lowercase())?],
        (F::Trim, []) => vec![limited(text.trim().to_owned())?],
        (F::ToChars, []) => text.chars().map(|char| Item::text(char.to_string())).collect(),
        (F::Substring, [Item::Integer(start)]) => substring(&text, *start, None),
        (F::Substring, [Item::Integer(start), Item::Integer(length)]) => {
            substring(&text, *start, Some(*length))
        }
        (F::Replace, [Item::String(pattern), Item::String(with)]) => {
            check_growth(&text, pattern, with)?;
            vec![limited(text.replace(&**pattern, with))?]
        }
        (F::ReplaceMatches, [Item::String(pattern), Item::String(with)]) => {
            if pattern.is_empty() {
                vec![limited(text)?]
            } else {
                vec![limited(Regex::new(pattern, steps)?.replace_all(&text, with, steps)?)?]
            }
        }
        (_, [Item::String(argument)]) => with_text(function, &text, argument, steps)?,
        _ => return Err(EvaluationError::Operand(name)),
    };
    Ok(Some(result))
}

fn is_of_texts(function: F) -> bool {
    matches!(
        function,
        F::IndexOf
            | F::LastIndexOf
            | F::Substring
            | F::StartsWith
            | F::EndsWith
            | F::Contains
            | F::Upper
            | F::Lower
            | F::Replace
            | F::Matches
            | F::MatchesFull
            | F::ReplaceMatches
            | F::Length
            | F::ToChars
            | F::Encode
            | F::Decode
            | F::Escape
            | F::Unescape
            | F::Trim
            | F::Split
    )
}

/// The functions of a text and one other text.
fn with_text<'a>(
    function: F,
    text: &str,
    argument: &str,
    steps: &mut usize,
) -> Evaluated<Collection<'a>> {
    let position = |at: Option<usize>| {
        let before = at.and_then(|at| text.get(..at)).map(|before| before.chars().count());
        vec![before.map_or(Item::Integer(-1), count)]
    };
    let boolean = |value| vec![Item::Boolean(value)];
    let optional = |text: Option<String>| match text {
        Some(text) => limited(text).map(|text| vec![text]),
        None => Ok(Vec::new()),
    };
    Ok(match function {
        F::IndexOf => position(text.find(argument)),
        F::LastIndexOf => position(text.rfind(argument)),
        F::StartsWith => boolean(text.starts_with(argument)),
        F::EndsWith => boolean(text.ends_with(argument)),
        F::Contains => boolean(text.contains(argument)),
        F::Matches => boolean(Regex::new(argument, steps)?.is_found(text, steps)?),
        F::MatchesFull => boolean(Regex::new(argument, steps)?.is_whole(text, steps)?),
        F::Encode => optional(escapes::encode(text, argument))?,
        F::Decode => optional(escapes::decode(text, argument))?,
        F::Escape => optional(escapes::escape(text, argument))?,
        F::Unescape => optional(escapes::unescape(text, argument))?,
        F::Split if argument.is_empty() => {
            text.chars().map(|char| Item::text(char.to_string())).collect()
        }
        F::Split => text.split(argument).map(|part| Item::text(part.to_owned())).collect(),
        _ => return Err(EvaluationError::Operand(function.name())),
    })
}

/// The only item as a text; nothing if there is none.
fn text_of(name: &'static str, items: &[Item<'_>]) -> Evaluated<Option<String>> {
    match single(name, items)?.map(Item::plain) {
        None => Ok(None),
        Some(Item::String(text)) => Ok(Some(text.into_owned())),
        // A date of FHIR is written as a text, and its own rules take it for one.
        Some(item @ (Item::Date(_) | Item::DateTime(_) | Item::Time(_))) => {
            Ok(item.to_text().map(Into::into))
        }
        Some(_) => Err(EvaluationError::Operand(name)),
    }
}

fn substring<'a>(text: &str, start: i64, length: Option<i64>) -> Collection<'a> {
    let Ok(start) = usize::try_from(start) else { return Vec::new() };
    if start >= text.chars().count() {
        return Vec::new();
    }
    let rest = text.chars().skip(start);
    let part: String = match length {
        Some(length) => rest.take(usize::try_from(length).unwrap_or(0)).collect(),
        None => rest.collect(),
    };
    vec![Item::text(part)]
}

fn joined<'a>(input: &[Item<'a>], separator: Option<&Collection<'a>>) -> Evaluated<Collection<'a>> {
    let separator = match separator {
        Some(separator) => text_of("join", separator)?.unwrap_or_default(),
        None => String::new(),
    };
    let mut out = String::new();
    for item in input.iter().filter(|item| !item.is_valueless()) {
        let text = item.to_text().ok_or(EvaluationError::Operand("join"))?;
        if !out.is_empty() || !std::ptr::eq(item, input.first().unwrap_or(item)) {
            out.push_str(&separator);
        }
        out.push_str(&text);
        if out.len() > MAX_TEXT_BYTES {
            return Err(EvaluationError::TooLong);
        }
    }
    if input.is_empty() { Ok(Vec::new()) } else { Ok(vec![Item::text(out)]) }
}

fn check_growth(text: &str, pattern: &str, with: &str) -> Evaluated<()> {
    let places = if pattern.is_empty() { text.len() + 1 } else { text.len() / pattern.len() };
    if text.len().saturating_add(places.saturating_mul(with.len())) > MAX_TEXT_BYTES {
        return Err(EvaluationError::TooLong);
    }
    Ok(())
}

fn limited<'a>(text: String) -> Evaluated<Item<'a>> {
    if text.len() > MAX_TEXT_BYTES { Err(EvaluationError::TooLong) } else { Ok(Item::text(text)) }
}

fn count<'a>(count: usize) -> Item<'a> {
    Item::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}
