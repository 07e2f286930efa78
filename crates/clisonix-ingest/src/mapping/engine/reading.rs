//! Reading the source: paths, expressions and conditions.

use std::borrow::Cow;

use clisonix_fhir::json::Value;

use super::Engine;
use crate::mapping::function::Function;
use crate::mapping::plan::{Condition, Expression, Path, Step};
use crate::mapping::syntax::{Move, Select};
use crate::mapping::{Argument, Axis, Source, Text, conversion};

/// One value of an expression, and the nodes that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Item<N> {
    pub(super) datum: Datum,
    pub(super) reads: Vec<N>,
}

#[derive(Clone, Debug)]
pub(super) enum Datum {
    Text(String),
    /// The source wants the target deleted.
    Retract,
    /// A value that needs no conversion.
    Made(Value),
}

/// A node that a path leads to, and the nodes whose equality led there.
#[derive(Clone, Debug)]
pub(super) struct Found<N> {
    pub(super) node: N,
    pub(super) reads: Vec<N>,
}

impl<N> Item<N> {
    fn text(&self) -> Option<&str> {
        match &self.datum {
            Datum::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'p, S: Source> Engine<'p, '_, S> {
    /// The nodes of a path. `every` takes every match of a step that does not say which.
    pub(super) fn nodes(
        &mut self,
        from: S::Node,
        path: &'p Path,
        every: bool,
    ) -> Vec<Found<S::Node>> {
        let start = Found { node: from, reads: Vec::new() };
        let Some((first, rest)) = path.steps.split_first() else { return vec![start] };
        let mut nodes = Vec::new();
        self.step(&start, first, every, &mut nodes);
        for step in rest {
            // Most paths lead nowhere in most statements.
            if nodes.is_empty() {
                break;
            }
            let mut next = Vec::new();
            for found in &nodes {
                self.step(found, step, every, &mut next);
            }
            nodes = next;
        }
        nodes
    }

    fn step(
        &mut self,
        from: &Found<S::Node>,
        step: &'p Step,
        every: bool,
        next: &mut Vec<Found<S::Node>>,
    ) {
        let axis = match &step.axis {
            Move::Name(name) => Axis::Name(name),
            Move::Any => Axis::Any,
            Move::Deep(name) => Axis::Deep(name),
            Move::Part(number) => Axis::Part(*number),
            Move::Attribute(name) => Axis::Attribute(name),
            Move::Around => Axis::Around,
        };
        let mut found = Vec::new();
        self.source.find(from.node, axis, &mut found);
        let (skip, take) = match step.select {
            Select::Default if !every => (0, 1),
            Select::Default | Select::All => (0, usize::MAX),
            Select::Nth(index) => (index, 1),
        };
        let mut matching = 0;
        for node in found {
            let mut reads = Vec::new();
            if !step.filters.iter().all(|filter| self.holds(filter, node, &mut reads)) {
                continue;
            }
            matching += 1;
            if matching > skip {
                reads.extend_from_slice(&from.reads);
                next.push(Found { node, reads });
                if matching - skip >= take {
                    break;
                }
            }
        }
    }

    /// The items of an expression.
    pub(super) fn items(
        &mut self,
        expression: &'p Expression,
        at: S::Node,
        every: bool,
    ) -> Vec<Item<S::Node>> {
        match expression {
            Expression::Literal(text) => {
                vec![Item { datum: Datum::Text(text.clone()), reads: Vec::new() }]
            }
            Expression::Variable(name) => {
                let known = self.variables.iter().rev().find(|known| known.0 == name);
                known.map(|known| known.1.clone()).unwrap_or_default()
            }
            Expression::Path(path) => self.path_items(path, at, every),
            Expression::Ref(label) => {
                vec![Item { datum: Datum::Made(self.reference_to(*label)), reads: Vec::new() }]
            }
            Expression::Code(map, value) => {
                let mut items = self.items(value, at, every);
                items.retain_mut(|item| {
                    let map = self.plan.codemaps.get(*map);
                    let code = map.and_then(|map| map.answer(item.text()?.trim()));
                    code.is_some_and(|(code, _)| {
                        item.datum = Datum::Text(code);
                        true
                    })
                });
                items
            }
            Expression::Call(function, arguments) => {
                self.call(*function, arguments, at, every).into_iter().collect()
            }
            Expression::Own(name, arguments) => self.own(name, arguments, at).into_iter().collect(),
        }
    }

    fn path_items(&mut self, path: &'p Path, at: S::Node, every: bool) -> Vec<Item<S::Node>> {
        let nodes = self.nodes(at, path, every);
        let source = self.source;
        let item = |Found { node, mut reads }| {
            let datum = match source.text(node) {
                Text::Nothing => return None,
                Text::Retract => Datum::Retract,
                Text::Value(text) => Datum::Text(Cow::into_owned(text)),
            };
            reads.insert(0, node);
            Some(Item { datum, reads })
        };
        nodes.into_iter().filter_map(item).collect()
    }

    fn call(
        &mut self,
        function: Function,
        arguments: &'p [Expression],
        at: S::Node,
        every: bool,
    ) -> Option<Item<S::Node>> {
        match function {
            Function::First => {
                return arguments.iter().find_map(|argument| {
                    let items = self.items(argument, at, every);
                    items.into_iter().find(|item| !matches!(item.datum, Datum::Retract))
                });
            }
            Function::Join => return self.join(arguments, at),
            Function::Name => return self.name(arguments, at),
            _ => {}
        }
        let (texts, reads) = self.texts(arguments, at, every);
        let datum = if function == Function::Quantity {
            let unit = texts.get(1).and_then(Option::as_deref);
            Datum::Made(conversion::quantity(texts.first()?.as_deref()?, unit)?)
        } else {
            Datum::Text(function.answer(&texts, self.source.zone_minutes())?)
        };
        Some(Item { datum, reads })
    }

    /// The first text of each argument, and what all of them were read from.
    fn texts(
        &mut self,
        arguments: &'p [Expression],
        at: S::Node,
        every: bool,
    ) -> (Vec<Option<String>>, Vec<S::Node>) {
        let mut reads = Vec::new();
        let texts = arguments.iter().map(|argument| {
            let items = self.items(argument, at, every);
            let item = items.into_iter().find(|item| item.text().is_some())?;
            reads.extend_from_slice(&item.reads);
            item.text().map(str::to_owned)
        });
        (texts.collect(), reads)
    }

    fn join(&mut self, arguments: &'p [Expression], at: S::Node) -> Option<Item<S::Node>> {
        let (separator, values) = arguments.split_first()?;
        let separator = self.items(separator, at, false);
        let separator = separator.first().and_then(Item::text).unwrap_or_default().to_owned();
        let mut reads = Vec::new();
        let mut texts = Vec::new();
        for value in values {
            for item in self.items(value, at, false) {
                if let Datum::Text(text) = item.datum {
                    texts.push(text);
                    reads.extend(item.reads);
                }
            }
        }
        (!texts.is_empty()).then(|| Item { datum: Datum::Text(texts.join(&separator)), reads })
    }

    fn name(&mut self, arguments: &'p [Expression], at: S::Node) -> Option<Item<S::Node>> {
        let Some(Expression::Path(path)) = arguments.first() else { return None };
        let Found { node, reads } = self.nodes(at, path, false).into_iter().next()?;
        Some(Item { datum: Datum::Text(self.source.name(node).into_owned()), reads })
    }

    fn own(
        &mut self,
        name: &str,
        arguments: &'p [Expression],
        at: S::Node,
    ) -> Option<Item<S::Node>> {
        let mut reads = Vec::new();
        let mut given = Vec::with_capacity(arguments.len());
        for argument in arguments {
            if let Expression::Path(path) = argument {
                let Found { node, reads: led } = self.nodes(at, path, false).into_iter().next()?;
                let text = match self.source.text(node) {
                    Text::Value(text) => Some(text.into_owned()),
                    Text::Nothing | Text::Retract => None,
                };
                reads.extend(led);
                reads.extend(text.is_some().then_some(node));
                given.push(Argument { text, node: Some(node) });
            } else {
                let items = self.items(argument, at, false);
                let item = items.into_iter().find(|item| item.text().is_some())?;
                given.push(Argument { text: item.text().map(str::to_owned), node: None });
                reads.extend(item.reads);
            }
        }
        let (text, nodes) = self.source.call(name, at, &given)?;
        reads.extend(nodes);
        (!text.is_empty()).then_some(Item { datum: Datum::Text(text), reads })
    }

    /// Whether a condition holds at the node; `reads` takes the nodes that made an equality true.
    pub(super) fn holds(
        &mut self,
        condition: &'p Condition,
        at: S::Node,
        reads: &mut Vec<S::Node>,
    ) -> bool {
        match condition {
            Condition::Or(any) => any.iter().any(|inner| self.holds(inner, at, reads)),
            Condition::And(all) => {
                let mut inner_reads = Vec::new();
                let holds = all.iter().all(|inner| self.holds(inner, at, &mut inner_reads));
                if holds {
                    reads.append(&mut inner_reads);
                }
                holds
            }
            Condition::Not(inner) => !self.holds(inner, at, &mut Vec::new()),
            Condition::Some(Expression::Path(path)) => {
                let source = self.source;
                self.nodes(at, path, true).iter().any(|found| source.is_there(found.node))
            }
            Condition::Some(value) => {
                let items = self.items(value, at, true);
                items.iter().any(|item| !matches!(item.datum, Datum::Retract))
            }
            Condition::Equal { left, right, negated } => {
                let mut equal_reads = Vec::new();
                let equal = if let Expression::Literal(right) = right {
                    self.any_item(left, at, &mut equal_reads, |text| text == right)
                } else {
                    let right = self.items(right, at, true);
                    self.any_item(left, at, &mut equal_reads, |text| {
                        right.iter().any(|item| item.text() == Some(text))
                    })
                };
                if !*negated {
                    reads.append(&mut equal_reads);
                }
                equal != *negated
            }
            Condition::In { value, allowed } => self
                .any_item(value, at, reads, |text| allowed.iter().any(|allowed| allowed == text)),
        }
    }

    fn any_item(
        &mut self,
        value: &'p Expression,
        at: S::Node,
        reads: &mut Vec<S::Node>,
        fits: impl Fn(&str) -> bool,
    ) -> bool {
        let mut fitting = false;
        if let Expression::Path(path) = value {
            let source = self.source;
            for Found { node, reads: led } in self.nodes(at, path, true) {
                if matches!(source.text(node), Text::Value(text) if fits(&text)) {
                    reads.push(node);
                    reads.extend(led);
                    fitting = true;
                }
            }
            return fitting;
        }
        if let Expression::Variable(name) = value {
            let known = self.variables.iter().rev().find(|known| known.0 == name);
            for item in known.into_iter().flat_map(|known| &known.1) {
                if item.text().is_some_and(&fits) {
                    reads.extend_from_slice(&item.reads);
                    fitting = true;
                }
            }
            return fitting;
        }
        for item in self.items(value, at, true) {
            if item.text().is_some_and(&fits) {
                reads.extend(item.reads);
                fitting = true;
            }
        }
        fitting
    }
}
