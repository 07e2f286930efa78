//! The event graph: which events each event has seen, as runs that each follow the one before.

use std::collections::BinaryHeap;
use std::ops::Range;

/// The number of an event in one log. An event's number is above those of all events it has seen.
pub(super) type Event = u32;

/// Events that each have exactly the one before as parent; the first has parents of its own.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    start: Event,
    /// Where the first event's parents begin in the common list of parents.
    parents_at: u32,
    /// The first event that the run's first event has not seen; `start` if it has seen all.
    seen: Event,
}

/// Part of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) start: Event,
    pub(super) end: Event,
    /// The first event that `start` has not seen; `start` if it has seen all before it.
    pub(super) seen: Event,
}

/// What only one of two versions has seen, latest events first.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) left: Vec<Range<Event>>,
    pub(super) right: Vec<Range<Event>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    runs: Vec<Run>,
    parents: Vec<Event>,
    /// Events that no other event has seen, ascending.
    heads: Vec<Event>,
    len: Event,
}

/// Which of two versions has seen an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Left,
    Right,
    Both,
}

impl Graph {
    pub(super) fn len(&self) -> Event {
        self.len
    }

    pub(super) fn heads(&self) -> &[Event] {
        &self.heads
    }

    /// Appends `count` events, the first with these parents (ascending), each other after the one
    /// before it.
    pub(super) fn push(&mut self, parents: &[Event], count: u32) {
        if count == 0 {
            return;
        }
        let start = self.len;
        if parents.is_empty() || parents != start.checked_sub(1).as_slice() {
            let seen = self.unseen_by(parents);
            self.runs.push(Run { start, parents_at: self.parents.len() as u32, seen });
            self.parents.extend_from_slice(parents);
        }
        self.len += count;
        advance(&mut self.heads, parents, self.len - 1);
    }

    /// Appends `count` events, the first of which has seen everything.
    pub(super) fn push_after_all(&mut self, count: u32) {
        let last = self.len.checked_sub(1);
        if last.is_some() && self.heads == last.as_slice() {
            self.len += count;
            self.heads.clear();
            self.heads.push(self.len - 1);
        } else {
            let heads = self.heads.clone();
            self.push(&heads, count);
        }
    }

    /// Forgets the events from `len` on; `heads` are those of the events that stay.
    pub(super) fn truncate(&mut self, len: Event, heads: Vec<Event>) {
        while let Some(run) = self.runs.pop_if(|run| run.start >= len) {
            self.parents.truncate(run.parents_at as usize);
        }
        self.len = len;
        self.heads = heads;
    }

    /// The events from `start` on that belong to one run, not beyond `end`.
    pub(super) fn stretch(&self, start: Event, end: Event) -> Stretch {
        let index = self.run_of(start);
        let run = self.run(index);
        let seen = if run.seen < run.start { run.seen } else { start };
        Stretch { start, end: self.end_of(index).min(end), seen }
    }

    /// The parents of an event; `room` holds the answer inside a run.
    pub(super) fn parents<'a>(&'a self, event: Event, room: &'a mut Event) -> &'a [Event] {
        let index = self.run_of(event);
        if self.run(index).start == event {
            return self.parents_of_run(index);
        }
        *room = event - 1;
        std::slice::from_ref(room)
    }

    /// The latest event number, at most `limit`, such that every event from there up to `end` has
    /// seen every event before it.
    pub(super) fn cut(&self, limit: Event, end: Event) -> Event {
        let mut cut = limit;
        let mut index = self.run_of(end.saturating_sub(1));
        while self.end_of(index) > cut {
            let run = self.run(index);
            if run.start >= cut || run.seen < run.start {
                cut = cut.min(run.seen);
            }
            match index.checked_sub(1) {
                Some(before) => index = before,
                None => break,
            }
        }
        cut
    }

    /// What `left` has seen and `right` has not, and the other way round.
    pub(super) fn difference(&self, left: &[Event], right: &[Event]) -> Difference {
        let mut found = Difference::default();
        if left == right {
            return found;
        }
        if let (&[one], &[other]) = (left, right) {
            let (low, high) = (one.min(other), one.max(other));
            if self.run(self.run_of(high)).start <= low {
                let side = if one > other { &mut found.left } else { &mut found.right };
                side.push(low + 1..high + 1);
                return found;
            }
        }
        let mut heap: BinaryHeap<(Event, Seen)> = BinaryHeap::new();
        heap.extend(left.iter().map(|&event| (event, Seen::Left)));
        heap.extend(right.iter().map(|&event| (event, Seen::Right)));
        let mut both = 0;
        while heap.len() > both {
            let Some((mut event, mut seen)) = heap.pop() else { break };
            both -= usize::from(seen == Seen::Both);
            let index = self.run_of(event);
            let start = self.run(index).start;
            while let Some(&(other, by)) = heap.peek().filter(|(other, _)| *other >= start) {
                heap.pop();
                both -= usize::from(by == Seen::Both);
                if by != seen {
                    found.add(other + 1..event + 1, seen);
                    (event, seen) = (other, Seen::Both);
                }
            }
            found.add(start..event + 1, seen);
            let parents = self.parents_of_run(index);
            both += if seen == Seen::Both { parents.len() } else { 0 };
            heap.extend(parents.iter().map(|&parent| (parent, seen)));
        }
        found
    }

    /// Those of `events` that no other of them has seen, ascending.
    pub(super) fn maximal(&self, events: &[Event]) -> Vec<Event> {
        let mut heap: BinaryHeap<(Event, bool)> = BinaryHeap::new();
        heap.extend(events.iter().map(|&event| (event, false)));
        let mut open = heap.len();
        let mut found = Vec::new();
        while open > 0 {
            let Some((event, is_seen)) = heap.pop() else { break };
            if !is_seen {
                open -= 1;
                found.push(event);
            }
            let index = self.run_of(event);
            let start = self.run(index).start;
            while let Some((_, was_seen)) = heap.peek().copied().filter(|(at, _)| *at >= start) {
                heap.pop();
                open -= usize::from(!was_seen);
            }
            heap.extend(self.parents_of_run(index).iter().map(|&parent| (parent, true)));
        }
        found.reverse();
        found
    }

    /// The first event that is not in the past of these parents.
    fn unseen_by(&self, parents: &[Event]) -> Event {
        if let &[parent] = parents {
            let run = self.run(self.run_of(parent));
            return if run.seen < run.start { run.seen } else { parent + 1 };
        }
        if parents == self.heads {
            return self.len;
        }
        let missing = self.difference(&self.heads, parents).left;
        missing.last().map_or(self.len, |range| range.start)
    }

    fn run_of(&self, event: Event) -> usize {
        match self.runs.last() {
            Some(last) if last.start <= event => self.runs.len() - 1,
            _ => self.runs.partition_point(|run| run.start <= event).saturating_sub(1),
        }
    }

    fn run(&self, index: usize) -> Run {
        self.runs.get(index).copied().unwrap_or_default()
    }

    fn end_of(&self, index: usize) -> Event {
        self.runs.get(index + 1).map_or(self.len, |run| run.start)
    }

    fn parents_of_run(&self, index: usize) -> &[Event] {
        let start = self.run(index).parents_at as usize;
        let end =
            self.runs.get(index + 1).map_or(self.parents.len(), |run| run.parents_at as usize);
        self.parents.get(start..end).unwrap_or_default()
    }
}

impl Difference {
    fn add(&mut self, range: Range<Event>, seen: Seen) {
        match seen {
            _ if range.is_empty() => {}
            Seen::Left => self.left.push(range),
            Seen::Right => self.right.push(range),
            Seen::Both => {}
        }
    }
}

/// Moves a version forward over one event with these parents.
fn advance(heads: &mut Vec<Event>, parents: &[Event], event: Event) {
    if *heads == parents {
        heads.clear();
    } else {
        for parent in parents {
            if let Ok(at) = heads.binary_search(parent) {
                heads.remove(at);
            }
        }
    }
    if let Err(at) = heads.binary_search(&event) {
        heads.insert(at, event);
    }
}
