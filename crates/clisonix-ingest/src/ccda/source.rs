//! The XML of one document as a tree whose leaves remember whether a rule used them.
//!
//! A *leaf* is an attribute value or a text node that is not blank. Namespaces are ignored: CDA
//! documents declare `urn:hl7-org:v3` and `urn:hl7-org:sdtc` under any prefix, and `xsi:type` too.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write;

use clisonix_fhir::issue::{Issue, IssueCode};
use roxmltree::{Document, Node, NodeId, NodeType, ParsingOptions};

use super::refusal::{check_depth, refusal};
use crate::Kept;

/// Most nodes (elements, texts, comments) a document may have.
pub(crate) const MAX_NODES: u32 = 4_000_000;
/// Most bytes a document may have.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// A leaf or what holds leaves: what a rule may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An element, for all text in it.
    Element(NodeId),
    /// An attribute of an element, by its number.
    Attribute(NodeId, u16),
    /// One text node.
    Text(NodeId),
}

/// One parsed document and the marks on its leaves.
pub(crate) struct Source<'input> {
    xml: Document<'input>,
    /// The number of each node's first leaf, by node number; one more entry ends the list.
    first_leaf: Vec<u32>,
    used: Vec<Cell<bool>>,
    /// Elements by the value of their `ID` attribute, for references into the narrative.
    ids: HashMap<String, NodeId>,
}

impl<'input> Source<'input> {
    /// Parses a document. Document type definitions, and with them own entities, are refused.
    ///
    /// # Errors
    /// One issue with line and column when the text is not well-formed or beyond a limit.
    pub(crate) fn parse(text: &'input str) -> Result<Self, Issue> {
        if text.len() > MAX_BYTES {
            let message = "the document is larger than the limit";
            return Err(Issue::error(IssueCode::TooLong, "/", message));
        }
        check_depth(text)?;
        let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
        let xml = Document::parse_with_options(text, options).map_err(|error| refusal(&error))?;
        let mut source =
            Self { xml, first_leaf: Vec::new(), used: Vec::new(), ids: HashMap::new() };
        source.number_leaves();
        Ok(source)
    }

    /// The document element.
    pub(crate) fn root(&self) -> Elem<'_> {
        Elem { node: self.xml.root_element(), source: self }
    }

    /// The element whose `ID` is `id`; the first one when several claim it.
    pub(crate) fn by_id(&self, id: &str) -> Option<Elem<'_>> {
        let node = self.xml.get_node(*self.ids.get(id)?)?;
        Some(Elem { node, source: self })
    }

    /// The element of that number.
    pub(crate) fn element(&self, id: NodeId) -> Option<Elem<'_>> {
        Some(Elem { node: self.xml.get_node(id)?, source: self })
    }

    /// Marks the leaves at a place as used.
    pub(crate) fn use_place(&self, place: Place) {
        match place {
            Place::Attribute(id, at) => {
                if let Some(node) = self.xml.get_node(id) {
                    self.mark(node, usize::from(at));
                }
            }
            Place::Text(id) => {
                if let Some(node) = self.xml.get_node(id) {
                    self.mark(node, 0);
                }
            }
            Place::Element(id) => {
                let below = self.xml.get_node(id).into_iter().flat_map(|node| node.descendants());
                below.filter(Node::is_text).for_each(|node| self.mark(node, 0));
            }
        }
    }

    /// Marks what only says which kind of thing an element is, wherever something in the element is
    /// used: a rule that was chosen by its kind says the same with the FHIR type or element it
    /// writes. The version of a template goes with its root. The answer are the statements of
    /// entries of which nothing is used.
    pub(crate) fn use_kinds(&self) -> Vec<Elem<'_>> {
        let mut is_read = vec![false; self.first_leaf.len()];
        let mut unread = Vec::new();
        for node in self.xml.root().descendants().rev() {
            let number = node.id().get_usize();
            let leaves = 0..leaf_count(node) as usize;
            let own = leaves.into_iter().any(|at| self.is_used(node, at));
            let is_any = own || is_read.get(number).copied().unwrap_or_default();
            if is_any {
                self.use_kind(node);
                if let Some(parent) = node.parent()
                    && let Some(mark) = is_read.get_mut(parent.id().get_usize())
                {
                    *mark = true;
                }
            } else if is_statement(node) {
                unread.push(Elem { node, source: self });
            }
        }
        unread.reverse();
        unread
    }

    fn use_kind(&self, node: Node<'_, 'input>) {
        let is_template = node.tag_name().name() == "templateId";
        for (at, attribute) in node.attributes().enumerate() {
            if KINDS.contains(&attribute.name()) || is_template {
                self.mark(node, at);
            }
        }
    }

    /// How many leaves are used.
    pub(crate) fn used_count(&self) -> usize {
        self.used.iter().filter(|mark| mark.get()).count()
    }

    /// The leaves that no rule used, in document order.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let mut kept = Vec::new();
        let mut path = String::new();
        self.keep_from(self.xml.root_element(), (1, 1), self.used.len(), &mut path, &mut kept);
        kept
    }

    fn number_leaves(&mut self) {
        let mut count = 0u32;
        for node in self.xml.descendants() {
            self.first_leaf.push(count);
            count += leaf_count(node);
            if let Some(id) = node.attributes().find(|attribute| attribute.name() == "ID") {
                self.ids.entry(id.value().to_owned()).or_insert_with(|| node.id());
            }
        }
        self.first_leaf.push(count);
        self.used = (0..count).map(|_| Cell::new(false)).collect();
    }

    /// `node` is the first of the numbers among siblings of its name, which are as many as the
    /// second says; `end` is the number behind its last leaf.
    fn keep_from(
        &self,
        node: Node<'_, 'input>,
        (position, total): (usize, usize),
        end: usize,
        path: &mut String,
        kept: &mut Vec<Kept>,
    ) {
        let length = path.len();
        path.push('/');
        path.push_str(node.tag_name().name());
        if total > 1 {
            let _ = write!(path, "[{position}]");
        }
        for (at, attribute) in node.attributes().enumerate() {
            if !self.is_used(node, at) {
                let address = format!("{path}/@{}", attribute.name());
                kept.push(Kept { address, value: attribute.value().to_owned() });
            }
        }
        let begin = |node: Node<'_, '_>| self.first_leaf.get(node.id().get_usize());
        let end_of = |child: Node<'_, '_>| {
            child.next_sibling().and_then(begin).map_or(end, |first| *first as usize)
        };
        let is_kept = |child: Node<'_, '_>| {
            let first = begin(child).map_or(end, |first| *first as usize);
            self.used.get(first..end_of(child)).is_some_and(|all| !all.iter().all(Cell::get))
        };
        if node.children().any(is_kept) {
            let totals = sibling_totals(node);
            let mut seen: HashMap<&str, usize> = HashMap::new();
            for child in node.children() {
                let name = sibling_name(child);
                let position = seen.entry(name).or_insert(0);
                *position += 1;
                let number = (*position, totals.get(name).copied().unwrap_or(1));
                if child.is_element() && is_kept(child) {
                    self.keep_from(child, number, end_of(child), path, kept);
                } else if leaf_count(child) > 0 && is_kept(child) {
                    let index =
                        if number.1 > 1 { format!("[{}]", number.0) } else { String::new() };
                    let value = child.text().unwrap_or_default().to_owned();
                    kept.push(Kept { address: format!("{path}/text(){index}"), value });
                }
            }
        }
        path.truncate(length);
    }

    fn leaf(&self, node: Node<'_, '_>, at: usize) -> Option<&Cell<bool>> {
        let first = *self.first_leaf.get(node.id().get_usize())?;
        self.used.get(first as usize + at)
    }

    fn is_used(&self, node: Node<'_, '_>, at: usize) -> bool {
        self.leaf(node, at).is_some_and(Cell::get)
    }

    /// A blank text is no leaf and marks nothing.
    fn mark(&self, node: Node<'_, '_>, at: usize) {
        if at < leaf_count(node) as usize
            && let Some(leaf) = self.leaf(node, at)
        {
            leaf.set(true);
        }
    }
}

/// One element of a [`Source`]. Reading marks nothing.
#[derive(Clone, Copy)]
pub(crate) struct Elem<'s> {
    node: Node<'s, 's>,
    source: &'s Source<'s>,
}

impl<'s> Elem<'s> {
    /// The local name.
    pub(crate) fn name(self) -> &'s str {
        self.node.tag_name().name()
    }

    /// Its number in the document.
    pub(crate) fn id(self) -> NodeId {
        self.node.id()
    }

    /// All child elements.
    pub(crate) fn elements(self) -> impl Iterator<Item = Elem<'s>> {
        let source = self.source;
        self.node.children().filter(Node::is_element).map(move |node| Elem { node, source })
    }

    /// All child elements of a name.
    pub(crate) fn children(self, name: &str) -> impl Iterator<Item = Elem<'s>> {
        self.elements().filter(move |element| element.name() == name)
    }

    /// The first child element of a name.
    pub(crate) fn child(self, name: &str) -> Option<Elem<'s>> {
        self.children(name).next()
    }

    /// Follows first children along `names`.
    pub(crate) fn path(self, names: &[&str]) -> Option<Elem<'s>> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// All elements within, at any depth.
    pub(crate) fn within(self) -> impl Iterator<Item = Elem<'s>> {
        let source = self.source;
        let below = self.node.descendants().skip(1);
        below.filter(Node::is_element).map(move |node| Elem { node, source })
    }

    /// The element around.
    pub(crate) fn around(self) -> Option<Elem<'s>> {
        Some(Elem { node: self.node.parent_element()?, source: self.source })
    }

    /// An attribute's value, trimmed; `None` when absent or blank.
    pub(crate) fn peek(self, name: &str) -> Option<&'s str> {
        let value = self.node.attributes().find(|attribute| attribute.name() == name)?.value();
        Some(trimmed(value)).filter(|value| !value.is_empty())
    }

    /// The name and value of an attribute by its number.
    pub(crate) fn attribute(self, at: usize) -> Option<(&'s str, &'s str)> {
        self.node.attributes().nth(at).map(|attribute| (attribute.name(), attribute.value()))
    }

    /// Where an attribute stands.
    pub(crate) fn place(self, name: &str) -> Option<Place> {
        let at = self.node.attributes().position(|attribute| attribute.name() == name)?;
        Some(Place::Attribute(self.id(), u16::try_from(at).ok()?))
    }

    /// All text below, white space folded.
    pub(crate) fn text(self) -> String {
        let mut words = String::new();
        for node in self.node.descendants().filter(Node::is_text) {
            words.push_str(node.text().unwrap_or_default());
            // Table cells and lines without a blank between them are still separate words.
            words.push(' ');
        }
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The mixed content in order.
    pub(crate) fn content(self) -> impl Iterator<Item = Content<'s>> {
        let source = self.source;
        self.node.children().filter_map(move |node| match node.node_type() {
            NodeType::Element => Some(Content::Element(Elem { node, source })),
            NodeType::Text => Some(Content::Text(node.text()?, Place::Text(node.id()))),
            _ => None,
        })
    }

    /// The attributes in order: name, value, place.
    pub(crate) fn attributes(self) -> impl Iterator<Item = (&'s str, &'s str, Place)> {
        let id = self.id();
        let numbered = self.node.attributes().zip(0u16..);
        numbered.map(move |(attribute, at)| {
            (attribute.name(), attribute.value(), Place::Attribute(id, at))
        })
    }

    /// The address, for example `/ClinicalDocument/component/structuredBody/component[3]/section`.
    pub(crate) fn address(self) -> String {
        let mut steps: Vec<String> = Vec::new();
        let mut node = Some(self.node);
        while let Some(element) = node.filter(Node::is_element) {
            let name = element.tag_name().name();
            let is_same = |other: &Node<'_, '_>| other.tag_name().name() == name;
            let before = element.prev_siblings().skip(1).filter(Node::is_element).filter(is_same);
            let position = before.count() + 1;
            let mut after = element.next_siblings().skip(1).filter(Node::is_element);
            let is_only = position == 1 && !after.any(|other| is_same(&other));
            steps.push(if is_only { name.to_owned() } else { format!("{name}[{position}]") });
            node = element.parent();
        }
        steps.iter().rev().fold(String::new(), |path, step| format!("{path}/{step}"))
    }
}

/// One piece of mixed content.
pub(crate) enum Content<'s> {
    /// An element.
    Element(Elem<'s>),
    /// A text, entities resolved, and its place.
    Text(&'s str, Place),
}

/// Attributes that only say which kind of thing their element is.
const KINDS: [&str; 6] =
    ["classCode", "moodCode", "typeCode", "determinerCode", "inversionInd", "type"];

/// Whether the node is a clinical statement directly within an entry.
fn is_statement(node: Node<'_, '_>) -> bool {
    let is_in_entry = |node: Node<'_, '_>| {
        node.parent_element().is_some_and(|parent| parent.tag_name().name() == "entry")
    };
    node.is_element() && node.tag_name().name() != "templateId" && is_in_entry(node)
}

/// A value without the blanks around it. Values rarely have any, which two bytes tell.
pub(crate) fn trimmed(value: &str) -> &str {
    match value.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => value,
        _ => value.trim(),
    }
}

/// Leaves of a node itself: its attributes, or 1 for a text that is not blank.
fn leaf_count(node: Node<'_, '_>) -> u32 {
    match node.node_type() {
        NodeType::Element => node.attributes().len() as u32,
        NodeType::Text => u32::from(!node.text().unwrap_or_default().trim().is_empty()),
        _ => 0,
    }
}

/// The name under which siblings are counted; texts that are leaves count among themselves.
fn sibling_name<'a>(node: Node<'a, '_>) -> &'a str {
    if node.is_element() {
        node.tag_name().name()
    } else if leaf_count(node) > 0 {
        "#text"
    } else {
        ""
    }
}

fn sibling_totals<'a>(node: Node<'a, '_>) -> HashMap<&'a str, usize> {
    let mut totals = HashMap::new();
    for child in node.children() {
        *totals.entry(sibling_name(child)).or_insert(0) += 1;
    }
    totals
}

#[cfg(test)]
mod tests;
