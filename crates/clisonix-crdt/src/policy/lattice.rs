//! Life cycles: the partial order of a status's states.

use std::collections::BTreeSet;

use super::error::PolicyErrorKind;

/// Most states of a life cycle; each may be named as often in its chains.
pub const MAX_STATES: usize = 40;

/// Which state comes after which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lattice {
    /// (earlier, later), closed under "and so on".
    pairs: BTreeSet<(Box<str>, Box<str>)>,
}

impl Lattice {
    /// Reads `registered < preliminary < final; registered < cancelled`: chains of states; a state
    /// alone can be compared with none; `*` stands for all states that are not named beside it.
    ///
    /// # Errors
    /// Too many states, a code that is none of `codes`, a code that is missing, or a state before
    /// itself.
    pub(super) fn new(text: &str, path: &str, codes: &[&str]) -> Result<Self, PolicyErrorKind> {
        let mut pairs = BTreeSet::new();
        let mut named: BTreeSet<&str> = BTreeSet::new();
        let chains: Vec<Vec<&str>> =
            text.split(';').map(|chain| chain.split('<').map(str::trim).collect()).collect();
        let named_in_all = chains.iter().map(Vec::len).sum::<usize>();
        if codes.len() > MAX_STATES || named_in_all > MAX_STATES * MAX_STATES {
            return Err(PolicyErrorKind::TooManyStates(path.into()));
        }
        for &code in chains.iter().flatten() {
            if code != "*" && !codes.contains(&code) {
                return Err(PolicyErrorKind::Code { path: path.into(), code: code.into() });
            }
            named.insert(code);
        }
        if let Some(missing) = codes.iter().find(|code| !named.contains(*code)) {
            return Err(PolicyErrorKind::MissingCode {
                path: path.into(),
                code: (*missing).into(),
            });
        }
        for chain in &chains {
            for (earlier, later) in chain.iter().zip(chain.iter().skip(1)) {
                for earlier in any(earlier, chain, codes) {
                    for later in any(later, chain, codes) {
                        pairs.insert((Box::from(earlier), Box::from(later)));
                    }
                }
            }
        }
        let lattice = Self { pairs: closure(pairs) };
        if codes.iter().any(|code| lattice.is_before(code, code)) {
            return Err(PolicyErrorKind::Cycle(path.into()));
        }
        Ok(lattice)
    }

    /// Whether `later` comes after `earlier`.
    pub(crate) fn is_before(&self, earlier: &str, later: &str) -> bool {
        self.pairs.contains(&(earlier.into(), later.into()))
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(earlier, later)| (&**earlier, &**later))
    }
}

fn any<'c>(state: &'c str, chain: &[&str], codes: &[&'c str]) -> Vec<&'c str> {
    match state {
        "*" => codes.iter().copied().filter(|code| !chain.contains(code)).collect(),
        _ => vec![state],
    }
}

type Pairs = BTreeSet<(Box<str>, Box<str>)>;

fn closure(mut pairs: Pairs) -> Pairs {
    loop {
        let mut more = Vec::new();
        for (first, second) in &pairs {
            for (third, fourth) in &pairs {
                let joined = (first.clone(), fourth.clone());
                if second == third && !pairs.contains(&joined) {
                    more.push(joined);
                }
            }
        }
        if more.is_empty() {
            return pairs;
        }
        pairs.extend(more);
    }
}
