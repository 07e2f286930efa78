//! Expressions, paths and conditions of a row.

use crate::mapping::cursor::Cursor;
use crate::mapping::syntax::{Condition, Expression, Move, Path, Select, Step};
use crate::mapping::{MAX_NESTING, MappingError, Problem};

/// `when CONDITION`, if it comes next.
pub(super) fn when(cursor: &mut Cursor<'_>) -> Result<Option<Condition>, MappingError> {
    if cursor.eat_word("when") { condition(cursor).map(Some) } else { Ok(None) }
}

/// A literal, a variable, a call or a path.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Expression, MappingError> {
    cursor.skip_blanks();
    match cursor.peek() {
        Some('"') => return cursor.quoted().map(Expression::Literal),
        Some('$') => {
            cursor.eat("$");
            return cursor.name("a name").map(Expression::Variable);
        }
        _ => {}
    }
    let mut ahead = cursor.clone();
    if let Ok(function) = ahead.name("a function")
        && ahead.eat("(")
    {
        *cursor = ahead;
        let arguments = nested(cursor, arguments)?;
        return Ok(Expression::Call { function, arguments });
    }
    path(cursor).map(Expression::Path)
}

fn arguments(cursor: &mut Cursor<'_>) -> Result<Vec<Expression>, MappingError> {
    let mut arguments = Vec::new();
    cursor.skip_blanks();
    if cursor.eat(")") {
        return Ok(arguments);
    }
    loop {
        arguments.push(expression(cursor)?);
        cursor.skip_blanks();
        if cursor.eat(")") {
            return Ok(arguments);
        }
        cursor.need(",")?;
    }
}

/// A path of one or more steps; `.` alone is the current node, a path without steps.
pub(super) fn path(cursor: &mut Cursor<'_>) -> Result<Path, MappingError> {
    let mut steps = Vec::new();
    match first_step(cursor)? {
        Some(axis) => steps.push(step(cursor, axis)?),
        None => return Ok(Path::default()),
    }
    while let Some(axis) = next_step(cursor)? {
        steps.push(step(cursor, axis)?);
    }
    Ok(Path { steps })
}

fn first_step(cursor: &mut Cursor<'_>) -> Result<Option<Move>, MappingError> {
    const STEP: &str = "a path, a text in quotes or a function";
    let step = if cursor.eat("..") {
        Move::Around
    } else if cursor.peek() == Some('.') {
        if !cursor.is_digit_next(1) {
            cursor.eat(".");
            return Ok(None);
        }
        cursor.eat(".");
        Move::Part(cursor.number()?)
    } else if cursor.eat("//") {
        Move::Deep(cursor.name("an element's name")?.text)
    } else if cursor.eat("@") {
        Move::Attribute(cursor.name("an attribute's name")?.text)
    } else if cursor.eat("*") {
        Move::Any
    } else {
        Move::Name(cursor.name(STEP)?.text)
    };
    Ok(Some(step))
}

fn next_step(cursor: &mut Cursor<'_>) -> Result<Option<Move>, MappingError> {
    let step = if cursor.eat("//") {
        Move::Deep(cursor.name("an element's name")?.text)
    } else if cursor.eat("/@") || cursor.eat("@") {
        Move::Attribute(cursor.name("an attribute's name")?.text)
    } else if cursor.eat("/..") {
        Move::Around
    } else if cursor.eat("/*") {
        Move::Any
    } else if cursor.eat("/") {
        Move::Name(cursor.name("an element's name")?.text)
    } else if matches!(cursor.peek(), Some('-' | '.')) && cursor.is_digit_next(1) {
        let _ = cursor.eat("-") || cursor.eat(".");
        Move::Part(cursor.number()?)
    } else {
        return Ok(None);
    };
    Ok(Some(step))
}

/// The brackets after a step.
fn step(cursor: &mut Cursor<'_>, axis: Move) -> Result<Step, MappingError> {
    let mut step = Step { axis, filters: Vec::new(), select: Select::Default };
    while cursor.eat("[") {
        cursor.skip_blanks();
        if step.select != Select::Default {
            return Err(cursor.expected("nothing after `[*]` or a number"));
        }
        let mut ahead = cursor.clone();
        if ahead.eat("*") && ahead.need("]").is_ok() {
            *cursor = ahead;
            step.select = Select::All;
            continue;
        }
        if cursor.is_digit_next(0) {
            step.select = Select::Nth(usize::from(cursor.number()? - 1));
        } else {
            step.filters.push(condition(cursor)?);
        }
        cursor.need("]")?;
    }
    Ok(step)
}

/// A condition: `or` of `and` of tests.
pub(super) fn condition(cursor: &mut Cursor<'_>) -> Result<Condition, MappingError> {
    nested(cursor, |cursor| {
        let mut branches = vec![conjunction(cursor)?];
        while cursor.eat_word("or") {
            branches.push(conjunction(cursor)?);
        }
        Ok(single(branches, Condition::Or))
    })
}

fn conjunction(cursor: &mut Cursor<'_>) -> Result<Condition, MappingError> {
    let mut tests = vec![test(cursor)?];
    while cursor.eat_word("and") {
        tests.push(test(cursor)?);
    }
    Ok(single(tests, Condition::And))
}

/// The only condition itself, or all of them together.
fn single(mut all: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => only,
        (last, _) => {
            all.extend(last);
            join(all)
        }
    }
}

fn test(cursor: &mut Cursor<'_>) -> Result<Condition, MappingError> {
    if cursor.eat_word("not") {
        return nested(cursor, test).map(|inner| Condition::Not(Box::new(inner)));
    }
    if cursor.eat("(") {
        let inner = condition(cursor)?;
        cursor.need(")")?;
        return Ok(inner);
    }
    let left = expression(cursor)?;
    cursor.skip_blanks();
    if cursor.eat("!=") {
        Ok(Condition::Equal { left, right: expression(cursor)?, negated: true })
    } else if cursor.eat("=") {
        Ok(Condition::Equal { left, right: expression(cursor)?, negated: false })
    } else if cursor.eat_word("in") {
        Ok(Condition::In { value: left, allowed: literals(cursor)? })
    } else {
        Ok(Condition::Some(left))
    }
}

fn literals(cursor: &mut Cursor<'_>) -> Result<Vec<Expression>, MappingError> {
    cursor.need("(")?;
    let mut texts = Vec::new();
    loop {
        cursor.skip_blanks();
        texts.push(if cursor.eat("$") {
            cursor.name("a name").map(Expression::Variable)?
        } else {
            Expression::Literal(cursor.quoted()?)
        });
        cursor.skip_blanks();
        if cursor.eat(")") {
            return Ok(texts);
        }
        cursor.need(",")?;
    }
}

/// Reads one level deeper, within [`MAX_NESTING`].
fn nested<'a, T>(
    cursor: &mut Cursor<'a>,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, MappingError>,
) -> Result<T, MappingError> {
    if cursor.depth >= MAX_NESTING {
        return Err(cursor.error(Problem::TooDeep));
    }
    cursor.depth += 1;
    let inner = read(cursor);
    cursor.depth -= 1;
    inner
}
