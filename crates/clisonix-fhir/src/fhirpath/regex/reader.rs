//! The text of a regular expression in pieces.

use super::is_word;

/// How deeply groups may nest.
const MAX_GROUPS_DEEP: usize = 64;

/// What a text says.
pub(super) struct Pattern {
    pub(super) piece: Piece,
    /// How many groups hold what they match.
    pub(super) groups: usize,
    /// The names of groups with their numbers.
    pub(super) names: Vec<(String, usize)>,
}

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Empty,
    Char(char),
    Any,
    Class(Vec<Part>, bool),
    Start,
    End,
    Boundary(bool),
    Group(Option<usize>, Box<Piece>),
    Sequence(Vec<Piece>),
    Choice(Vec<Piece>),
    Repeat { piece: Box<Piece>, least: u32, most: Option<u32>, lazy: bool },
}

/// A part of a character class.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Range(char, char),
    /// `\d`, `\w`, `\s`; whether it is one of `\D`, `\W`, `\S`.
    Kind(char, bool),
}

impl Pattern {
    /// `None` if the text is no pattern, or nested too deeply.
    pub(super) fn read(text: &str) -> Option<Self> {
        let chars: Vec<char> = text.chars().collect();
        let mut reader = Reader { rest: &chars, groups: 0, depth: 0, names: Vec::new() };
        let piece = reader.choice().filter(|_| reader.rest.is_empty())?;
        Some(Self { piece, groups: reader.groups, names: reader.names })
    }
}

struct Reader<'a> {
    rest: &'a [char],
    groups: usize,
    depth: usize,
    names: Vec<(String, usize)>,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn take(&mut self, text: &str) -> bool {
        let matches = text.chars().count() <= self.rest.len()
            && text.chars().zip(self.rest).all(|(wanted, there)| wanted == *there);
        if matches {
            self.rest = self.rest.get(text.chars().count()..).unwrap_or_default();
        }
        matches
    }

    fn choice(&mut self) -> Option<Piece> {
        self.depth += 1;
        if self.depth > MAX_GROUPS_DEEP {
            return None;
        }
        let mut choices = vec![self.sequence()?];
        while self.take("|") {
            choices.push(self.sequence()?);
        }
        self.depth -= 1;
        if choices.len() == 1 { choices.pop() } else { Some(Piece::Choice(choices)) }
    }

    fn sequence(&mut self) -> Option<Piece> {
        let mut pieces = Vec::new();
        while !matches!(self.rest.first(), None | Some('|' | ')')) {
            let piece = self.piece()?;
            pieces.push(self.repeated(piece)?);
        }
        if pieces.is_empty() { Some(Piece::Empty) } else { Some(Piece::Sequence(pieces)) }
    }

    fn piece(&mut self) -> Option<Piece> {
        Some(match self.next()? {
            '.' => Piece::Any,
            '^' => Piece::Start,
            '$' => Piece::End,
            '(' => return self.group(),
            '[' => return self.class(),
            '\\' => match self.next()? {
                'b' => Piece::Boundary(true),
                'B' => Piece::Boundary(false),
                'A' => Piece::Start,
                'z' | 'Z' => Piece::End,
                other => match self.escaped(other)? {
                    Part::Range(char, _) => Piece::Char(char),
                    kind @ Part::Kind(..) => Piece::Class(vec![kind], false),
                },
            },
            '*' | '+' | '?' => return None,
            char => Piece::Char(char),
        })
    }

    fn group(&mut self) -> Option<Piece> {
        let number = if self.take("?:") {
            None
        } else {
            self.groups += 1;
            let number = self.groups;
            if self.take("?<") || self.take("?P<") {
                let mut name = String::new();
                loop {
                    match self.next()? {
                        '>' => break,
                        char if is_word(char) => name.push(char),
                        _ => return None,
                    }
                }
                self.names.push((name, number));
            } else if self.take("?") {
                return None;
            }
            Some(number)
        };
        let inner = self.choice()?;
        self.take(")").then(|| Piece::Group(number, Box::new(inner)))
    }

    /// What stands after a backslash.
    fn escaped(&mut self, char: char) -> Option<Part> {
        let plain = match char {
            'd' | 'w' | 's' => return Some(Part::Kind(char, false)),
            'D' | 'W' | 'S' => return Some(Part::Kind(char.to_ascii_lowercase(), true)),
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'f' => '\u{c}',
            'u' => {
                let digits: String = (0..4).filter_map(|_| self.next()).collect();
                u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?
            }
            char if char.is_ascii_alphanumeric() => return None,
            char => char,
        };
        Some(Part::Range(plain, plain))
    }

    fn class(&mut self) -> Option<Piece> {
        let negated = self.take("^");
        let mut parts = Vec::new();
        let mut is_first = true;
        loop {
            let first = match self.next()? {
                ']' if !is_first => return Some(Piece::Class(parts, negated)),
                '\\' => {
                    let char = self.next()?;
                    self.escaped(char)?
                }
                char => Part::Range(char, char),
            };
            is_first = false;
            let is_range = matches!(self.rest, ['-', end, ..] if *end != ']');
            let (Part::Range(low, _), true) = (&first, is_range) else {
                parts.push(first);
                continue;
            };
            self.take("-");
            let high = match self.next()? {
                '\\' => {
                    let char = self.next()?;
                    self.escaped(char)?
                }
                char => Part::Range(char, char),
            };
            let Part::Range(high, _) = high else { return None };
            parts.push(Part::Range(*low, high));
        }
    }

    fn repeated(&mut self, piece: Piece) -> Option<Piece> {
        let (least, most) = if self.take("*") {
            (0, None)
        } else if self.take("+") {
            (1, None)
        } else if self.take("?") {
            (0, Some(1))
        } else if self.rest.first() == Some(&'{') {
            self.take("{");
            let least = self.number()?;
            let most = if self.take(",") {
                if self.rest.first() == Some(&'}') { None } else { Some(self.number()?) }
            } else {
                Some(least)
            };
            if !self.take("}") || most.is_some_and(|most| most < least) {
                return None;
            }
            (least, most)
        } else {
            return Some(piece);
        };
        let lazy = self.take("?");
        Some(Piece::Repeat { piece: Box::new(piece), least, most, lazy })
    }

    fn number(&mut self) -> Option<u32> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.first().filter(|char| char.is_ascii_digit()) {
            digits.push(*digit);
            self.next();
        }
        digits.parse().ok()
    }
}
