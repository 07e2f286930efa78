//! A checked mapping: names resolved, targets bound to the element table.

use std::collections::HashMap;

use clisonix_fhir::schema::TypeId;

use super::function::Function;
use super::syntax::{Move, Pick, Select};

/// Index of a block.
pub(super) type BlockId = usize;
/// Index of a code map.
pub(super) type CodeMapId = usize;
/// Index of a label.
pub(super) type LabelId = usize;

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) blocks: Vec<Block>,
    pub(super) codemaps: Vec<CodeMap>,
    pub(super) makes: Vec<Make>,
}

#[derive(Debug)]
pub(super) struct Block {
    /// The type's name when the block makes a resource.
    pub(super) resource: Option<&'static str>,
    pub(super) label: Option<LabelId>,
    pub(super) rows: Vec<Row>,
    /// Whether all rows are constants, so that the block needs nothing from the source.
    pub(super) constant: bool,
    /// Each needs one of its members.
    pub(super) required: Vec<Vec<String>>,
}

#[derive(Debug)]
pub(super) struct Make {
    pub(super) block: BlockId,
    pub(super) path: Path,
    pub(super) when: Option<Condition>,
}

#[derive(Debug)]
pub(super) enum Row {
    Put(Put),
    Let { name: String, value: Expression },
    Implied { paths: Vec<Path>, when: Option<Condition> },
    Also(Make),
    Issue { text: String, when: Option<Condition> },
}

#[derive(Debug)]
pub(super) struct Put {
    pub(super) value: Expression,
    /// Empty for the value of the block itself.
    pub(super) target: Vec<Place>,
    pub(super) writer: Writer,
    pub(super) when: Option<Condition>,
    /// The types that a Reference at the target may lead to; empty for any.
    pub(super) allowed: &'static [TypeId],
}

/// One step of a target; `pick` stands exactly where the element is a list.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) pick: Option<Pick>,
    /// The other names of a choice element, of which only one may stand (`valueString`).
    pub(super) rivals: Vec<String>,
}

/// How an item becomes the target's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Writer {
    /// A text of the named primitive type.
    Primitive(&'static str),
    /// A code map's answer as a text of the named primitive type.
    MappedPrimitive(CodeMapId, &'static str),
    /// A code map's answer as a `Coding`.
    Coding(CodeMapId),
    /// A code map's answer as a `CodeableConcept`.
    Concept(CodeMapId),
    /// A block's value in the place.
    Block(BlockId),
    /// A block's resource made beside, and a reference to it.
    Reference(BlockId),
    /// The value that the expression's function made.
    Made,
}

#[derive(Debug)]
pub(super) enum Expression {
    Literal(String),
    Variable(String),
    Path(Path),
    Call(Function, Vec<Expression>),
    Code(CodeMapId, Box<Expression>),
    Ref(LabelId),
    /// A function of the source's own.
    Own(String, Vec<Expression>),
}

#[derive(Debug)]
pub(super) struct Path {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug)]
pub(super) struct Step {
    pub(super) axis: Move,
    pub(super) filters: Vec<Condition>,
    pub(super) select: Select,
}

#[derive(Debug)]
pub(super) enum Condition {
    Or(Vec<Condition>),
    And(Vec<Condition>),
    Not(Box<Condition>),
    Some(Expression),
    Equal { left: Expression, right: Expression, negated: bool },
    In { value: Expression, allowed: Vec<String> },
}

#[derive(Debug, Default)]
pub(super) struct CodeMap {
    pub(super) system: Option<String>,
    codes: HashMap<String, Answer>,
    /// The answer to anything else.
    other: Option<Answer>,
}

#[derive(Debug)]
struct Answer {
    /// `None`: the code as it came.
    to: Option<String>,
    display: Option<String>,
}

impl CodeMap {
    pub(super) fn new(map: &super::syntax::CodeMap) -> Self {
        let mut made = Self { system: map.system.clone(), ..Self::default() };
        for code in &map.codes {
            let answer = Answer { to: code.to.clone(), display: code.display.clone() };
            match &code.from {
                Some(from) => drop(made.codes.insert(from.clone(), answer)),
                None => made.other = Some(answer),
            }
        }
        made
    }

    /// The code and display for a source code.
    pub(super) fn answer(&self, code: &str) -> Option<(String, Option<&str>)> {
        let answer = self.codes.get(code).or(self.other.as_ref())?;
        let to = answer.to.clone().unwrap_or_else(|| code.to_owned());
        Some((to, answer.display.as_deref()))
    }
}
