//! The mapping language: text files that say how a source becomes FHIR resources.
//!
//! The language is told in `docs/formats/mapping.md`. [`Mapping::load`] reads and checks the files
//! once; [`Mapping::run`] applies them to anything that is a [`Source`].

mod checker;
mod conversion;
mod cursor;
mod engine;
mod function;
mod parser;
mod plan;
mod syntax;
mod target;

use std::borrow::Cow;

use clisonix_fhir::issue::Issue;
use clisonix_fhir::json::Value;

use crate::identity::Draft;

/// Most bytes of one mapping file.
pub const MAX_MAPPING_BYTES: usize = 4 << 20;
/// Deepest nesting of conditions within a row, and of blocks that call blocks.
pub const MAX_NESTING: usize = 64;
/// Most elements of a list that are asked whether they say a thing already.
pub const MAX_COMPARED: usize = 256;
/// Most resources that one run makes.
pub const MAX_RESOURCES: usize = 100_000;

/// A source that a mapping reads: a tree of named and numbered nodes.
pub trait Source {
    /// A cheap handle of one node.
    type Node: Copy;

    /// Where `make` paths start.
    fn root(&self) -> Self::Node;

    /// Appends the nodes one step away from `from`, in the order of the source.
    fn find(&self, from: Self::Node, axis: Axis<'_>, found: &mut Vec<Self::Node>);

    /// What the node itself says. Of a node with parts (an HL7 v2 field) the first leaf's text.
    fn text(&self, node: Self::Node) -> Text<'_>;

    /// The node's name without prefix, for the function `name`.
    fn name(&self, node: Self::Node) -> Cow<'_, str>;

    /// The node's address for issues; never what it says.
    fn address(&self, node: Self::Node) -> String;

    /// Minutes east of UTC at which a time of day without a zone is read.
    fn zone_minutes(&self) -> i32 {
        0
    }

    /// Whether a path that leads to the node holds as a condition: by default when it has a text.
    fn is_there(&self, node: Self::Node) -> bool {
        matches!(self.text(node), Text::Value(_))
    }

    /// Whether the node says "delete this".
    fn is_retraction(&self, node: Self::Node) -> bool {
        matches!(self.text(node), Text::Retract)
    }

    /// Appends the leaves that are the node's own, for `implied` rows.
    fn leaves(&self, node: Self::Node, found: &mut Vec<Self::Node>) {
        found.push(node);
    }

    /// What is so wrong with a resource that it is not taken over; its leaves stay kept.
    fn faults(&self, resource: &Value) -> Vec<Issue> {
        let _ = resource;
        Vec::new()
    }

    /// One of the functions named to [`Mapping::load`]: the answer and the nodes it came from.
    /// `at` is the node of the block.
    fn call(
        &self,
        function: &str,
        at: Self::Node,
        arguments: &[Argument<Self::Node>],
    ) -> Option<(String, Vec<Self::Node>)> {
        let _ = (function, at, arguments);
        None
    }
}

/// What a row gives to a function of the source's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument<N> {
    /// The first text.
    pub text: Option<String>,
    /// Of a path: the first node.
    pub node: Option<N>,
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis<'a> {
    /// `PID`, `/code`: segments, groups or child elements of the name; a segment asked for its own
    /// name gives itself.
    Name(&'a str),
    /// `*`: all child elements.
    Any,
    /// `//name`: descendants of the name.
    Deep(&'a str),
    /// `-3`, `.4`: all repetitions of a field, or a component or sub-component, counted from one.
    Part(u16),
    /// `@name`: an attribute.
    Attribute(&'a str),
    /// `..`: the node around.
    Around,
}

/// What a node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Nothing.
    Nothing,
    /// "Delete this": HL7 v2 `""`.
    Retract,
    /// A text that is not empty.
    Value(Cow<'a, str>),
}

/// What a run made.
#[derive(Clone, Debug)]
pub struct Made<N> {
    /// The resources, in the order they were begun.
    pub drafts: Vec<Draft>,
    /// The nodes whose text went into the resources; a node may occur more than once.
    pub used: Vec<N>,
    /// Texts that could not be written, and limits met.
    pub issues: Vec<Issue>,
}

/// A checked mapping, ready to run.
#[derive(Debug)]
pub struct Mapping {
    plan: plan::Plan,
}

impl Mapping {
    /// Reads and checks mapping files, given as name and text; later files may add to and replace
    /// rows of earlier ones. `functions` names what the source's [`Source::call`] offers.
    ///
    /// # Errors
    /// All mistakes found, each with its place.
    pub fn load(files: &[(&str, &str)], functions: &[&str]) -> Result<Self, Vec<MappingError>> {
        let syntax = parser::parse_files(files)?;
        let plan = checker::check(&syntax, functions)?;
        Ok(Self { plan })
    }

    /// Applies the mapping to a source.
    pub fn run<S: Source>(&self, source: &S) -> Made<S::Node> {
        engine::run(&self.plan, source)
    }
}

/// A mistake in a mapping file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct MappingError {
    /// The file's name.
    pub file: String,
    /// Line, from one.
    pub line: u32,
    /// Column in characters, from one.
    pub column: u32,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong in a mapping file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text does not follow the grammar.
    #[error("expected {expected}")]
    Expected {
        /// What could stand here.
        expected: &'static str,
    },
    /// A name that nothing bears.
    #[error("unknown {what} `{name}`{}", suggestion(nearest.as_deref()))]
    Unknown {
        /// What the name should name: a block, an element, a function, ...
        what: &'static str,
        /// The name.
        name: String,
        /// The most similar name there is.
        nearest: Option<String>,
    },
    /// A name given twice in one file.
    #[error("the {what} `{name}` is there already")]
    Twice {
        /// What bears the name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The target's type cannot take what the row gives.
    #[error("`{target}` is a {ty}: {reason}")]
    Misfit {
        /// The target as written.
        target: String,
        /// Its FHIR type.
        ty: String,
        /// What it would take.
        reason: &'static str,
    },
    /// A list without `[+]`, `[=]` or `[n]`, or one of them where there is no list.
    #[error("`{element}` {}", if *.list { "is a list: say `[+]`, `[=]` or `[n]`" } else { "is no list" })]
    Listness {
        /// The element.
        element: String,
        /// Whether it is a list.
        list: bool,
    },
    /// A function with too few or too many arguments.
    #[error("`{name}` takes {takes}")]
    Arguments {
        /// The function.
        name: String,
        /// What it takes.
        takes: &'static str,
    },
    /// Conditions nested deeper than [`MAX_NESTING`].
    #[error("nested too deep")]
    TooDeep,
    /// A file larger than [`MAX_MAPPING_BYTES`].
    #[error("the file is too large")]
    TooLarge,
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(", did you mean `{nearest}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
