//! The tree of an expression.

use super::decimal::Decimal;
use super::function::Function;
use super::quantity::Quantity;
use super::temporal::{Date, DateTime, Time};

#[derive(Clone, Debug)]
pub(super) enum Term {
    Empty,
    Literal(Literal),
    This,
    Index,
    Total,
    Variable(Box<str>),
    /// A member of the base, or of what the expression is about.
    Member {
        base: Option<Box<Term>>,
        name: Box<str>,
    },
    Call {
        base: Option<Box<Term>>,
        function: Function,
        arguments: Vec<Term>,
    },
    Item {
        base: Box<Term>,
        index: Box<Term>,
    },
    Sign {
        negative: bool,
        operand: Box<Term>,
    },
    Binary {
        operator: Operator,
        left: Box<Term>,
        right: Box<Term>,
    },
    Is {
        operand: Box<Term>,
        ty: TypeName,
    },
    As {
        operand: Box<Term>,
        ty: TypeName,
    },
}

impl Term {
    /// Whether the member is named anywhere, or members are looked at without being named.
    pub(super) fn may_read(&self, member: &str) -> bool {
        let inner = |term: &Term| term.may_read(member);
        match self {
            Self::Member { base, name } => &**name == member || base.as_deref().is_some_and(inner),
            Self::Call { base, function, arguments } => {
                matches!(function, Function::Children | Function::Descendants)
                    || base.as_deref().is_some_and(inner)
                    || arguments.iter().any(inner)
            }
            Self::Item { base: left, index: right } | Self::Binary { left, right, .. } => {
                inner(left) || inner(right)
            }
            Self::Sign { operand, .. } | Self::Is { operand, .. } | Self::As { operand, .. } => {
                inner(operand)
            }
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(Box<str>),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    Quantity(Quantity),
}

/// The name of a type, with its namespace where that is told.
#[derive(Clone, Debug)]
pub(super) struct TypeName {
    pub(super) namespace: Option<Box<str>>,
    pub(super) name: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Plus,
    Minus,
    Concatenate,
    Times,
    Over,
    Div,
    Mod,
}

impl Operator {
    /// N1, grammar: the higher binds the tighter. `is` and `as` stand between `|` and `+`.
    pub(super) fn strength(self) -> u8 {
        match self {
            Self::Implies => 1,
            Self::Or | Self::Xor => 2,
            Self::And => 3,
            Self::In | Self::Contains => 4,
            Self::Equal | Self::Equivalent | Self::NotEqual | Self::NotEquivalent => 5,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 6,
            Self::Union => 7,
            Self::Plus | Self::Minus | Self::Concatenate => 9,
            Self::Times | Self::Over | Self::Div | Self::Mod => 10,
        }
    }
}

/// How tightly `is` and `as` bind.
pub(super) const TYPE_STRENGTH: u8 = 8;
/// How tightly a sign binds.
pub(super) const SIGN_STRENGTH: u8 = 11;
