//! The table `mapping/identity.tbl`: what makes two resources the same fact.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

static TEXT: &str = include_str!("../../mapping/identity.tbl");

/// The table that comes with the program.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(TEXT));

#[derive(Debug, Default)]
pub(super) struct Table {
    /// Code systems, the best first.
    pub(super) preferred: Vec<&'static str>,
    /// Identifier systems, the best first.
    pub(super) business: Vec<&'static str>,
    shared: HashSet<&'static str>,
    rules: HashMap<&'static str, Vec<Rule>>,
}

/// The parts of one key, in order.
pub(super) type Rule = Vec<Part>;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    /// Tried in order.
    pub(super) paths: Vec<Path>,
    pub(super) optional: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartKind {
    Code,
    /// Of a type of HL7 v2 table 0203, where one is named.
    Identifier(Option<&'static str>),
    Minute,
    Day,
    Text,
}

/// Member names, and the path that goes on in the resource referred to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) members: Vec<&'static str>,
    pub(super) beyond: Option<Vec<&'static str>>,
}

impl Table {
    /// Reads the table; lines that do not follow its form are passed over, and a test sees to it
    /// that the table in the program has none.
    fn parse(text: &'static str) -> Self {
        let mut table = Self::default();
        for line in text.lines() {
            let _ = table.line(line.trim());
        }
        table
    }

    fn line(&mut self, line: &'static str) -> Option<()> {
        let (head, rest) = line.split_once(' ').unwrap_or((line, ""));
        match head {
            "" | "#" => {}
            "prefer" => self.preferred.extend(rest.split_whitespace()),
            "business" => self.business.extend(rest.split_whitespace()),
            "shared" => self.shared.extend(rest.split_whitespace()),
            _ => {
                let ty = head.strip_suffix(':')?;
                let rule = rest.split_whitespace().map(part).collect::<Option<Rule>>()?;
                self.rules.entry(ty).or_default().push(rule);
            }
        }
        Some(())
    }

    /// Whether resources of the type never belong to a patient's record.
    pub(super) fn is_shared(&self, resource_type: &str) -> bool {
        self.shared.contains(resource_type)
    }

    /// The rules of a type, the best first.
    pub(super) fn rules(&self, resource_type: &str) -> &[Rule] {
        self.rules.get(resource_type).map(Vec::as_slice).unwrap_or_default()
    }
}

fn part(text: &'static str) -> Option<Part> {
    let (text, optional) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
    let (kind, paths) = text.strip_suffix(')')?.split_once('(')?;
    let kind = match kind.split_once(':') {
        Some(("identifier", ty)) => PartKind::Identifier(Some(ty)),
        None if kind == "code" => PartKind::Code,
        None if kind == "identifier" => PartKind::Identifier(None),
        None if kind == "minute" => PartKind::Minute,
        None if kind == "day" => PartKind::Day,
        None if kind == "text" => PartKind::Text,
        _ => return None,
    };
    let paths = paths.split('|').map(path).collect();
    Some(Part { kind, paths, optional })
}

fn path(text: &'static str) -> Path {
    let members = |text: &'static str| text.split('.').collect();
    match text.split_once('>') {
        Some((path, beyond)) => Path { members: members(path), beyond: Some(members(beyond)) },
        None => Path { members: members(text), beyond: None },
    }
}

/// The lines of a table that do not follow its form.
#[cfg(test)]
pub(super) fn malformed() -> Vec<&'static str> {
    let mut table = Table::default();
    TEXT.lines().filter(|line| table.line(line.trim()).is_none()).collect()
}
