//! How segments hang together: a tolerant walk that gives every segment the node it belongs to.
//!
//! The message structures of chapter 3 and later differ in what they nest, but three rules read
//! all of them: a note belongs to the segment before it; an order begins with ORC, or with the
//! segment that says what is ordered, given or found; what follows an order belongs to it until
//! the next order or until a segment that only stands outside orders. A segment in an unexpected
//! place stays in the nearest group.

use clisonix_hl7v2::{Message, SegmentName};

/// The node that a segment belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parent {
    /// The message itself.
    Message,
    /// The order of that number.
    Order(u16),
    /// The segment of that index.
    Segment(u16),
}

/// The segments that one patient's part of a message is made of, and how they hang together.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// Index of the segment in the message and its parent, in order.
    pub(super) segments: Vec<(u16, Parent)>,
    /// How many orders there are.
    pub(super) orders: u16,
}

/// The parts of a message: one, or one for each patient where it tells of several. The segments
/// before the first patient belong to every part.
pub(super) fn parts(message: &Message<'_>) -> Vec<Structure> {
    let names: Vec<SegmentName> = message.segments().iter().map(|s| s.name).collect();
    let patients: Vec<usize> =
        names.iter().enumerate().filter(|(_, n)| n.as_str() == "PID").map(|(i, _)| i).collect();
    let first = patients.first().copied().unwrap_or(names.len());
    let mut ends: Vec<usize> = patients.iter().skip(1).copied().collect();
    ends.push(names.len());
    let mut start = first;
    let mut parts = Vec::with_capacity(ends.len());
    for end in ends {
        let indices = (0..first).chain(start..end);
        parts.push(walk(indices.filter_map(|i| Some((i as u16, *names.get(i)?)))));
        start = end;
    }
    parts
}

fn walk(segments: impl Iterator<Item = (u16, SegmentName)>) -> Structure {
    let mut structure = Structure::default();
    // The current order, and whether ORC and the segment it is about have come.
    let mut order: Option<(u16, bool, bool)> = None;
    let mut last = None;
    for (index, name) in segments {
        let name = name.as_str();
        let parent = if let ("NTE", Some(noted)) = (name, last) {
            Parent::Segment(noted)
        } else {
            order = next_order(name, order, &mut structure.orders);
            last = Some(index);
            order.map_or(Parent::Message, |(number, ..)| Parent::Order(number))
        };
        structure.segments.push((index, parent));
    }
    structure
}

fn next_order(
    name: &str,
    order: Option<(u16, bool, bool)>,
    orders: &mut u16,
) -> Option<(u16, bool, bool)> {
    let mut begin = |control: bool, subject: bool| {
        let number = *orders;
        *orders += 1;
        Some((number, control, subject))
    };
    match (name, order) {
        ("ORC", _) => begin(true, false),
        (subject, Some((number, control, false))) if SUBJECTS.contains(&subject) => {
            Some((number, control, true))
        }
        (subject, Some((number, control, true))) if SAME_ORDER.contains(&subject) => {
            Some((number, control, true))
        }
        (subject, _) if SUBJECTS.contains(&subject) => begin(false, true),
        (outside, _) if OUTSIDE.contains(&outside) => None,
        (_, order) => order,
    }
}

/// Segments that say what an order is about.
const SUBJECTS: &[&str] = &["OBR", "RXA", "RXO", "RXE", "RXD", "RXG"];
/// Of those, the ones that may follow another in one order: what was ordered, then encoded,
/// dispensed or given.
const SAME_ORDER: &[&str] = &["RXE", "RXD", "RXG", "RXA"];
/// Segments that never belong to an order.
const OUTSIDE: &[&str] = &[
    "MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "AL1", "IN1", "IN2", "IN3", "GT1", "ACC",
    "PRB", "GOL", "PTH", "SCH", "TXA", "MRG", "DSC",
];
