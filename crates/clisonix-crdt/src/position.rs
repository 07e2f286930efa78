//! Positions of list elements: fractions as base-256 digits, shortest first.

use crate::change::MAX_POSITION_BYTES;

/// Gives every item of a list, in the wanted order, a position; `None` in the result means that
/// the item keeps the one it has. As few items as possible move.
pub(crate) fn arrange(current: &[Option<&[u8]>]) -> Vec<Option<Vec<u8>>> {
    let kept = longest_increasing(current);
    let mut fresh: Vec<Option<Vec<u8>>> = vec![None; current.len()];
    let mut start = 0;
    let mut low: Option<&[u8]> = None;
    for end in kept.iter().copied().chain([current.len()]) {
        let high = current.get(end).copied().flatten();
        if let Some(gap) = fresh.get_mut(start..end) {
            spread(low, high, gap);
        }
        low = high;
        start = end + 1;
    }
    if fresh.iter().flatten().any(|position| position.len() > MAX_POSITION_BYTES / 2) {
        spread(None, None, &mut fresh);
    }
    fresh
}

/// Indexes of a longest run of items whose positions already increase strictly.
fn longest_increasing(current: &[Option<&[u8]>]) -> Vec<usize> {
    let mut tails: Vec<(&[u8], usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; current.len()];
    for (index, position) in current.iter().enumerate() {
        let Some(position) = position.filter(|position| !position.is_empty()) else { continue };
        let length = tails.partition_point(|(tail, _)| *tail < position);
        if let (Some(slot), Some(last)) = (before.get_mut(index), length.checked_sub(1)) {
            *slot = tails.get(last).map(|&(_, at)| at);
        }
        match tails.get_mut(length) {
            Some(tail) => *tail = (position, index),
            None => tails.push((position, index)),
        }
    }
    let mut run = Vec::with_capacity(tails.len());
    let mut next = tails.last().map(|&(_, index)| index);
    while let Some(index) = next {
        run.push(index);
        next = before.get(index).copied().flatten();
    }
    run.reverse();
    run
}

/// Fills `gap` with increasing positions strictly between `low` and `high`.
fn spread(low: Option<&[u8]>, high: Option<&[u8]>, gap: &mut [Option<Vec<u8>>]) {
    if gap.is_empty() {
        return;
    }
    if high.is_none() && low.is_some() {
        // Appending: step by step from the end, which stays shorter than halving the rest.
        let mut last = low.map(<[u8]>::to_vec);
        for slot in gap {
            let position = after(last.as_deref().unwrap_or_default());
            last = Some(position.clone());
            *slot = Some(position);
        }
        return;
    }
    let middle = gap.len() / 2;
    let position = between(low.unwrap_or_default(), high);
    let (left, right) = gap.split_at_mut(middle);
    spread_between(low, &position, left);
    if let Some((slot, right)) = right.split_first_mut() {
        if high.is_none() {
            halve(&position, right);
        } else {
            spread(Some(&position), high, right);
        }
        *slot = Some(position);
    }
}

fn spread_between(low: Option<&[u8]>, high: &[u8], gap: &mut [Option<Vec<u8>>]) {
    spread(low, Some(high), gap);
}

/// Fills `gap` between `low` and one, halving, so that a new list gets short positions.
fn halve(low: &[u8], gap: &mut [Option<Vec<u8>>]) {
    if gap.is_empty() {
        return;
    }
    let middle = gap.len() / 2;
    let position = between(low, None);
    let (left, right) = gap.split_at_mut(middle);
    spread(Some(low), Some(&position), left);
    if let Some((slot, right)) = right.split_first_mut() {
        halve(&position, right);
        *slot = Some(position);
    }
}

/// A short fraction greater than `low`.
fn after(low: &[u8]) -> Vec<u8> {
    let mut position: Vec<u8> = low.iter().copied().take_while(|&digit| digit == 255).collect();
    let digit = low.get(position.len()).copied().unwrap_or(0);
    position.push(digit + 1);
    position
}

/// A short fraction strictly between `low` and `high` (`None`: one).
fn between(low: &[u8], high: Option<&[u8]>) -> Vec<u8> {
    let mut position = Vec::new();
    let mut bounded = high;
    for index in 0.. {
        let from = low.get(index).map_or(0, |&digit| u16::from(digit));
        let to = match bounded {
            Some(high) => high.get(index).map_or(0, |&digit| u16::from(digit)),
            None => 256,
        };
        if to > from + 1 {
            position.push(u16::midpoint(from, to) as u8);
            break;
        }
        if to > from {
            bounded = None;
        } else if to < from || index > MAX_POSITION_BYTES {
            // `low` is not below `high`: only hostile input; any position keeps the list readable.
            position.push(128);
            break;
        }
        position.push(from as u8);
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(current: &mut Vec<Option<Vec<u8>>>) -> usize {
        let view: Vec<Option<&[u8]>> = current.iter().map(Option::as_deref).collect();
        let fresh = arrange(&view);
        let moved = fresh.iter().flatten().count();
        for (slot, position) in current.iter_mut().zip(fresh) {
            if position.is_some() {
                *slot = position;
            }
        }
        let sorted = current.is_sorted_by(|a, b| a < b);
        assert!(sorted && current.iter().flatten().all(|p| p.last() != Some(&0)), "{current:?}");
        moved
    }

    #[test]
    fn a_new_list_gets_one_byte_each() {
        let mut list = vec![None; 120];
        settle(&mut list);
        assert!(list.iter().flatten().all(|position| position.len() == 1));
    }

    #[test]
    fn one_moved_item_moves_alone() {
        let mut list = vec![None; 9];
        settle(&mut list);
        let item = list.remove(7);
        list.insert(1, item);
        assert_eq!(settle(&mut list), 1);
    }

    #[test]
    fn inserts_at_one_place_and_at_the_end_stay_in_order_and_short() {
        let mut list = vec![None, None];
        settle(&mut list);
        for round in 0..3000 {
            let at = if round % 2 == 0 { 1 } else { list.len() };
            list.insert(at, None);
            settle(&mut list);
        }
        assert!(list.iter().flatten().all(|position| position.len() <= MAX_POSITION_BYTES));
    }
}
