//! How a line of the generated table becomes a row: the parameters at first use.

use std::sync::LazyLock;

use crate::schema::TypeId;

use super::{Component, SearchParameter, SearchType, table};

/// Start and length of a stretch of one of the table's pools.
type At = (u16, u16);

/// A line of the table of parameters: code, address, type, expression, then bases, targets and
/// components.
pub(super) type ParameterRow = (&'static str, &'static str, SearchType, &'static str, [u16; 6]);

/// All search parameters, in byte order of their codes; made at first use.
pub(super) static PARAMETERS: LazyLock<Box<[SearchParameter]>> =
    LazyLock::new(|| table::PARAMETER_ROWS.iter().map(parameter).collect());

/// Bases and targets.
static TYPE_POOL: [TypeId; table::TYPE_NUMBERS.len()] = type_ids();

// The loop runs only while compiling: a wrong number in the table does not compile.
#[allow(clippy::indexing_slicing)]
const fn type_ids<const N: usize>() -> [TypeId; N] {
    let mut ids = [TypeId(0); N];
    let mut index = 0;
    while index < N {
        ids[index] = TypeId(table::TYPE_NUMBERS[index]);
        index += 1;
    }
    ids
}

const fn parameter(row: &ParameterRow) -> SearchParameter {
    let (code, url, kind, expression, stretches) = *row;
    let [base_at, base_len, target_at, target_len, part_at, part_len] = stretches;
    SearchParameter {
        code,
        url,
        kind,
        bases: stretch(&TYPE_POOL, (base_at, base_len)),
        expression,
        targets: stretch(&TYPE_POOL, (target_at, target_len)),
        components: stretch(table::COMPONENT_POOL, (part_at, part_len)),
    }
}

pub(super) const fn component(parameter: u16, expression: &'static str) -> Component {
    Component { expression, parameter }
}

const fn stretch<T>(pool: &'static [T], (start, len): At) -> &'static [T] {
    pool.split_at(start as usize).1.split_at(len as usize).0
}
