//! The oracle on lists: which elements of the four versions are the same one.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::Scope;

use super::judge::{Judge, Unit, Versions};
use super::oracle::Problem;

/// A list of values that are each one statement.
pub(crate) fn values(judge: &mut Judge<'_>, name: &str, versions: Versions<'_>, path: &str) {
    let [base, a, b, merged] = lists(name, versions);
    for item in merged {
        if ![base, a, b].iter().any(|list| list.contains(item)) {
            judge.fault(Problem::Mixed, path);
        } else if count(merged, item)
            > [base, a, b].map(|list| count(list, item)).into_iter().max().unwrap_or(0)
        {
            judge.fault(Problem::Doubled, path);
        }
    }
    for branch in [a, b] {
        let added = branch.iter().filter(|item| count(branch, item) > count(base, item));
        for item in added {
            if !merged.contains(item) && !is_shown(judge, item, merged) {
                judge.fault(Problem::Lost, path);
            }
        }
        let removed = base.iter().filter(|item| count(branch, item) < count(base, item));
        for item in removed {
            // Unless somebody added another one of the same.
            let is_readded = [a, b].iter().any(|list| count(list, item) > count(base, item));
            if count(merged, item) >= count(base, item) && !is_readded && !judge.is_any_shown() {
                judge.fault(Problem::Lost, path);
            }
        }
    }
    for item in base {
        let stays = [a, b].iter().all(|list| count(list, item) == count(base, item));
        if stays && !merged.contains(item) && !judge.is_any_shown() {
            judge.fault(Problem::Lost, path);
        }
    }
}

/// Whether the element is shown as a whole, or where it differs from one that stands.
fn is_shown(judge: &Judge<'_>, item: &Value, merged: &[Value]) -> bool {
    let is_object = item.as_object().is_some();
    judge.is_item_shown(item)
        || (is_object && merged.iter().any(|other| judge.is_inside_shown(item, Some(other))))
}

/// A list of backbone elements, each judged in its four versions.
pub(crate) fn things(
    judge: &mut Judge<'_>,
    scope: Scope,
    name: &str,
    versions: Versions<'_>,
    path: &str,
) {
    let objects = lists(name, versions)
        .map(|items| items.iter().filter_map(Value::as_object).collect::<Vec<&Object>>());
    let [base, a, b, merged] = objects;
    let mut rows = rows(&base, &a, &b);
    let line = |item: &&Object| rows.iter().map(|row| likeness(row, item)).collect();
    let scores: Vec<Vec<usize>> = merged.iter().map(line).collect();
    let pairs = pair_up(&scores, rows.len());
    for (item, pair) in merged.iter().zip(pairs) {
        let is_known = rows.iter().any(|row| is_version(row, item));
        match pair.and_then(|index| rows.get_mut(index)) {
            Some(row) => row.merged = Some(item),
            None if is_known => judge.fault(Problem::Doubled, path),
            None => judge.fault(Problem::Mixed, path),
        }
    }
    for row in rows {
        judge.thing(scope, row, path);
    }
}

/// One row for each element that any author knew.
fn rows<'v>(base: &[&'v Object], a: &[&'v Object], b: &[&'v Object]) -> Vec<Versions<'v>> {
    let match_up = |branch: &[&'v Object]| {
        let line = |item: &&Object| base.iter().map(|old| alike(old, item)).collect();
        let scores: Vec<Vec<usize>> = branch.iter().map(line).collect();
        pair_up(&scores, base.len())
    };
    let (in_a, in_b) = (match_up(a), match_up(b));
    let mut rows: Vec<Versions<'v>> =
        base.iter().map(|item| Versions { base: Some(item), ..Versions::default() }).collect();
    for (item, pair) in a.iter().zip(in_a) {
        match pair.and_then(|index| rows.get_mut(index)) {
            Some(row) => row.a = Some(item),
            None => rows.push(Versions { a: Some(item), ..Versions::default() }),
        }
    }
    for (item, pair) in b.iter().zip(in_b) {
        let is_same =
            |row: &&mut Versions<'v>| row.base.is_none() && row.a == Some(*item) && row.b.is_none();
        if let Some(row) = pair.and_then(|index| rows.get_mut(index)) {
            row.b = Some(item);
        } else if let Some(row) = rows.iter_mut().find(is_same) {
            row.b = Some(item);
        } else {
            rows.push(Versions { b: Some(item), ..Versions::default() });
        }
    }
    rows
}

/// For each line of scores the column that goes with it: the best first; what is alike in nothing
/// only if nothing else is left on either side.
fn pair_up(scores: &[Vec<usize>], columns: usize) -> Vec<Option<usize>> {
    let mut pairs = vec![None; scores.len()];
    let mut free = vec![true; columns];
    loop {
        let open = scores.iter().enumerate().filter(|(line, _)| pairs[*line].is_none());
        let cells = open.flat_map(|(line, row)| {
            row.iter().enumerate().map(move |(column, score)| (*score, line, column))
        });
        let best = cells.filter(|(score, _, column)| free[*column] && *score > 0).max_by_key(
            |(score, line, column)| (*score, std::cmp::Reverse(line.abs_diff(*column))),
        );
        let Some((_, line, column)) = best else { break };
        pairs[line] = Some(column);
        free[column] = false;
    }
    let lines: Vec<usize> = (0..pairs.len()).filter(|line| pairs[*line].is_none()).collect();
    let columns: Vec<usize> = (0..columns).filter(|column| free[*column]).collect();
    if let ([line], [column]) = (&lines[..], &columns[..]) {
        pairs[*line] = Some(*column);
    }
    pairs
}

fn likeness(row: &Versions<'_>, item: &Object) -> usize {
    let versions = [row.base, row.a, row.b];
    versions.into_iter().flatten().map(|version| alike(version, item)).max().unwrap_or(0)
}

fn is_version(row: &Versions<'_>, item: &Object) -> bool {
    [row.base, row.a, row.b].contains(&Some(item))
}

/// How many members two elements share; equal ones more than any others.
fn alike(one: &Object, other: &Object) -> usize {
    if one == other {
        return 1_000;
    }
    one.iter().filter(|(name, value)| other.get(name) == Some(*value)).count()
}

/// Whether the merge has what one author did to the element: the value itself, or, of a list, what
/// was added and what was taken out.
pub(crate) fn reflects(merged: &Unit<'_>, from: &Unit<'_>, base: &Unit<'_>) -> bool {
    if merged == from {
        return true;
    }
    let is_list = |unit: &Unit<'_>| unit.iter().any(|(_, value)| value.is_array());
    if ![merged, from, base].into_iter().any(is_list) {
        return false;
    }
    let [merged, from, base] = [merged, from, base].map(|unit| {
        unit.iter().flat_map(|(_, value)| value.as_array().unwrap_or_default()).collect::<Vec<_>>()
    });
    let added = from.iter().filter(|item| !base.contains(item));
    let removed = base.iter().filter(|item| !from.contains(item));
    added.into_iter().all(|item| merged.contains(item))
        && removed.into_iter().all(|item| !merged.contains(item))
}

fn lists<'v>(name: &str, versions: Versions<'v>) -> [&'v [Value]; 4] {
    let Versions { base, a, b, merged } = versions;
    [base, a, b, merged].map(|object| {
        object.and_then(|object| object.get(name)).and_then(Value::as_array).unwrap_or_default()
    })
}

fn count(list: &[Value], item: &Value) -> usize {
    list.iter().filter(|other| *other == item).count()
}
