//! Running a plan over a source.

mod reading;

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_fhir::json::{Object, Value};

use super::plan::{Block, BlockId, CodeMapId, Expression, LabelId, Plan, Put, Row, Writer};
use super::{MAX_NESTING, MAX_RESOURCES, Made, Source, conversion, target};
use crate::identity::Draft;
use reading::{Datum, Item};

/// Applies every `make` of the plan in order.
pub(super) fn run<S: Source>(plan: &Plan, source: &S) -> Made<S::Node> {
    let mut engine = Engine::new(plan, source);
    for make in &plan.makes {
        let mut reads = Vec::new();
        let nodes = engine.nodes(source.root(), &make.path, false, &mut reads);
        for node in nodes {
            let mut reads = reads.clone();
            let fires = make.when.as_ref().is_none_or(|when| engine.holds(when, node, &mut reads));
            if fires && engine.resource(make.block, node).is_some() {
                engine.used.extend(reads);
            }
        }
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

struct Engine<'p, 's, S: Source> {
    plan: &'p Plan,
    source: &'s S,
    /// `None` while a resource is being made.
    drafts: Vec<Option<Draft>>,
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
        let drafts = self.drafts.into_iter().flatten().collect();
        Made { drafts, used: self.used, issues: self.issues }
    }

    /// Makes a resource as a draft of its own; the answer is its number.
    fn resource(&mut self, block: BlockId, node: S::Node) -> Option<usize> {
        let plan = self.plan.blocks.get(block)?;
        if self.drafts.len() >= MAX_RESOURCES {
            self.limit(node, "the message makes more resources than the limit");
            return None;
        }
        let index = self.drafts.len();
        let labels = self.labelled.len();
        self.drafts.push(None);
        self.open.push((plan.label, index));
        self.labelled.extend(plan.label.map(|label| (label, index)));
        let resource = self.block(plan, node);
        self.open.pop();
        let Some(resource) = resource else {
            self.drafts.truncate(index);
            self.labelled.truncate(labels);
            return None;
        };
        let place = self.source.address(node);
        let draft = Draft::new(Value::Object(resource), draft_name(index), place);
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
        let (variables, used) = (self.variables.len(), self.used.len());
        let (drafts, labels) = (self.drafts.len(), self.labelled.len());
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
            }
        }
        self.depth -= 1;
        self.variables.truncate(variables);
        let complete = block.required.iter().all(|any| any.iter().any(|m| object.contains_key(m)));
        if complete && self.used.len() > used {
            return Some(object);
        }
        self.used.truncate(used);
        self.drafts.truncate(drafts);
        self.labelled.truncate(labels);
        None
    }

    fn put(&mut self, put: &'p Put, node: S::Node, object: &mut Object) {
        let mut reads = Vec::new();
        if put.when.as_ref().is_some_and(|when| !self.holds(when, node, &mut reads)) {
            return;
        }
        if let (Writer::Block(block) | Writer::Reference(block), Expression::Path(path)) =
            (put.writer, &put.value)
        {
            let mut path_reads = reads.clone();
            for inner in self.nodes(node, path, false, &mut path_reads) {
                self.put_block(put, block, inner, &path_reads, object);
            }
            return;
        }
        for item in self.items(&put.value, node, false) {
            self.put_item(put, item, &reads, object);
        }
    }

    fn put_block(
        &mut self,
        put: &'p Put,
        block: BlockId,
        node: S::Node,
        reads: &[S::Node],
        object: &mut Object,
    ) {
        let (used, drafts) = (self.used.len(), self.drafts.len());
        let labels = self.labelled.len();
        if matches!(self.source.text(node), super::Text::Retract) {
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
        if target::put(object, &put.target, value) {
            self.used.extend_from_slice(reads);
        } else {
            self.used.truncate(used);
            self.drafts.truncate(drafts);
            self.labelled.truncate(labels);
        }
    }

    fn put_item(&mut self, put: &Put, item: Item<S::Node>, reads: &[S::Node], object: &mut Object) {
        let written = match item.datum {
            Datum::Retract => target::retract(object, &put.target),
            Datum::Made(value) => target::put(object, &put.target, value),
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
