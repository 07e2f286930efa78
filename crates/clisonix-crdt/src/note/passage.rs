//! Where in a cell's text the string stands that several people write in.

use clisonix_fhir::json;

use crate::address::{Step, Steps};
use crate::canonical;
use crate::policy::Policy;

/// The way from a text cell's own text to its string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The member of the cell's run; `None` for a list element, whose text is a value.
    member: Option<&'static str>,
    /// From the value on.
    pub(crate) tokens: &'static [Box<str>],
}

/// The way in the cell at an address; `None` if nobody types there.
pub(crate) fn place(address: &[u8]) -> Option<Way> {
    let mut element = None;
    let mut last = None;
    for step in Steps::of(address, false) {
        if let Step::Element(found) = step {
            element = Some(found);
        }
        last = Some(step);
    }
    let element = element?;
    let is_content = match last? {
        Step::Content => true,
        Step::Element(_) if !element.element().is_list() => false,
        _ => return None,
    };
    let tokens = Policy::r4().text(element)?;
    Some(Way { member: (!is_content).then(|| element.element().name), tokens })
}

/// A cell's text, taken apart around the string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage<'a> {
    /// Up to and with the opening quote.
    pub(crate) before: &'a str,
    /// The string's inside, with its escapes.
    pub(crate) inside: &'a str,
    /// From the closing quote on.
    pub(crate) after: &'a str,
}

impl<'a> Passage<'a> {
    /// Finds the string; `None` if there is none.
    pub(crate) fn of(cell_text: &'a str, way: Way) -> Option<Self> {
        let (value, start) = match way.member {
            None => (cell_text, 0),
            Some(name) => {
                let members = canonical::members(cell_text, 0)?;
                let mut start = 0;
                let mut found = None;
                for (member, value) in members {
                    // `"name":value,`
                    let at = start + member.len() + 3;
                    if member == name {
                        found = Some((value, at));
                    }
                    start = at + value.len() + 1;
                }
                found?
            }
        };
        let range = canonical::place_of(value, way.tokens)?;
        let (from, to) = (start + range.start + 1, (start + range.end).checked_sub(1)?);
        if !value.get(range)?.starts_with('"') {
            return None;
        }
        Some(Self {
            before: cell_text.get(..from)?,
            inside: cell_text.get(from..to)?,
            after: cell_text.get(to..)?,
        })
    }

    /// The string's characters.
    pub(crate) fn text(&self) -> String {
        if !self.inside.contains('\\') {
            return self.inside.to_owned();
        }
        let quoted = ["\"", self.inside, "\""].concat();
        let value = json::parse(quoted.as_bytes()).ok();
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether another cell's text differs from this one in the string at most.
    pub(crate) fn frames(&self, other: &Passage<'_>) -> bool {
        self.before == other.before && self.after == other.after
    }
}
