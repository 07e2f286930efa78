//! Fugue as its paper draws it: a tree of characters, every step a walk over all of it.
//!
//! Weidner and Kleppmann, "The Art of the Fugue", arXiv 2305.00583, algorithm 1. The oracle of the
//! text cell: slow, and simple enough to be seen to be right.

use clisonix_crdt::text::EventId;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

#[derive(Clone)]
struct Node {
    id: EventId,
    content: char,
    parent: Option<EventId>,
    side: Side,
    deleted: bool,
}

/// What travels between replicas.
#[derive(Clone)]
pub(super) enum Step {
    Insert(Insertion),
    Delete(EventId),
}

#[derive(Clone)]
pub(super) struct Insertion(Node);

#[derive(Clone, Default)]
pub(super) struct Fugue {
    nodes: Vec<Node>,
}

impl Fugue {
    pub(super) fn text(&self) -> String {
        self.order().into_iter().filter(|node| !node.deleted).map(|node| node.content).collect()
    }

    /// The id of each visible character.
    pub(super) fn ids(&self) -> Vec<EventId> {
        self.order().into_iter().filter(|node| !node.deleted).map(|node| node.id).collect()
    }

    pub(super) fn insert(&mut self, id: EventId, position: usize, content: char) -> Step {
        let order = self.order();
        let left = match position {
            0 => None,
            _ => order.iter().filter(|node| !node.deleted).nth(position - 1).map(|node| node.id),
        };
        let has_right_child =
            self.nodes.iter().any(|node| node.parent == left && node.side == Side::Right);
        // The next node in the tree's order, deleted or not.
        let next = match left {
            None => order.first(),
            Some(left) => order.iter().skip_while(|node| node.id != left).nth(1),
        };
        let (parent, side) = match next {
            Some(next) if has_right_child => (Some(next.id), Side::Left),
            _ => (left, Side::Right),
        };
        let node = Node { id, content, parent, side, deleted: false };
        self.nodes.push(node.clone());
        Step::Insert(Insertion(node))
    }

    pub(super) fn delete(&mut self, position: usize) -> Step {
        let id = self.ids()[position];
        let step = Step::Delete(id);
        self.take(&step);
        step
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            Step::Insert(Insertion(node)) => self.nodes.push(node.clone()),
            Step::Delete(id) => {
                self.nodes.iter_mut().find(|node| node.id == *id).unwrap().deleted = true;
            }
        }
    }

    /// The tree's nodes in order.
    fn order(&self) -> Vec<&Node> {
        let mut order = Vec::new();
        self.walk(None, Side::Right, &mut order);
        order
    }

    fn walk<'a>(&'a self, parent: Option<EventId>, side: Side, order: &mut Vec<&'a Node>) {
        let is_child = |node: &&Node| node.parent == parent && node.side == side;
        let mut children: Vec<&Node> = self.nodes.iter().filter(is_child).collect();
        children.sort_by_key(|node| node.id);
        for child in children {
            self.walk(Some(child.id), Side::Left, order);
            order.push(child);
            self.walk(Some(child.id), Side::Right, order);
        }
    }
}
