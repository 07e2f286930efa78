//! Mapping files as read: sections and rows with their places, before they are checked.

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    /// Index of the file among those loaded.
    pub(super) file: usize,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// A name and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) at: At,
}

/// All sections of all files, blocks and code maps already joined by name.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) names: Vec<String>,
    /// Names for texts, known in all blocks.
    pub(super) constants: Vec<(Name, String)>,
    pub(super) blocks: Vec<Block>,
    pub(super) codemaps: Vec<CodeMap>,
    pub(super) makes: Vec<Make>,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) name: Name,
    /// `Patient` or `Patient.contact`.
    pub(super) ty: Name,
    pub(super) label: Option<Name>,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug)]
pub(super) struct CodeMap {
    pub(super) name: Name,
    pub(super) system: Option<String>,
    pub(super) codes: Vec<Code>,
}

#[derive(Clone, Debug)]
pub(super) struct Code {
    /// `None` stands for `*`, anything else.
    pub(super) from: Option<String>,
    /// `None` stands for `*`, the code as it came.
    pub(super) to: Option<String>,
    pub(super) display: Option<String>,
}

#[derive(Debug)]
pub(super) struct Make {
    pub(super) block: Name,
    pub(super) path: Path,
    pub(super) when: Option<Condition>,
}

#[derive(Debug)]
pub(super) enum Row {
    Put(Box<Put>),
    Let { name: Name, value: Expression },
    Require(Vec<Name>),
    Implied { paths: Vec<Path>, when: Option<Condition>, id: Option<String> },
    Also { make: Make, id: Option<String> },
    Issue { text: String, when: Option<Condition>, id: Option<String> },
}

impl Row {
    /// The id by which another file replaces the row.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Put(put) => put.id.as_deref(),
            Self::Implied { id, .. } | Self::Also { id, .. } | Self::Issue { id, .. } => {
                id.as_deref()
            }
            Self::Let { .. } | Self::Require(_) => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Put {
    pub(super) at: At,
    pub(super) value: Expression,
    pub(super) target: Vec<Place>,
    pub(super) writer: Writer,
    pub(super) when: Option<Condition>,
    pub(super) id: Option<String>,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: Name,
    pub(super) pick: Option<Pick>,
}

/// Which element of a list a target means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pick {
    New,
    Last,
    /// Counted from zero.
    Index(usize),
}

#[derive(Debug)]
pub(super) enum Writer {
    Plain,
    Block(Name),
    CodeMap(Name),
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Literal(String),
    Variable(Name),
    Path(Path),
    Call { function: Name, arguments: Vec<Expression> },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) axis: Move,
    pub(super) filters: Vec<Condition>,
    pub(super) select: Select,
}

#[derive(Clone, Debug)]
pub(super) enum Move {
    Name(String),
    Any,
    Deep(String),
    Part(u16),
    Attribute(String),
    Around,
}

/// Which of the nodes that a step found are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Select {
    /// The first; in a condition all.
    Default,
    All,
    /// Counted from zero.
    Nth(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    Or(Vec<Condition>),
    And(Vec<Condition>),
    Not(Box<Condition>),
    Some(Expression),
    Equal {
        left: Expression,
        right: Expression,
        negated: bool,
    },
    /// `allowed` are literals and names of constants.
    In {
        value: Expression,
        allowed: Vec<Expression>,
    },
}
