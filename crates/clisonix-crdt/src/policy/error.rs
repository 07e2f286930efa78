//! Why a policy table is refused, with the file and the line of the row.

use thiserror::Error;

/// A row of a policy table that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {kind}")]
pub struct PolicyError {
    /// The table's name, as it was handed in.
    pub file: Box<str>,
    /// Line number from 1.
    pub line: usize,
    /// What is wrong.
    pub kind: PolicyErrorKind,
}

/// What is wrong with a row. Codes and names are words of the table, never data of a patient.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyErrorKind {
    /// The table has more bytes than [`MAX_TABLE_BYTES`](super::MAX_TABLE_BYTES).
    #[error("the table is longer than {} bytes", super::MAX_TABLE_BYTES)]
    TooLong,
    /// The row's first column is no kind of row.
    #[error("unknown kind of row `{0}`")]
    Kind(Box<str>),
    /// The row has not five columns, or the path, the content or the reason is empty.
    #[error("a row is `kind | path | what | rule | reason`; only the rule may be empty")]
    Incomplete,
    /// The row stands in the other part of the table, or before the first `part`.
    #[error("a `{0}` row does not belong in this part of the table")]
    Part(&'static str),
    /// A site's table says where cells are, which is part of the change format.
    #[error("a site may not change cells: `{0}` rows are part of the change format")]
    Cells(&'static str),
    /// There is no such element, type or named default.
    #[error("`{0}` is no element of FHIR R4")]
    Path(Box<str>),
    /// The element has no such member.
    #[error("`{path}` has no member `{name}`")]
    Member {
        /// The element.
        path: Box<str>,
        /// The member.
        name: Box<str>,
    },
    /// A group names members of different objects.
    #[error("`{0}` stands in another scope; a group's members stand in one object")]
    AcrossScopes(Box<str>),
    /// The element is in another group already.
    #[error("`{0}` is in two groups")]
    TwoGroups(Box<str>),
    /// A list in a group is written as a whole, which must be said with `[]`.
    #[error("`{0}` is a list; a group may hold it as a whole only, written `{0}[]`")]
    ListInGroup(Box<str>),
    /// `[]` after what is no list.
    #[error("`{0}` is no list")]
    NoList(Box<str>),
    /// A backbone element that merges member by member cannot be part of a group.
    #[error("`{0}` merges member by member and cannot be in a group")]
    ThingInGroup(Box<str>),
    /// No member of the group can give the cell its address.
    #[error("a group needs a member that is no list")]
    NoLeader,
    /// `whole` for what is one cell anyway.
    #[error("`{0}` does not merge member by member")]
    NotSplit(Box<str>),
    /// The path already has a row of this kind.
    #[error("`{0}` already has such a row")]
    Twice(Box<str>),
    /// One row gives a key, another says that there is none.
    #[error("`{0}` has a `key` row and a `keyless` row")]
    KeyAndKeyless(Box<str>),
    /// A `text` row for what is no string within one cell of its own.
    #[error("`{0}` is no text that can be written letter by letter")]
    NoText(Box<str>),
    /// The element has no codes that can be checked, or not this one.
    #[error("`{code}` is no value of `{path}`")]
    Code {
        /// The element.
        path: Box<str>,
        /// The code.
        code: Box<str>,
    },
    /// A code of the element's required binding is missing.
    #[error("the code `{code}` of `{path}` is missing")]
    MissingCode {
        /// The element.
        path: Box<str>,
        /// The code.
        code: Box<str>,
    },
    /// The life cycle has more states, or names them more often, than can be checked.
    #[error("the life cycle of `{0}` is longer than {max} states", max = super::MAX_STATES)]
    TooManyStates(Box<str>),
    /// A life cycle in which a state comes before itself.
    #[error("the life cycle of `{0}` has a circle")]
    Cycle(Box<str>),
    /// A life cycle that does not say what is shown while states cannot be compared.
    #[error("`{0}` has a life cycle and no `failsafe` row")]
    NoFailsafe(Box<str>),
    /// The fail-safe order shows an earlier state before a later one.
    #[error(
        "`{path}`: `{later}` comes later in the life cycle and must be named before `{earlier}`"
    )]
    Order {
        /// The element.
        path: Box<str>,
        /// The state that must be named first.
        later: Box<str>,
        /// The state that is named first.
        earlier: Box<str>,
    },
    /// The severity is none of `low`, `medium`, `high`.
    #[error("`{0}` is no severity")]
    Severity(Box<str>),
}
