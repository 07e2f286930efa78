//! What can be wrong with an expression, and with its evaluation.

/// Why a text is no `FHIRPath` expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, in bytes from the beginning.
    pub offset: usize,
}

/// Why a text is no `FHIRPath` expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Longer than [`MAX_EXPRESSION_BYTES`](super::MAX_EXPRESSION_BYTES).
    #[error("the expression is longer than the limit")]
    TooLong,
    /// Nested more deeply than [`MAX_EXPRESSION_DEPTH`](super::MAX_EXPRESSION_DEPTH).
    #[error("the expression is nested more deeply than the limit")]
    TooDeep,
    /// A character that starts nothing.
    #[error("a character that starts nothing")]
    Character,
    /// A string, delimited name or comment without its end.
    #[error("something is not closed")]
    Unclosed,
    /// A backslash before something that it does not stand before.
    #[error("an unknown escape")]
    Escape,
    /// A number that is too long.
    #[error("a number that is too long")]
    Number,
    /// What follows an `@` is no date or time.
    #[error("not a date or time")]
    Temporal,
    /// An operand is missing: the expression ends, or something else stands there.
    #[error("an operand is missing")]
    Operand,
    /// The expression goes on where it should have ended.
    #[error("something stands where an operator could")]
    Operator,
    /// A closing bracket is missing.
    #[error("a closing bracket is missing")]
    Bracket,
    /// No function has this name.
    #[error("no function has this name")]
    Function,
    /// The function takes more or fewer arguments.
    #[error("a wrong number of arguments")]
    Arguments,
    /// A name of a type should stand here.
    #[error("the name of a type is missing")]
    Type,
}

/// Why an expression has no result. Never tells a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// More than one item where one is asked for (N1 4.5).
    #[error("{0}: more than one item where there may be one")]
    NotSingle(&'static str),
    /// An operand or input that the operation does not take.
    #[error("{0}: an operand of a type that it does not take")]
    Operand(&'static str),
    /// Strict evaluation only: no such element stands in the type.
    #[error("a path names an element that its type does not have")]
    Element,
    /// Strict evaluation only: the order of what has no order is asked for.
    #[error("the order of a collection without order is asked for")]
    Order,
    /// No type has this name.
    #[error("no type has this name")]
    Type,
    /// No such variable is set.
    #[error("a variable that is not set")]
    Variable,
    /// `$index` or `$total` where there is none.
    #[error("$index or $total outside of a function that sets it")]
    Outside,
    /// `conformsTo` asks for a profile that is not known.
    #[error("conformsTo: the profile is not known")]
    Profile,
    /// `checkModifiers` finds a modifier extension that it was not told of.
    #[error("checkModifiers: a modifier extension that is not named")]
    Modifier,
    /// `now`, `today` or `timeOfDay` without an instant handed in.
    #[error("the time is asked for, but was not handed in")]
    Now,
    /// A regular expression that cannot be read.
    #[error("a regular expression that cannot be read")]
    Regex,
    /// More than [`MAX_STEPS`](super::MAX_STEPS).
    #[error("the evaluation takes more steps than the limit")]
    TooCostly,
    /// More than [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
    #[error("a text becomes longer than the limit")]
    TooLong,
}
