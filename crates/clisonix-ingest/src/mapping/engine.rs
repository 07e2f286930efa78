//! Running a plan over a source.

mod reading;

use std::collections::HashSet;

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};

use super::plan::{
    Block, BlockId, CodeMapId, Condition, Expression, LabelId, Make, Plan, Put, Row, Writer,
};
use super::{MAX_NESTING, MAX_RESOURCES, Made, Source, conversion, target};
use crate::identity::Draft;
use reading::{Datum, Found, Item};

/// Applies every `make` of the plan in order.
pub(super) fn run<S: Source>(plan: &Plan, source: &S) -> Made<S::Node> {
    let mut engine = Engine::new(plan, source);
    for make in &plan.makes {
        engine.make(make, source.root());
    }
    engine.finish()
}

/// The name by which references call the draft of that number.
fn draft_name(index: usize) -> String {
    format!("#{index}")
}

/// Stands for the first resource made under a label until the run ends.
fn forward_name(label: LabelId) -> String {
    format!("#first-of-{label}")
}

fn reference(name: String) -> Value {
    let mut reference = Object::with_capacity(1);
    reference.insert("reference", name);
    Value::Object(reference)
}

/// How far a run had come.
#[derive(Clone, Copy)]
struct Mark {
    used: usize,
    drafts: usize,
    labels: usize,
}

struct Engine<'p, 's, S: Source> {
    plan: &'p Plan,
    source: &'s S,
    /// `None` while a resource is being made.
    drafts: Vec<Option<Draft>>,
    /// The type of each draft.
    types: Vec<&'static str>,
    /// Labels of the drafts, in the order they were begun.
    labelled: Vec<(LabelId, usize)>,
    /// Resources that are being made, innermost last.
    open: Vec<(Option<LabelId>, usize)>,
    variables: Vec<(&'p str, Vec<Item<S::Node>>)>,
    depth: usize,
    used: Vec<S::Node>,
    issues: Vec<Issue>,
    forward: bool,
}

impl<'p, 's, S: Source> Engine<'p, 's, S> {
    fn new(plan: &'p Plan, source: &'s S) -> Self {
        Self {
            plan,
            source,
            drafts: Vec::new(),
            types: Vec::new(),
            labelled: Vec::new(),
            open: Vec::new(),
            variables: Vec::new(),
            depth: 0,
            used: Vec::new(),
            issues: Vec::new(),
            forward: false,
        }
    }

    fn finish(mut self) -> Made<S::Node> {
        if self.forward {
            for draft in self.drafts.iter_mut().flatten() {
                resolve_forward(&mut draft.resource, &self.labelled);
            }
        }
        let mut told = HashSet::new();
        self.issues.retain(|issue| told.insert((issue.path.clone(), issue.message.clone())));
        let drafts = self.drafts.into_iter().flatten().collect();
        Made { drafts, used: self.used, issues: self.issues }
    }

    /// Makes a resource for every node that the path finds.
    fn make(&mut self, make: &'p Make, at: S::Node) {
        for Found { node, mut reads } in self.nodes(at, &make.path, false) {
            let fires = make.when.as_ref().is_none_or(|when| self.holds(when, node, &mut reads));
            if fires && self.resource(make.block, node).is_some() {
                self.used.extend(reads);
            }
        }
    }

    /// Where things stand now, to go back to when what follows comes to nothing.
    fn mark(&self) -> Mark {
        let (used, drafts, labels) = (self.used.len(), self.drafts.len(), self.labelled.len());
        Mark { used, drafts, labels }
    }

    fn back_to(&mut self, mark: Mark) {
        self.used.truncate(mark.used);
        self.drafts.truncate(mark.drafts);
        self.types.truncate(mark.drafts);
        self.labelled.truncate(mark.labels);
    }

    /// Makes a resource as a draft of its own; the answer is its number.
    fn resource(&mut self, block: BlockId, node: S::Node) -> Option<usize> {
        let plan = self.plan.blocks.get(block)?;
        if self.drafts.len() >= MAX_RESOURCES {
            self.limit(node, "the message makes more resources than the limit");
            return None;
        }
        let mark = self.mark();
        let index = mark.drafts;
        self.drafts.push(None);
        self.types.push(plan.resource.unwrap_or_default());
        self.open.push((plan.label, index));
        self.labelled.extend(plan.label.map(|label| (label, index)));
        let resource = self.block(plan, node);
        self.open.pop();
        let Some(resource) = resource.map(Value::Object) else {
            self.back_to(mark);
            return None;
        };
        let place = self.source.address(node);
        let faults = self.source.faults(&resource);
        if !faults.is_empty() {
            self.back_to(mark);
            self.issues.extend(faults.into_iter().map(|fault| {
                let message = format!("not taken over: {} at {}", fault.message, fault.path);
                Issue { message, path: place.clone(), ..fault }
            }));
            return None;
        }
        let draft = Draft::new(resource, draft_name(index), place);
        if let Some(slot) = self.drafts.get_mut(index) {
            *slot = Some(draft);
        }
        Some(index)
    }

    /// Makes a block's value; without what it requires, nothing it read counts as used.
    fn block(&mut self, block: &'p Block, node: S::Node) -> Option<Object> {
        if self.depth >= MAX_NESTING {
            self.limit(node, "blocks call each other deeper than the limit");
            return None;
        }
        self.depth += 1;
        let (variables, mark) = (self.variables.len(), self.mark());
        let mut object = Object::new();
        if let Some(name) = block.resource {
            object.insert("resourceType", name);
        }
        for row in &block.rows {
            match row {
                Row::Let { name, value } => {
                    let items = self.items(value, node, false);
                    self.variables.push((name, items));
                }
                Row::Put(put) => self.put(put, node, &mut object),
                Row::Also(make) => self.make(make, node),
                Row::Issue { text, when } => self.issue(text, when.as_ref(), node),
                Row::Implied { .. } => {}
            }
        }
        self.depth -= 1;
        let complete = block.required.iter().all(|any| any.iter().any(|m| object.contains_key(m)));
        let says = complete && (block.constant || self.used.len() > mark.used);
        if says {
            self.imply(block, node);
        } else {
            self.back_to(mark);
        }
        self.variables.truncate(variables);
        says.then_some(object)
    }

    /// Counts as used the leaves that say no more than what the block has made.
    fn imply(&mut self, block: &'p Block, node: S::Node) {
        for row in &block.rows {
            let Row::Implied { paths, when } = row else { continue };
            let found: Vec<_> =
                paths.iter().flat_map(|path| self.nodes(node, path, true)).collect();
            if found.is_empty()
                || when.as_ref().is_some_and(|when| !self.holds(when, node, &mut Vec::new()))
            {
                continue;
            }
            for found in found {
                self.used.extend(found.reads);
                self.source.leaves(found.node, &mut self.used);
            }
        }
    }

    fn issue(&mut self, text: &str, when: Option<&'p Condition>, node: S::Node) {
        if when.is_none_or(|when| self.holds(when, node, &mut Vec::new())) {
            let path = self.source.address(node);
            self.issues.push(Issue::warning(IssueCode::BusinessRule, path, text));
        }
    }

    fn put(&mut self, put: &'p Put, node: S::Node, object: &mut Object) {
        let mut reads = Vec::new();
        if let (Writer::Block(block) | Writer::Reference(block), Expression::Path(path)) =
            (put.writer, &put.value)
        {
            let found = self.nodes(node, path, false);
            if found.is_empty() || !self.applies(put, node, &mut reads) {
                return;
            }
            for mut found in found {
                found.reads.extend_from_slice(&reads);
                self.put_block(put, block, &found, object);
            }
            return;
        }
        // What a function costs is known only when it is called; a path that leads nowhere is cheap.
        if let Expression::Path(_) = put.value {
            let items = self.items(&put.value, node, false);
            if !items.is_empty() && self.applies(put, node, &mut reads) {
                for item in items {
                    self.put_item(put, item, &reads, object);
                }
            }
        } else if self.applies(put, node, &mut reads) {
            for item in self.items(&put.value, node, false) {
                self.put_item(put, item, &reads, object);
            }
        }
    }

    /// Whether the row's condition holds.
    fn applies(&mut self, put: &'p Put, node: S::Node, reads: &mut Vec<S::Node>) -> bool {
        put.when.as_ref().is_none_or(|when| self.holds(when, node, reads))
    }

    fn put_block(
        &mut self,
        put: &'p Put,
        block: BlockId,
        found: &Found<S::Node>,
        object: &mut Object,
    ) {
        let Found { node, reads } = found;
        let node = *node;
        let mark = self.mark();
        if self.source.is_retraction(node) {
            if target::retract(object, &put.target) {
                self.used.push(node);
                self.used.extend_from_slice(reads);
            }
            return;
        }
        let value = if let Writer::Reference(_) = put.writer {
            self.resource(block, node).map(|index| reference(draft_name(index)))
        } else {
            let plan = self.plan;
            let block = plan.blocks.get(block);
            block.and_then(|block| self.block(block, node)).map(Value::Object)
        };
        let Some(value) = value else { return };
        if self.written(put, value, object) {
            self.used.extend_from_slice(reads);
        } else {
            self.back_to(mark);
        }
    }

    /// Writes a value that is ready, unless it refers to what the target may not refer to.
    fn written(&self, put: &Put, value: Value, object: &mut Object) -> bool {
        if !put.allowed.is_empty() {
            let number = value.get("reference").and_then(Value::as_str);
            let number = number.and_then(|name| name.strip_prefix('#')?.parse::<usize>().ok());
            let ty = number.and_then(|number| self.types.get(number));
            let fits = |ty: &str| put.allowed.iter().any(|allowed| allowed.name() == ty);
            if ty.is_some_and(|ty| !fits(ty) && !fits("Resource")) {
                return false;
            }
        }
        if put.target.is_empty() {
            let Value::Object(made) = value else { return false };
            return target::merge(object, made);
        }
        target::put(object, &put.target, value)
    }

    fn put_item(&mut self, put: &Put, item: Item<S::Node>, reads: &[S::Node], object: &mut Object) {
        let written = match item.datum {
            Datum::Retract => target::retract(object, &put.target),
            Datum::Made(value) => self.written(put, value, object),
            Datum::Text(text) => match self.converted(put.writer, &text) {
                Ok(value) => target::put(object, &put.target, value),
                Err(issue) => {
                    let path = item.reads.first().map(|node| self.source.address(*node));
                    self.issues.push(Issue { path: path.unwrap_or_default(), ..issue });
                    false
                }
            },
        };
        if written {
            self.used.extend(item.reads);
            self.used.extend_from_slice(reads);
        }
    }

    fn converted(&self, writer: Writer, text: &str) -> Result<Value, Issue> {
        let answer = |map: CodeMapId| {
            let map = self.plan.codemaps.get(map);
            let answer = map.and_then(|map| Some((map, map.answer(text.trim())?)));
            answer.ok_or_else(|| Issue::warning(IssueCode::CodeInvalid, "", "no code map entry"))
        };
        let primitive = |ty: &str, text: &str| {
            conversion::primitive(ty, text, self.source.zone_minutes()).ok_or_else(|| {
                Issue::warning(IssueCode::Value, "", format!("the text has not the form of {ty}"))
            })
        };
        let coding = |map| {
            answer(map).map(|(map, (code, display))| {
                let mut coding = Object::with_capacity(3);
                if let Some(system) = &map.system {
                    coding.insert("system", system.as_str());
                }
                coding.insert("code", code);
                if let Some(display) = display {
                    coding.insert("display", display);
                }
                Value::Object(coding)
            })
        };
        match writer {
            Writer::Primitive(ty) => primitive(ty, text),
            Writer::MappedPrimitive(map, ty) => primitive(ty, &answer(map)?.1.0),
            Writer::Coding(map) => coding(map),
            Writer::Concept(map) => {
                let mut concept = Object::with_capacity(1);
                concept.insert("coding", vec![coding(map)?]);
                Ok(Value::Object(concept))
            }
            Writer::Block(_) | Writer::Reference(_) | Writer::Made => {
                Err(Issue::warning(IssueCode::Processing, "", "a text where a value is needed"))
            }
        }
    }

    /// The reference that `ref(LABEL)` means here.
    fn reference_to(&mut self, label: LabelId) -> Value {
        let around = self.open.iter().rev().skip(1).find(|open| open.0 == Some(label));
        let current = self.open.last().map(|open| open.1);
        let before = || {
            let made = self.labelled.iter().rev();
            made.filter(|made| Some(made.1) != current).find(|made| made.0 == label)
        };
        let found = around.map(|open| open.1).or_else(|| before().map(|made| made.1));
        if let Some(index) = found {
            return reference(draft_name(index));
        }
        self.forward = true;
        reference(forward_name(label))
    }

    fn limit(&mut self, node: S::Node, message: &str) {
        let path = self.source.address(node);
        self.issues.push(Issue::error(IssueCode::TooCostly, path, message));
    }
}

/// Turns forward references into names of drafts, and takes away those that nothing answers.
fn resolve_forward(value: &mut Value, labelled: &[(LabelId, usize)]) {
    match value {
        Value::Array(list) => {
            for inner in list.iter_mut() {
                resolve_forward(inner, labelled);
            }
            list.retain(|inner| !is_empty_object(inner));
        }
        Value::Object(object) => {
            object.iter_mut().for_each(|(_, inner)| resolve_forward(inner, labelled));
            object.retain(|_, inner| !is_empty_object(inner));
            let label = object.get("reference").and_then(Value::as_str);
            let label = label.and_then(|name| name.strip_prefix("#first-of-")?.parse().ok());
            let Some(label) = label else { return };
            match labelled.iter().find(|made| made.0 == label) {
                Some((_, index)) => drop(object.insert("reference", draft_name(*index))),
                None => drop(object.remove("reference")),
            }
        }
        _ => {}
    }
}

fn is_empty_object(value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
