//! `FHIRPath`: expressions about resources (HL7 `FHIRPath` N1, which is 2.0, with the functions that
//! FHIR R4 2.9.1 adds and some of what came after N1).
//!
//! An expression is parsed once and evaluated as often as wanted, directly on the JSON of a
//! resource with the element table beside it: `value` finds `valueQuantity`, a primitive carries
//! the extensions of its `_` sibling, and `is`, `as` and `ofType` know the types.
//!
//! ```
//! use clisonix_fhir::{fhirpath, json};
//!
//! let patient = json::parse(br#"{"resourceType":"Patient","name":[{"given":["A","B"]}]}"#)?;
//! let given = fhirpath::parse("Patient.name.given.where($this != 'A')")?;
//! let found = given.evaluate(&fhirpath::Context::new(&patient))?;
//! assert_eq!(found.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What differs from other engines, or is not there:
//!
//! * decimals are exact with up to 38 digits, and a result that would need more is empty;
//! * `trace` gives its input and prints nothing; `now` and `today` tell the instant handed in;
//! * of UCUM the units are known that clinical data mostly uses; those with an offset (`Cel`) can
//!   be compared with themselves only;
//! * `conformsTo` knows the standard's own types, `subsumes` only a code and itself;
//!   `elementDefinition` and `slice`, which need profiles, are not there;
//! * regular expressions have no back-references and do not look around.

mod boundary;
mod comparison;
mod context;
mod conversion;
mod decimal;
mod error;
mod escapes;
mod evaluation;
mod function;
mod functions;
mod item;
mod lexer;
mod location;
mod mathematics;
mod operators;
mod parser;
mod quantity;
mod regex;
mod standard;
mod strings;
mod syntax;
mod temporal;
mod unit;

#[cfg(test)]
mod tests;

pub use context::{Context, Membership, Resolver};
pub use decimal::{Decimal, MAX_SCALE};
pub use error::{EvaluationError, ParseError, ParseErrorKind};
pub use item::{Collection, Item, Node, TypeInfo};
pub use location::Step;
pub use quantity::{Quantity, Unit};
pub use regex::{MAX_PATTERN_BYTES, MAX_PROGRAM};
pub use temporal::{Date, DateTime, Time};
pub use unit::MAX_UNIT_BYTES;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 64 * 1024;
/// How deeply an expression may nest; each step of a path and each operator counts.
pub const MAX_EXPRESSION_DEPTH: usize = 200;
/// The most steps of one evaluation: terms, items that pass through, comparisons of two items, steps
/// of regular expressions, and one for each 16 bytes of text that it makes.
pub const MAX_STEPS: usize = 10_000_000;
/// The longest text that an expression may make, in bytes.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// The address of UCUM as a code system.
const UCUM: &str = "http://unitsofmeasure.org";

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Expression(syntax::Term);

/// Reads an expression.
///
/// # Errors
/// Says where and why the text is no expression of `FHIRPath`.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    parser::parse(text).map(Expression)
}

impl Expression {
    /// What the expression gives in a context.
    ///
    /// # Errors
    /// An operand of a wrong type, more than one item where one is asked for, a limit.
    pub fn evaluate<'a>(&self, context: &Context<'a>) -> Result<Collection<'a>, EvaluationError> {
        let frame = evaluation::Frame { this: &context.focus, index: None, total: None };
        evaluation::Evaluator::new(context).term(&self.0, frame)
    }

    /// Whether the expression names the element, or looks at elements without naming them.
    pub(crate) fn may_read(&self, name: &str) -> bool {
        self.0.may_read(name)
    }

    /// Whether the expression is true in a context; `None` if it gives nothing.
    ///
    /// # Errors
    /// As [`Expression::evaluate`]; more than one item too.
    pub fn is_true(&self, context: &Context<'_>) -> Result<Option<bool>, EvaluationError> {
        evaluation::truth("result", &self.evaluate(context)?)
    }
}
