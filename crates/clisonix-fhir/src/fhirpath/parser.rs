//! Tokens in a tree, by the strength of operators (N1, grammar and 6.8).

use super::decimal::Decimal;
use super::error::{ParseError, ParseErrorKind};
use super::function::Function;
use super::lexer::{Token, TokenKind, tokens};
use super::quantity::{Quantity, Unit};
use super::syntax::{Literal, Operator, SIGN_STRENGTH, TYPE_STRENGTH, Term, TypeName};
use super::{MAX_EXPRESSION_BYTES, MAX_EXPRESSION_DEPTH};

pub(super) fn parse(text: &str) -> Result<Term, ParseError> {
    if text.len() > MAX_EXPRESSION_BYTES {
        return Err(ParseError { kind: ParseErrorKind::TooLong, offset: MAX_EXPRESSION_BYTES });
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, end: text.len(), nesting: 0 };
    let deep = parser.expression(0)?;
    match parser.tokens.first() {
        Some(token) => Err(ParseError { kind: ParseErrorKind::Operator, offset: token.offset }),
        None => Ok(deep.term),
    }
}

/// A tree with its depth: what has been read may be as deep as the limit, in a chain of steps too.
struct Deep {
    term: Term,
    depth: usize,
}

struct Parser<'t> {
    /// Those not read yet.
    tokens: &'t [Token],
    end: usize,
    nesting: usize,
}

type Parsed<T> = Result<T, ParseError>;

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t TokenKind> {
        self.tokens.first().map(|token| &token.kind)
    }

    fn advance(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn error<T>(&self, kind: ParseErrorKind) -> Parsed<T> {
        let offset = self.tokens.first().map_or(self.end, |token| token.offset);
        Err(ParseError { kind, offset })
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(TokenKind::Symbol(there)) if *there == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn close(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { self.error(ParseErrorKind::Bracket) }
    }

    fn above(&self, depth: usize, term: Term) -> Parsed<Deep> {
        if depth >= MAX_EXPRESSION_DEPTH {
            return self.error(ParseErrorKind::TooDeep);
        }
        Ok(Deep { term, depth: depth + 1 })
    }

    /// An expression whose operators all bind more tightly than `strength`.
    fn expression(&mut self, strength: u8) -> Parsed<Deep> {
        self.nesting += 1;
        if self.nesting > MAX_EXPRESSION_DEPTH {
            return self.error(ParseErrorKind::TooDeep);
        }
        let mut left = self.signed()?;
        loop {
            if strength < TYPE_STRENGTH
                && let Some(TokenKind::Word(word)) = self.peek()
                && matches!(&**word, "is" | "as")
            {
                self.advance();
                let (ty, operand) = (self.type_name()?, Box::new(left.term));
                let term = if &**word == "is" {
                    Term::Is { operand, ty }
                } else {
                    Term::As { operand, ty }
                };
                left = self.above(left.depth, term)?;
                continue;
            }
            let Some(operator) = self.operator().filter(|found| found.strength() > strength) else {
                self.nesting -= 1;
                return Ok(left);
            };
            self.advance();
            let right = self.expression(operator.strength())?;
            let depth = left.depth.max(right.depth);
            let (left_term, right) = (Box::new(left.term), Box::new(right.term));
            left = self.above(depth, Term::Binary { operator, left: left_term, right })?;
        }
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.peek()? {
            TokenKind::Symbol(symbol) => match *symbol {
                "=" => Operator::Equal,
                "~" => Operator::Equivalent,
                "!=" => Operator::NotEqual,
                "!~" => Operator::NotEquivalent,
                "<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterOrEqual,
                "|" => Operator::Union,
                "+" => Operator::Plus,
                "-" => Operator::Minus,
                "&" => Operator::Concatenate,
                "*" => Operator::Times,
                "/" => Operator::Over,
                _ => return None,
            },
            TokenKind::Word(word) => match &**word {
                "implies" => Operator::Implies,
                "or" => Operator::Or,
                "xor" => Operator::Xor,
                "and" => Operator::And,
                "in" => Operator::In,
                "contains" => Operator::Contains,
                "div" => Operator::Div,
                "mod" => Operator::Mod,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn signed(&mut self) -> Parsed<Deep> {
        let negative = match self.peek() {
            Some(TokenKind::Symbol("-")) => true,
            Some(TokenKind::Symbol("+")) => false,
            _ => return self.chain(),
        };
        self.advance();
        let operand = self.expression(SIGN_STRENGTH)?;
        let term = Term::Sign { negative, operand: Box::new(operand.term) };
        self.above(operand.depth, term)
    }

    /// A term with the steps and indexes behind it.
    fn chain(&mut self) -> Parsed<Deep> {
        let mut base = self.term()?;
        loop {
            if self.take(".") {
                base = self.step(Some(base))?;
            } else if self.take("[") {
                let index = self.expression(0)?;
                self.close("]")?;
                let depth = base.depth.max(index.depth);
                let term = Term::Item { base: Box::new(base.term), index: Box::new(index.term) };
                base = self.above(depth, term)?;
            } else {
                return Ok(base);
            }
        }
    }

    fn term(&mut self) -> Parsed<Deep> {
        let Some(kind) = self.peek() else { return self.error(ParseErrorKind::Operand) };
        let term = match kind {
            TokenKind::Symbol("(") => {
                self.advance();
                let inner = self.expression(0)?;
                self.close(")")?;
                return self.above(inner.depth, inner.term);
            }
            TokenKind::Symbol("{") => {
                self.advance();
                self.close("}")?;
                return Ok(Deep { term: Term::Empty, depth: 1 });
            }
            TokenKind::Number(number, has_point) => {
                self.advance();
                return self.number(*number, *has_point);
            }
            TokenKind::String(text) => Term::Literal(Literal::String(text.clone())),
            TokenKind::Temporal(literal) => Term::Literal(literal.clone()),
            TokenKind::Percent(name) => Term::Variable(name.clone()),
            TokenKind::Dollar(name) => self.dollar(name)?,
            TokenKind::Word(word) if matches!(&**word, "true" | "false") => {
                Term::Literal(Literal::Boolean(&**word == "true"))
            }
            TokenKind::Word(_) | TokenKind::Delimited(_) => return self.step(None),
            TokenKind::Symbol(_) => return self.error(ParseErrorKind::Operand),
        };
        self.advance();
        Ok(Deep { term, depth: 1 })
    }

    fn dollar(&self, name: &str) -> Parsed<Term> {
        match name {
            "this" => Ok(Term::This),
            "index" => Ok(Term::Index),
            "total" => Ok(Term::Total),
            _ => self.error(ParseErrorKind::Operand),
        }
    }

    /// A number, with the unit behind it if there is one.
    fn number(&mut self, value: Decimal, has_point: bool) -> Parsed<Deep> {
        let unit = match self.peek() {
            Some(TokenKind::String(code)) => Some(Unit::code(code)),
            Some(TokenKind::Word(word)) => Unit::calendar(word),
            _ => None,
        };
        let literal = if let Some(unit) = unit {
            self.advance();
            Literal::Quantity(Quantity { value, unit })
        } else if has_point {
            Literal::Decimal(value)
        } else {
            match value.as_whole() {
                Some(whole) => Literal::Integer(whole),
                None => return self.error(ParseErrorKind::Number),
            }
        };
        Ok(Deep { term: Term::Literal(literal), depth: 1 })
    }

    /// A member or a function.
    fn step(&mut self, base: Option<Deep>) -> Parsed<Deep> {
        let (name, is_word) = match self.peek() {
            Some(TokenKind::Word(word)) => (word, true),
            Some(TokenKind::Delimited(name)) => (name, false),
            _ => return self.error(ParseErrorKind::Operand),
        };
        let at = self.tokens;
        self.advance();
        let (base, depth) = base.map_or((None, 0), |base| (Some(Box::new(base.term)), base.depth));
        if !(is_word && self.take("(")) {
            return self.above(depth, Term::Member { base, name: name.clone() });
        }
        let Some(function) = Function::named(name) else {
            self.tokens = at;
            return self.error(ParseErrorKind::Function);
        };
        let arguments = self.arguments(function)?;
        let (least, most) = function.arguments();
        if !(least..=most).contains(&arguments.len()) {
            self.tokens = at;
            return self.error(ParseErrorKind::Arguments);
        }
        let depth = arguments.iter().map(|argument| argument.depth).fold(depth, usize::max);
        let arguments = arguments.into_iter().map(|argument| argument.term).collect();
        self.above(depth, Term::Call { base, function, arguments })
    }

    fn arguments(&mut self, function: Function) -> Parsed<Vec<Deep>> {
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            let takes_type = matches!(function, Function::Is | Function::As | Function::OfType);
            arguments.push(if takes_type {
                let ty = self.type_name()?;
                // The operand is the call's base.
                Deep { term: Term::Is { operand: Box::new(Term::Empty), ty }, depth: 1 }
            } else {
                self.expression(0)?
            });
            if !self.take(",") {
                self.close(")")?;
                return Ok(arguments);
            }
        }
    }

    fn type_name(&mut self) -> Parsed<TypeName> {
        let first = self.name()?;
        if !self.take(".") {
            return Ok(TypeName { namespace: None, name: first });
        }
        Ok(TypeName { namespace: Some(first), name: self.name()? })
    }

    fn name(&mut self) -> Parsed<Box<str>> {
        match self.peek() {
            Some(TokenKind::Word(name) | TokenKind::Delimited(name)) => {
                self.advance();
                Ok(name.clone())
            }
            _ => self.error(ParseErrorKind::Type),
        }
    }
}
