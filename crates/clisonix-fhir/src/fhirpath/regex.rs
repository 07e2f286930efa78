//! Regular expressions for `matches`, `matchesFull` and `replaceMatches`: the part of PCRE that
//! expressions about FHIR use.
//!
//! Alternatives, groups (also named and non-capturing), classes with ranges and `\d \w \s`, `.`
//! (any character: N1 asks for the single line mode), `^ $ \b \B`, and `* + ? {n,m}`, lazy ones
//! too. No back-references, no looking around. A program of jumps with a stack of its own runs the
//! alternatives one after the other, so that a text cannot exhaust the call stack, and counts its
//! steps, so that no pattern takes for ever.

mod reader;

use super::error::EvaluationError;
use reader::{Part, Pattern, Piece};

/// The longest pattern, in bytes.
pub const MAX_PATTERN_BYTES: usize = 4096;
/// The most instructions of one pattern, counted repetitions written out.
pub const MAX_PROGRAM: usize = 20_000;
#[derive(Clone, Debug)]
enum Step {
    Char(char),
    Any,
    Class(Vec<Part>, bool),
    Start,
    End,
    Boundary(bool),
    Save(usize),
    Jump(usize),
    /// The first way is tried first.
    Split(usize, usize),
    /// Goes on only if something was read since the loop's last round, kept at this place.
    Progress(usize),
    Match,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Regex {
    program: Vec<Step>,
    slots: usize,
    names: Vec<(String, usize)>,
}

type Positions = Vec<Option<usize>>;

impl Regex {
    /// Takes the cost of its program off `steps`, as all that follows takes its own.
    pub(super) fn new(pattern: &str, steps: &mut usize) -> Result<Self, EvaluationError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(EvaluationError::Regex);
        }
        let pattern = Pattern::read(pattern).ok_or(EvaluationError::Regex)?;
        let slots = 2 * (pattern.groups + 1);
        let mut regex = Self { program: Vec::new(), slots, names: pattern.names };
        regex.push(Step::Save(0))?;
        regex.compile(&pattern.piece)?;
        regex.push(Step::Save(1))?;
        regex.push(Step::Match)?;
        let cost = regex.program.len();
        *steps = steps.checked_sub(cost).ok_or(EvaluationError::TooCostly)?;
        Ok(regex)
    }

    pub(super) fn is_found(&self, text: &str, steps: &mut usize) -> Result<bool, EvaluationError> {
        let text: Vec<char> = text.chars().collect();
        Ok(self.search(&text, 0, false, steps)?.is_some())
    }

    pub(super) fn is_whole(&self, text: &str, steps: &mut usize) -> Result<bool, EvaluationError> {
        let text: Vec<char> = text.chars().collect();
        Ok(self.run(&text, 0, true, steps)?.is_some())
    }

    /// With `$1`, `${1}` and `${name}` for what a group holds.
    pub(super) fn replace_all(
        &self,
        text: &str,
        with: &str,
        steps: &mut usize,
    ) -> Result<String, EvaluationError> {
        let text: Vec<char> = text.chars().collect();
        let (mut out, mut at, mut paid) = (String::new(), 0, 0);
        while let Some(found) = self.search(&text, at, false, steps)? {
            let span = |group: usize| {
                let first = group.checked_mul(2)?;
                Some((found.get(first).copied()??, found.get(first.checked_add(1)?).copied()??))
            };
            let Some((start, end)) = span(0) else { break };
            out.extend(text.get(at..start).unwrap_or_default());
            self.expand(with, &mut out, |group| {
                span(group).and_then(|(start, end)| text.get(start..end)).unwrap_or_default()
            })?;
            let made = out.len() / super::evaluation::BYTES_PER_STEP;
            *steps = steps.checked_sub(made - paid).ok_or(EvaluationError::TooCostly)?;
            paid = made;
            at = end;
            if start == end {
                // Nothing was read: the next character stays as it is.
                let Some(char) = text.get(at) else { return Ok(out) };
                out.push(*char);
                at += 1;
            }
            if out.len() > super::MAX_TEXT_BYTES {
                return Err(EvaluationError::TooLong);
            }
        }
        out.extend(text.get(at..).unwrap_or_default());
        Ok(out)
    }

    fn expand<'t>(
        &self,
        with: &str,
        out: &mut String,
        group: impl Fn(usize) -> &'t [char],
    ) -> Result<(), EvaluationError> {
        let mut rest = with;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, next) = braced.unwrap_or_else(|| {
                after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()))
            });
            let named = self.names.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
            if let Some(number) = name.parse().ok().or(named) {
                out.extend(group(number));
                rest = next;
                // One match may name a long group many times.
                if out.len() > super::MAX_TEXT_BYTES {
                    return Err(EvaluationError::TooLong);
                }
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        Ok(())
    }

    fn push(&mut self, step: Step) -> Result<usize, EvaluationError> {
        if self.program.len() >= MAX_PROGRAM {
            return Err(EvaluationError::Regex);
        }
        self.program.push(step);
        Ok(self.program.len() - 1)
    }

    fn set(&mut self, at: usize, step: Step) {
        if let Some(place) = self.program.get_mut(at) {
            *place = step;
        }
    }

    fn compile(&mut self, piece: &Piece) -> Result<(), EvaluationError> {
        let step = match piece {
            Piece::Empty => return Ok(()),
            Piece::Char(char) => Step::Char(*char),
            Piece::Any => Step::Any,
            Piece::Class(parts, negated) => Step::Class(parts.clone(), *negated),
            Piece::Start => Step::Start,
            Piece::End => Step::End,
            Piece::Boundary(wanted) => Step::Boundary(*wanted),
            Piece::Group(None, inner) => return self.compile(inner),
            Piece::Group(Some(number), inner) => {
                self.push(Step::Save(2 * number))?;
                self.compile(inner)?;
                Step::Save(2 * number + 1)
            }
            Piece::Sequence(pieces) => {
                return pieces.iter().try_for_each(|piece| self.compile(piece));
            }
            Piece::Choice(pieces) => return self.compile_choice(pieces),
            Piece::Repeat { piece, least, most, lazy } => {
                return self.compile_repeat(piece, *least, *most, *lazy);
            }
        };
        self.push(step).map(drop)
    }

    fn compile_choice(&mut self, pieces: &[Piece]) -> Result<(), EvaluationError> {
        let mut ends = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            if index + 1 == pieces.len() {
                self.compile(piece)?;
                continue;
            }
            let split = self.push(Step::Match)?;
            self.compile(piece)?;
            ends.push(self.push(Step::Match)?);
            let next = self.program.len();
            self.set(split, Step::Split(split + 1, next));
        }
        let end = self.program.len();
        for at in ends {
            self.set(at, Step::Jump(end));
        }
        Ok(())
    }

    fn compile_repeat(
        &mut self,
        piece: &Piece,
        least: u32,
        most: Option<u32>,
        lazy: bool,
    ) -> Result<(), EvaluationError> {
        let split = |inside, outside| {
            if lazy { Step::Split(outside, inside) } else { Step::Split(inside, outside) }
        };
        for _ in 0..least {
            self.compile(piece)?;
        }
        let Some(most) = most else {
            let slot = self.slots;
            self.slots += 1;
            let start = self.push(Step::Match)?;
            self.push(Step::Progress(slot))?;
            self.compile(piece)?;
            self.push(Step::Jump(start))?;
            let end = self.program.len();
            self.set(start, split(start + 1, end));
            return Ok(());
        };
        let mut starts = Vec::new();
        for _ in least..most {
            starts.push(self.push(Step::Match)?);
            self.compile(piece)?;
        }
        let end = self.program.len();
        for start in starts {
            self.set(start, split(start + 1, end));
        }
        Ok(())
    }

    fn search(
        &self,
        text: &[char],
        from: usize,
        whole: bool,
        steps: &mut usize,
    ) -> Result<Option<Positions>, EvaluationError> {
        for start in from..=text.len() {
            if let Some(found) = self.run(text, start, whole, steps)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Tries the pattern at one place.
    fn run(
        &self,
        text: &[char],
        start: usize,
        whole: bool,
        steps: &mut usize,
    ) -> Result<Option<Positions>, EvaluationError> {
        let mut ways: Vec<(usize, usize, Positions)> = vec![(0, start, vec![None; self.slots])];
        'ways: while let Some((mut next, mut at, mut saved)) = ways.pop() {
            loop {
                *steps = steps.checked_sub(1).ok_or(EvaluationError::TooCostly)?;
                let Some(step) = self.program.get(next) else { continue 'ways };
                next += 1;
                let here = text.get(at).copied();
                let reads = match step {
                    Step::Char(char) => here == Some(*char),
                    Step::Any => here.is_some(),
                    Step::Class(parts, negated) => {
                        here.is_some_and(|char| is_in(parts, char) != *negated)
                    }
                    Step::Start if at == 0 => continue,
                    Step::End if at == text.len() => continue,
                    Step::Boundary(wanted) if is_boundary(text, at) == *wanted => continue,
                    Step::Save(slot) => {
                        if let Some(place) = saved.get_mut(*slot) {
                            *place = Some(at);
                        }
                        continue;
                    }
                    Step::Jump(to) => {
                        next = *to;
                        continue;
                    }
                    Step::Split(first, second) => {
                        *steps = steps.saturating_sub(saved.len());
                        ways.push((*second, at, saved.clone()));
                        next = *first;
                        continue;
                    }
                    Step::Progress(slot) => {
                        let Some(place) = saved.get_mut(*slot) else { continue 'ways };
                        if *place == Some(at) {
                            continue 'ways;
                        }
                        *place = Some(at);
                        continue;
                    }
                    Step::Match if !whole || at == text.len() => return Ok(Some(saved)),
                    _ => false,
                };
                if !reads {
                    continue 'ways;
                }
                at += 1;
            }
        }
        Ok(None)
    }
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn is_boundary(text: &[char], at: usize) -> bool {
    let is_word_at =
        |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|char| is_word(*char));
    is_word_at(at.checked_sub(1)) != is_word_at(Some(at))
}

fn is_in(parts: &[Part], char: char) -> bool {
    parts.iter().any(|part| match part {
        Part::Range(first, last) => (*first..=*last).contains(&char),
        Part::Kind(kind, negated) => {
            let is = match kind {
                'd' => char.is_ascii_digit(),
                'w' => char == '_' || char.is_ascii_alphanumeric(),
                _ => char.is_whitespace(),
            };
            is != *negated
        }
    })
}
