//! Checking what was read: every name must name something, every target must take its value.

mod binding;

use std::collections::HashMap;

use clisonix_fhir::schema::{self, Kind, Scope};

use super::function::{FUNCTIONS, Function};
use super::syntax::{self, At, Files, Name};
use super::{MappingError, Problem, plan};

/// Checks files and binds them to the element table; `own` are the source's own functions.
pub(super) fn check(files: &Files, own: &[&str]) -> Result<plan::Plan, Vec<MappingError>> {
    let mut checker = Checker::new(files, own);
    checker.bind_block_types();
    let mut plan = plan::Plan::default();
    for block in &files.blocks {
        let bound = checker.block(block);
        plan.blocks.push(bound);
    }
    plan.codemaps = files.codemaps.iter().map(plan::CodeMap::new).collect();
    for make in &files.makes {
        plan.makes.extend(checker.make(make));
    }
    if checker.errors.is_empty() { Ok(plan) } else { Err(checker.errors) }
}

/// What a block makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BlockType {
    scope: Scope,
    /// The type's name when it is a resource.
    resource: Option<&'static str>,
}

struct Checker<'a> {
    files: &'a Files,
    own: &'a [&'a str],
    blocks: HashMap<&'a str, usize>,
    codemaps: HashMap<&'a str, usize>,
    constants: HashMap<&'a str, &'a str>,
    labels: Vec<&'a str>,
    variables: Vec<&'a str>,
    block_types: Vec<Option<BlockType>>,
    errors: Vec<MappingError>,
}

impl<'a> Checker<'a> {
    fn new(files: &'a Files, own: &'a [&'a str]) -> Self {
        let numbered = |(index, name): (usize, &'a Name)| (name.text.as_str(), index);
        let rows = files.blocks.iter().flat_map(|block| &block.rows);
        let variables = rows.filter_map(|row| match row {
            syntax::Row::Let { name, .. } => Some(name.text.as_str()),
            _ => None,
        });
        Self {
            files,
            own,
            blocks: files
                .blocks
                .iter()
                .map(|block| &block.name)
                .enumerate()
                .map(numbered)
                .collect(),
            codemaps: files
                .codemaps
                .iter()
                .map(|map| &map.name)
                .enumerate()
                .map(numbered)
                .collect(),
            constants: files
                .constants
                .iter()
                .map(|(name, text)| (name.text.as_str(), text.as_str()))
                .collect(),
            labels: labels(files),
            variables: variables.collect(),
            block_types: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn bind_block_types(&mut self) {
        for block in &self.files.blocks {
            let ty = block_type(&block.ty.text);
            if ty.is_none() {
                let names = schema::TypeId::all().map(schema::TypeId::name);
                self.unknown::<()>("type", &block.ty, names);
            }
            self.block_types.push(ty);
        }
    }

    fn block(&mut self, block: &'a syntax::Block) -> plan::Block {
        let ty = self.blocks.get(block.name.text.as_str()).copied();
        let ty = ty.and_then(|index| self.block_types.get(index).copied().flatten());
        let mut bound = plan::Block {
            resource: ty.and_then(|ty| ty.resource),
            label: block.label.as_ref().and_then(|label| self.label(label)),
            rows: Vec::new(),
            constant: false,
            required: Vec::new(),
        };
        let Some(ty) = ty else { return bound };
        for row in &block.rows {
            if let syntax::Row::Require(members) = row {
                self.members_exist(ty.scope, members);
                bound.required.push(members.iter().map(|name| name.text.clone()).collect());
            } else {
                bound.rows.extend(self.row(&block.ty.text, ty, row));
            }
        }
        bound.constant = bound.rows.iter().all(|row| match row {
            plan::Row::Put(put) => matches!(put.value, plan::Expression::Literal(_)),
            _ => false,
        });
        bound
    }

    /// A row of a block whose type is written `path`; `require` is none of the plan's rows.
    fn row(&mut self, path: &str, ty: BlockType, row: &'a syntax::Row) -> Option<plan::Row> {
        Some(match row {
            syntax::Row::Put(put) => plan::Row::Put(self.put(path, ty, put)?),
            syntax::Row::Let { name, value } => {
                plan::Row::Let { name: name.text.clone(), value: self.expression(value)? }
            }
            syntax::Row::Implied { paths, when, .. } => {
                let paths = paths.iter().map(|path| self.path(path)).collect::<Option<_>>()?;
                plan::Row::Implied { paths, when: self.when(when.as_ref())? }
            }
            syntax::Row::Also { make, .. } => plan::Row::Also(self.make(make)?),
            syntax::Row::Issue { text, when, .. } => {
                plan::Row::Issue { text: text.clone(), when: self.when(when.as_ref())? }
            }
            syntax::Row::Require(_) => return None,
        })
    }

    fn members_exist(&mut self, scope: Scope, members: &[Name]) {
        for name in members.iter().filter(|name| scope.member(&name.text).is_none()) {
            self.unknown::<()>("element", name, element_names(scope));
        }
    }

    fn make(&mut self, make: &'a syntax::Make) -> Option<plan::Make> {
        let block = self.block_named(&make.block)?;
        let ty = self.block_types.get(block).copied().flatten();
        if ty.is_some_and(|ty| ty.resource.is_none()) {
            let reason = "`make` and `also` need a block that makes a resource";
            self.misfit(make.block.at, &make.block.text, "datatype", reason);
        }
        let path = self.path(&make.path)?;
        Some(plan::Make { block, path, when: self.when(make.when.as_ref())? })
    }

    // Outer `None`: a mistake was reported; inner `None`: the row has no condition.
    #[allow(clippy::option_option)]
    fn when(
        &mut self,
        condition: Option<&'a syntax::Condition>,
    ) -> Option<Option<plan::Condition>> {
        condition
            .map(|condition| self.condition(condition))
            .map_or(Some(None), |when| when.map(Some))
    }

    fn condition(&mut self, condition: &'a syntax::Condition) -> Option<plan::Condition> {
        Some(match condition {
            syntax::Condition::Or(all) => plan::Condition::Or(self.conditions(all)?),
            syntax::Condition::And(all) => plan::Condition::And(self.conditions(all)?),
            syntax::Condition::Not(inner) => plan::Condition::Not(Box::new(self.condition(inner)?)),
            syntax::Condition::Some(value) => plan::Condition::Some(self.expression(value)?),
            syntax::Condition::Equal { left, right, negated } => plan::Condition::Equal {
                left: self.expression(left)?,
                right: self.expression(right)?,
                negated: *negated,
            },
            syntax::Condition::In { value, allowed } => {
                let allowed = allowed.iter().map(|allowed| match self.expression(allowed)? {
                    plan::Expression::Literal(text) => Some(text),
                    _ => self.no_constant(allowed),
                });
                let allowed = allowed.collect::<Option<_>>()?;
                plan::Condition::In { value: self.expression(value)?, allowed }
            }
        })
    }

    /// Reports a variable where only a text that is known at once can stand; always `None`.
    fn no_constant<T>(&mut self, expression: &syntax::Expression) -> Option<T> {
        let syntax::Expression::Variable(name) = expression else { return None };
        let known: Vec<&str> = self.constants.keys().copied().collect();
        self.unknown("constant", name, known.into_iter())
    }

    fn conditions(&mut self, all: &'a [syntax::Condition]) -> Option<Vec<plan::Condition>> {
        all.iter().map(|condition| self.condition(condition)).collect()
    }

    fn path(&mut self, path: &'a syntax::Path) -> Option<plan::Path> {
        let steps = path.steps.iter().map(|step| {
            let filters = self.conditions(&step.filters)?;
            Some(plan::Step { axis: step.axis.clone(), filters, select: step.select })
        });
        Some(plan::Path { steps: steps.collect::<Option<_>>()? })
    }

    fn expression(&mut self, expression: &'a syntax::Expression) -> Option<plan::Expression> {
        Some(match expression {
            syntax::Expression::Literal(text) => plan::Expression::Literal(text.clone()),
            syntax::Expression::Path(path) => plan::Expression::Path(self.path(path)?),
            syntax::Expression::Variable(name) => {
                if let Some(text) = self.constants.get(name.text.as_str()) {
                    return Some(plan::Expression::Literal((*text).to_owned()));
                }
                if !self.variables.contains(&name.text.as_str()) {
                    let known = self.variables.iter().chain(self.constants.keys());
                    let known: Vec<&str> = known.copied().collect();
                    return self.unknown("variable", name, known.into_iter());
                }
                plan::Expression::Variable(name.text.clone())
            }
            syntax::Expression::Call { function, arguments } => self.call(function, arguments)?,
        })
    }

    fn call(
        &mut self,
        function: &'a Name,
        arguments: &'a [syntax::Expression],
    ) -> Option<plan::Expression> {
        match (function.text.as_str(), arguments) {
            ("ref", [argument]) => {
                let name = single_name(argument).unwrap_or("");
                let label = Name { text: name.to_owned(), at: function.at };
                return self.label(&label).map(plan::Expression::Ref);
            }
            ("code", [value, map]) => {
                let map = single_name(map).unwrap_or("");
                let map = Name { text: map.to_owned(), at: function.at };
                let map = self.codemap_named(&map)?;
                return Some(plan::Expression::Code(map, Box::new(self.expression(value)?)));
            }
            ("ref", _) => return self.arguments(function, "a label"),
            ("code", _) => return self.arguments(function, "a value and a code map's name"),
            _ => {}
        }
        let bound = arguments.iter().map(|argument| self.expression(argument)).collect::<Vec<_>>();
        let bound: Vec<_> = bound.into_iter().collect::<Option<_>>()?;
        if self.own.contains(&function.text.as_str()) {
            return Some(plan::Expression::Own(function.text.clone(), bound));
        }
        let Some((known, least, most, takes)) = Function::named(&function.text) else {
            let names = FUNCTIONS.iter().map(|row| row.0).chain(["ref", "code"]);
            let names: Vec<_> = names.chain(self.own.iter().copied()).collect();
            return self.unknown("function", function, names.into_iter());
        };
        if !(least..=most).contains(&bound.len()) {
            return self.arguments(function, takes);
        }
        Some(plan::Expression::Call(known, bound))
    }

    fn arguments<T>(&mut self, function: &Name, takes: &'static str) -> Option<T> {
        let problem = Problem::Arguments { name: function.text.clone(), takes };
        self.error(function.at, problem);
        None
    }

    fn label(&mut self, name: &Name) -> Option<usize> {
        let found = self.labels.iter().position(|label| *label == name.text);
        found.or_else(|| {
            let known = self.labels.clone();
            self.unknown("label", name, known.into_iter())
        })
    }

    fn block_named(&mut self, name: &Name) -> Option<usize> {
        let found = self.blocks.get(name.text.as_str()).copied();
        found.or_else(|| {
            let known: Vec<_> = self.blocks.keys().copied().collect();
            self.unknown("block", name, known.into_iter())
        })
    }

    fn codemap_named(&mut self, name: &Name) -> Option<usize> {
        let found = self.codemaps.get(name.text.as_str()).copied();
        found.or_else(|| {
            let known: Vec<_> = self.codemaps.keys().copied().collect();
            self.unknown("code map", name, known.into_iter())
        })
    }

    /// Reports an unknown name; always `None`.
    fn unknown<'n, T>(
        &mut self,
        what: &'static str,
        name: &Name,
        known: impl Iterator<Item = &'n str>,
    ) -> Option<T> {
        let nearest = nearest(&name.text, known);
        self.error(name.at, Problem::Unknown { what, name: name.text.clone(), nearest });
        None
    }

    fn misfit(&mut self, at: At, target: &str, ty: &str, reason: &'static str) {
        let problem = Problem::Misfit { target: target.to_owned(), ty: ty.to_owned(), reason };
        self.error(at, problem);
    }

    fn error(&mut self, at: At, problem: Problem) {
        let file = self.files.names.get(at.file).cloned().unwrap_or_default();
        self.errors.push(MappingError { file, line: at.line, column: at.column, problem });
    }
}

fn labels(files: &Files) -> Vec<&str> {
    let mut labels: Vec<&str> = Vec::new();
    for label in files.blocks.iter().filter_map(|block| block.label.as_ref()) {
        if !labels.contains(&label.text.as_str()) {
            labels.push(&label.text);
        }
    }
    labels
}

/// The scope of `Identifier`, `Patient` or `Patient.contact`.
fn block_type(path: &str) -> Option<BlockType> {
    let mut parts = path.split('.');
    let ty = schema::type_named(parts.next()?)?;
    let definition = ty.definition();
    if definition.kind == Kind::Primitive || definition.is_abstract {
        return None;
    }
    let mut scope = Scope::Type(ty);
    let mut resource = (definition.kind == Kind::Resource).then_some(definition.name);
    for part in parts {
        scope = scope.member(part)?.scope().filter(|scope| matches!(scope, Scope::Element(_)))?;
        resource = None;
    }
    Some(BlockType { scope, resource })
}

fn element_names(scope: Scope) -> impl Iterator<Item = &'static str> {
    scope.elements().iter().map(|id| id.element().name)
}

/// The name of a path that is one bare name, as `ref` and `code` take it.
fn single_name(expression: &syntax::Expression) -> Option<&str> {
    let syntax::Expression::Path(path) = expression else { return None };
    match path.steps.as_slice() {
        [syntax::Step { axis: syntax::Move::Name(name), filters, .. }] if filters.is_empty() => {
            Some(name)
        }
        _ => None,
    }
}

/// The known name with the fewest changes of letters, if they are few for its length.
fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let near = known.map(|known| (changes(name, known), known)).min()?;
    (near.0 <= (name.chars().count() / 3).max(1)).then(|| near.1.to_owned())
}

/// The Levenshtein distance without regard to case.
fn changes(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.to_lowercase().chars().enumerate() {
        let mut next = vec![index + 1];
        for ((other, above), diagonal) in right.iter().zip(row.iter().skip(1)).zip(&row) {
            let before = next.last().copied().unwrap_or_default();
            let changed = diagonal + usize::from(*other != letter);
            next.push(changed.min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
