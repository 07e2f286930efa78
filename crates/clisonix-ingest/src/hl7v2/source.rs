//! One patient's part of a message as a mapping source: nodes over the leaf index.

use std::borrow::Cow;

use clisonix_hl7v2::{Leaf, Message};

use super::envelope::Envelope;
use super::structure::{Parent, Structure};
use super::tables;
use crate::mapping::{Argument, Axis, Source, Text};

/// The functions that [`Segments::call`] offers to mappings.
pub(super) const FUNCTIONS: &[&str] = &["text", "local", "table"];

/// A part of a message, as a mapping sees it.
pub(super) struct Segments<'m> {
    message: &'m Message<'m>,
    structure: &'m Structure,
    envelope: &'m Envelope,
}

/// A node of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// The part itself.
    Message,
    /// An order, by its number.
    Order(u16),
    /// A segment, by its index in the message.
    Segment(u16),
    /// A value or what holds it: repetition, component or subcomponent, 0 where it is not one.
    Place(Place),
}

/// A place within a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    segment: u16,
    field: u16,
    repetition: u16,
    component: u16,
    subcomponent: u16,
}

impl Place {
    fn of(leaf: &Leaf) -> Self {
        Self {
            segment: leaf.segment,
            field: leaf.field,
            repetition: leaf.repetition,
            component: leaf.component,
            subcomponent: leaf.subcomponent,
        }
    }

    /// Whether the leaf stands at this place or within it.
    fn holds(&self, leaf: &Leaf) -> bool {
        let within = |mine: u16, its: u16| mine == 0 || mine == its;
        leaf.segment == self.segment
            && leaf.field == self.field
            && leaf.repetition == self.repetition
            && within(self.component, leaf.component)
            && within(self.subcomponent, leaf.subcomponent)
    }
}

impl<'m> Segments<'m> {
    pub(super) fn new(
        message: &'m Message<'m>,
        structure: &'m Structure,
        envelope: &'m Envelope,
    ) -> Self {
        Self { message, structure, envelope }
    }

    /// The index in [`Message::leaves`] of the leaf whose text the node has.
    pub(super) fn leaf_index(&self, node: Node) -> Option<usize> {
        let Node::Place(place) = node else { return None };
        let range = self.message.field(usize::from(place.segment), place.field);
        let leaves = self.message.leaves().get(range.clone())?;
        let wanted = (place.repetition, place.component.max(1), place.subcomponent.max(1));
        let found = leaves.binary_search_by_key(&wanted, |leaf| {
            (leaf.repetition, leaf.component, leaf.subcomponent)
        });
        found.ok().map(|at| range.start + at)
    }

    fn leaf(&self, node: Node) -> Option<&Leaf> {
        self.message.leaves().get(self.leaf_index(node)?)
    }

    fn field_leaves(&self, segment: u16, field: u16) -> &[Leaf] {
        let range = self.message.field(usize::from(segment), field);
        self.message.leaves().get(range).unwrap_or_default()
    }

    fn name_of(&self, segment: u16) -> &str {
        self.message.segments().get(usize::from(segment)).map_or("", |s| s.name.as_str())
    }

    fn children(&self, parent: Parent, name: &str, found: &mut Vec<Node>) {
        let of_parent = self.structure.segments.iter().filter(|(_, p)| *p == parent);
        let named = of_parent.filter(|(index, _)| self.name_of(*index) == name);
        found.extend(named.map(|(index, _)| Node::Segment(*index)));
    }

    fn find_name(&self, from: Node, name: &str, found: &mut Vec<Node>) {
        match from {
            Node::Message if name == ORDER => {
                found.extend((0..self.structure.orders).map(Node::Order));
            }
            Node::Message => self.children(Parent::Message, name, found),
            Node::Order(number) => self.children(Parent::Order(number), name, found),
            Node::Segment(index) if self.name_of(index) == name => found.push(from),
            Node::Segment(index) => self.children(Parent::Segment(index), name, found),
            Node::Place(_) => {}
        }
    }

    /// All segments of the name, wherever they belong; seen from an order, those of the order.
    fn find_deep(&self, from: Node, name: &str, found: &mut Vec<Node>) {
        let Node::Message = from else { return self.find_name(from, name, found) };
        let named = self.structure.segments.iter().filter(|(i, _)| self.name_of(*i) == name);
        found.extend(named.map(|(index, _)| Node::Segment(*index)));
    }

    fn find_part(&self, from: Node, number: u16, found: &mut Vec<Node>) {
        let place = match from {
            Node::Segment(segment) => {
                let mut last = 0;
                for leaf in self.field_leaves(segment, number) {
                    if leaf.repetition != last {
                        last = leaf.repetition;
                        let whole = Place { component: 0, subcomponent: 0, ..Place::of(leaf) };
                        found.push(Node::Place(whole));
                    }
                }
                return;
            }
            Node::Place(place) if place.component == 0 => Place { component: number, ..place },
            Node::Place(place) if place.subcomponent == 0 => {
                Place { subcomponent: number, ..place }
            }
            Node::Place(_) | Node::Message | Node::Order(_) => return,
        };
        if self.field_leaves(place.segment, place.field).iter().any(|leaf| place.holds(leaf)) {
            found.push(Node::Place(place));
        }
    }

    fn around(&self, node: Node) -> Option<Node> {
        match node {
            Node::Message => None,
            Node::Order(_) => Some(Node::Message),
            Node::Segment(index) => {
                let (_, parent) = self.structure.segments.iter().find(|(i, _)| *i == index)?;
                Some(match parent {
                    Parent::Message => Node::Message,
                    Parent::Order(number) => Node::Order(*number),
                    Parent::Segment(noted) => Node::Segment(*noted),
                })
            }
            Node::Place(place) => Some(match (place.component, place.subcomponent) {
                (0, _) => Node::Segment(place.segment),
                (_, 0) => Node::Place(Place { component: 0, ..place }),
                _ => Node::Place(Place { subcomponent: 0, ..place }),
            }),
        }
    }

    /// The whole text of a field, delimiters that the sender did not escape left in place, each
    /// repetition on a line of its own: long texts come one line to a repetition.
    fn whole_text(&self, at: Node, field: u16) -> Option<(String, Vec<Node>)> {
        let Node::Segment(segment) = at else { return None };
        let leaves = self.field_leaves(segment, field);
        let mut lines = Vec::new();
        for line in leaves.chunk_by(|a, b| a.repetition == b.repetition) {
            let (first, last) = (line.first()?, line.last()?);
            lines.push(self.message.joined_text(first, last).ok()?.value);
        }
        let text = lines.join("\n");
        let nodes = leaves.iter().map(|leaf| Node::Place(Place::of(leaf))).collect();
        let is_delete = matches!(leaves, [only] if self.message.is_delete(only));
        (!text.trim().is_empty() && !is_delete).then_some((text, nodes))
    }
}

impl Source for Segments<'_> {
    type Node = Node;

    fn root(&self) -> Node {
        Node::Message
    }

    fn find(&self, from: Node, axis: Axis<'_>, found: &mut Vec<Node>) {
        match axis {
            Axis::Name(name) => self.find_name(from, name, found),
            Axis::Deep(name) => self.find_deep(from, name, found),
            Axis::Part(number) => self.find_part(from, number, found),
            Axis::Around => found.extend(self.around(from)),
            Axis::Any | Axis::Attribute(_) => {}
        }
    }

    fn zone_minutes(&self) -> i32 {
        self.envelope.zone_minutes
    }

    /// A segment says its own name, so that a condition can ask whether it is there.
    fn text(&self, node: Node) -> Text<'_> {
        if let Node::Segment(index) = node {
            return Text::Value(Cow::Borrowed(self.name_of(index)));
        }
        let Some(leaf) = self.leaf(node) else { return Text::Nothing };
        if self.message.is_delete(leaf) {
            return Text::Retract;
        }
        match self.message.text(leaf) {
            Ok(text) if !text.value.trim().is_empty() => Text::Value(trimmed(text.value)),
            Ok(_) | Err(_) => Text::Nothing,
        }
    }

    fn name(&self, node: Node) -> Cow<'_, str> {
        match node {
            Node::Message => Cow::Borrowed("message"),
            Node::Order(_) => Cow::Borrowed(ORDER),
            Node::Segment(index) => Cow::Borrowed(self.name_of(index)),
            Node::Place(place) => {
                Cow::Owned(format!("{}-{}", self.name_of(place.segment), place.field))
            }
        }
    }

    fn address(&self, node: Node) -> String {
        let occurrence = |segment: u16| {
            let segment = self.message.segments().get(usize::from(segment));
            segment.map_or_else(String::new, |s| match s.occurrence {
                1 => s.name.to_string(),
                n => format!("{}[{n}]", s.name),
            })
        };
        match node {
            Node::Message => "MSH".to_owned(),
            Node::Order(number) => format!("{ORDER}[{}]", number + 1),
            Node::Segment(index) => occurrence(index),
            Node::Place(p) => {
                let mut text = format!("{}-{}", occurrence(p.segment), p.field);
                if p.repetition > 1 {
                    text = format!("{text}[{}]", p.repetition);
                }
                for part in [p.component, p.subcomponent].into_iter().take_while(|part| *part > 0) {
                    text = format!("{text}.{part}");
                }
                text
            }
        }
    }

    fn call(
        &self,
        function: &str,
        at: Node,
        arguments: &[Argument<Node>],
    ) -> Option<(String, Vec<Node>)> {
        let texts: Option<Vec<&str>> = arguments.iter().map(|it| it.text.as_deref()).collect();
        match (function, texts?.as_slice()) {
            ("text", [field]) => self.whole_text(at, field.parse().ok()?),
            ("local", [name]) => {
                let name = tables::uri_part(name)?;
                Some((format!("urn:hl7v2:{}:{name}", self.envelope.facility), Vec::new()))
            }
            ("table", []) => {
                let Node::Place(place) = at else { return None };
                let uri = tables::system_of_field(self.name_of(place.segment), place.field)?;
                Some((uri, Vec::new()))
            }
            _ => None,
        }
    }
}

/// What orders are called in paths.
const ORDER: &str = "ORDER";

/// Blanks around a value are padding, never part of it.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) if text.trim().len() == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}
