//! The walk over an expression's tree.

use super::UCUM;
use super::comparison;
use super::context::Context;
use super::error::EvaluationError;
use super::function::Function;
use super::item::{Collection, Item};
use super::syntax::{Literal, Operator, Term, TypeName};
use crate::schema::{Kind, Scope, type_named};

pub(super) type Evaluated<T> = Result<T, EvaluationError>;

/// How many bytes of text cost one step.
pub(super) const BYTES_PER_STEP: usize = 16;

/// Evaluates the parts of one expression.
pub(super) struct Evaluator<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    pub(super) steps_left: usize,
}

/// What `$this`, `$index` and `$total` are.
#[derive(Clone, Copy)]
pub(super) struct Frame<'f, 'a> {
    pub(super) this: &'f [Item<'a>],
    pub(super) index: Option<i64>,
    pub(super) total: Option<&'f [Item<'a>]>,
}

impl<'c, 'a> Evaluator<'c, 'a> {
    pub(super) fn new(context: &'c Context<'a>) -> Self {
        Self { context, steps_left: context.steps }
    }

    /// Counts what the evaluation costs.
    pub(super) fn spend(&mut self, steps: usize) -> Evaluated<()> {
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(EvaluationError::TooCostly)?;
        Ok(())
    }

    pub(super) fn term(&mut self, term: &Term, frame: Frame<'_, 'a>) -> Evaluated<Collection<'a>> {
        self.spend(1)?;
        let result = self.result(term, frame)?;
        if matches!(term, Term::Literal(_) | Term::Binary { .. } | Term::Call { .. }) {
            // Texts that are made take memory; those of the resource are only pointed to.
            self.spend(result.iter().map(Item::made_bytes).sum::<usize>() / BYTES_PER_STEP)?;
        }
        Ok(result)
    }

    fn result(&mut self, term: &Term, frame: Frame<'_, 'a>) -> Evaluated<Collection<'a>> {
        match term {
            Term::Empty => Ok(Vec::new()),
            Term::Literal(literal) => Ok(vec![item_of(literal)]),
            Term::This => Ok(frame.this.to_vec()),
            Term::Index => Ok(vec![Item::Integer(frame.index.ok_or(EvaluationError::Outside)?)]),
            Term::Total => Ok(frame.total.ok_or(EvaluationError::Outside)?.to_vec()),
            Term::Variable(name) => self.variable(name),
            Term::Member { base, name } => self.member(base.as_deref(), name, frame),
            Term::Call { base, function, arguments } => {
                self.call(base.as_deref(), *function, arguments, frame)
            }
            Term::Item { base, index } => self.item(base, index, frame),
            Term::Sign { negative, operand } => {
                let operand = self.term(operand, frame)?;
                super::operators::signed(*negative, &operand)
            }
            Term::Binary { operator, left, right } => self.binary(*operator, left, right, frame),
            Term::Is { operand, ty } => {
                let operand = self.term(operand, frame)?;
                is_of(&operand, ty)
            }
            Term::As { operand, ty } => {
                let operand = self.term(operand, frame)?;
                self.cast(operand, ty)
            }
        }
    }

    fn variable(&self, name: &str) -> Evaluated<Collection<'a>> {
        if let Some(value) = self.context.variables.get(name) {
            return Ok(value.clone());
        }
        let text = |text: &'static str| Ok(vec![Item::text(text)]);
        match name {
            "resource" => Ok(vec![Item::Node(self.context.resource)]),
            "rootResource" => Ok(vec![Item::Node(self.context.root)]),
            "context" => Ok(self.context.focus.clone()),
            "ucum" => text(UCUM),
            "sct" => text("http://snomed.info/sct"),
            "loinc" => text("http://loinc.org"),
            _ => {
                // FHIR R4 2.9.1.5: addresses of HL7's value sets and extensions.
                let address = if let Some(id) = name.strip_prefix("vs-") {
                    format!("http://hl7.org/fhir/ValueSet/{id}")
                } else if let Some(id) = name.strip_prefix("ext-") {
                    format!("http://hl7.org/fhir/StructureDefinition/{id}")
                } else {
                    return Err(EvaluationError::Variable);
                };
                Ok(vec![Item::text(address)])
            }
        }
    }

    fn member(
        &mut self,
        base: Option<&Term>,
        name: &str,
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        let input = match base {
            Some(base) => self.term(base, frame)?,
            None => frame.this.to_vec(),
        };
        if base.is_none() && name.starts_with(|c: char| c.is_ascii_uppercase()) {
            // N1 3.2: an expression may begin with the type of what it is about.
            let of_type = root_of_type(&input, name);
            if !of_type.is_empty() {
                return Ok(of_type);
            }
        }
        let mut found = Vec::new();
        for item in &input {
            match item {
                Item::Node(node) => node.put_children(Some(name), &mut found),
                Item::Type(info) => match name {
                    "name" => found.push(Item::text(info.name)),
                    "namespace" => found.push(Item::text(info.namespace)),
                    _ => {}
                },
                _ => {}
            }
        }
        self.spend(input.len() + found.len())?;
        if self.context.strict && found.is_empty() {
            check_member(base, &input, name)?;
        }
        Ok(found)
    }

    fn item(
        &mut self,
        base: &Term,
        index: &Term,
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        self.check_order(Some(base))?;
        let items = self.term(base, frame)?;
        let index = self.term(index, frame)?;
        let index = match single("[]", &index)? {
            None => return Ok(Vec::new()),
            Some(item) => match item.plain() {
                Item::Integer(index) => index,
                _ => return Err(EvaluationError::Operand("[]")),
            },
        };
        let found = usize::try_from(index).ok().and_then(|index| items.into_iter().nth(index));
        Ok(found.into_iter().collect())
    }

    /// Strict evaluation only: what gives its items in no order must not be asked for one of them.
    pub(super) fn check_order(&self, base: Option<&Term>) -> Evaluated<()> {
        let unordered = matches!(
            base,
            Some(Term::Call { function: Function::Children | Function::Descendants, .. })
        );
        if unordered && self.context.strict { Err(EvaluationError::Order) } else { Ok(()) }
    }

    /// `as`, of one item or where that is allowed of many.
    pub(super) fn cast(&self, operand: Collection<'a>, ty: &TypeName) -> Evaluated<Collection<'a>> {
        if operand.len() > 1 && !self.context.lists_in_as {
            return Err(EvaluationError::NotSingle("as"));
        }
        of_type(operand, ty)
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: &Term,
        right: &Term,
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Collection<'a>> {
        let left = self.term(left, frame)?;
        if let Some(decided) = super::operators::decided_by_left(operator, &left)? {
            return Ok(vec![Item::Boolean(decided)]);
        }
        let right = self.term(right, frame)?;
        let comparisons = match operator {
            Operator::Union => cost_of_distinct(&left).saturating_add(cost_of_distinct(&right)),
            Operator::Equivalent | Operator::NotEquivalent => {
                left.len().saturating_mul(right.len())
            }
            _ => left.len().max(right.len()),
        };
        self.spend(comparisons)?;
        super::operators::apply(operator, left, right)
    }

    /// The truth of an argument about one item.
    pub(super) fn criterion(
        &mut self,
        argument: &Term,
        frame: Frame<'_, 'a>,
    ) -> Evaluated<Option<bool>> {
        let result = self.term(argument, frame)?;
        truth("criterion", &result)
    }
}

/// What is of the type, for a path that begins with a type's name.
fn root_of_type<'a>(input: &[Item<'a>], name: &str) -> Vec<Item<'a>> {
    let Some(wanted) = type_named(name) else { return Vec::new() };
    let is_wanted = |item: &&Item<'a>| {
        item.as_node().and_then(super::item::Node::ty).is_some_and(|ty| ty.is_a(wanted))
    };
    input.iter().filter(is_wanted).cloned().collect()
}

fn check_member(base: Option<&Term>, input: &[Item<'_>], name: &str) -> Evaluated<()> {
    let allowed = |item: &Item<'_>| match item {
        Item::Node(node) => node.allows(name).unwrap_or(true),
        _ => false,
    };
    if !input.is_empty() && !input.iter().any(allowed) {
        return Err(EvaluationError::Element);
    }
    if let Some(Term::As { ty, .. }) = base
        && let Some(ty) = type_named(&ty.name)
        && !Scope::Type(ty).elements().iter().any(|id| id.element().name == name)
    {
        return Err(EvaluationError::Element);
    }
    Ok(())
}

/// The only item, or none (N1 4.5).
pub(super) fn single<'i, 'a>(
    what: &'static str,
    items: &'i [Item<'a>],
) -> Evaluated<Option<&'i Item<'a>>> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item).filter(|item| !item.is_valueless())),
        _ => Err(EvaluationError::NotSingle(what)),
    }
}

/// The truth of a collection: one item that is no boolean counts as true (N1 4.5).
pub(super) fn truth(what: &'static str, items: &[Item<'_>]) -> Evaluated<Option<bool>> {
    Ok(single(what, items)?.map(|item| item.as_bool().unwrap_or(true)))
}

/// Whether the item is of the type; for an element one that is made from it counts too.
fn is_a(item: &Item<'_>, ty: &TypeName) -> bool {
    let namespace = ty.namespace.as_deref();
    match item {
        Item::Node(node) => {
            let known = node.ty().zip(type_named(&ty.name));
            namespace.is_none_or(|name| name == "FHIR") && known.is_some_and(|(is, of)| is.is_a(of))
        }
        _ => namespace.is_none_or(|name| name == "System") && item.type_info().name == &*ty.name,
    }
}

fn check_type(ty: &TypeName) -> Evaluated<()> {
    const SYSTEM: [&str; 8] =
        ["Boolean", "Integer", "Decimal", "String", "Date", "DateTime", "Time", "Quantity"];
    let is_known = type_named(&ty.name).is_some() || SYSTEM.contains(&&*ty.name);
    if is_known { Ok(()) } else { Err(EvaluationError::Type) }
}

/// `is`.
pub(super) fn is_of<'a>(operand: &[Item<'a>], ty: &TypeName) -> Evaluated<Collection<'a>> {
    check_type(ty)?;
    match operand {
        [] => Ok(Vec::new()),
        [item] => Ok(vec![Item::Boolean(is_a(item, ty))]),
        _ => Err(EvaluationError::NotSingle("is")),
    }
}

/// What is of the type. A `code` is no `string` here, though it is for `is`: FHIR's suite asks for
/// it of primitives; an `Age` is a `Quantity` in both.
pub(super) fn of_type<'a>(operand: Collection<'a>, ty: &TypeName) -> Evaluated<Collection<'a>> {
    check_type(ty)?;
    let fits = |item: &Item<'a>| {
        let exact = item
            .as_node()
            .and_then(super::item::Node::ty)
            .is_none_or(|is| is.definition().kind != Kind::Primitive || is.name() == &*ty.name);
        exact && is_a(item, ty)
    };
    Ok(operand.into_iter().filter(fits).collect())
}

fn item_of<'a>(literal: &Literal) -> Item<'a> {
    match literal {
        Literal::Boolean(value) => Item::Boolean(*value),
        Literal::Integer(value) => Item::Integer(*value),
        Literal::Decimal(value) => Item::Decimal(*value),
        Literal::String(text) => Item::text(String::from(&**text)),
        Literal::Date(date) => Item::Date(*date),
        Literal::DateTime(moment) => Item::DateTime(*moment),
        Literal::Time(time) => Item::Time(*time),
        Literal::Quantity(quantity) => Item::Quantity(quantity.clone()),
    }
}

/// What a union spends: texts are told apart by order, other items one by one.
pub(super) fn cost_of_distinct(items: &[Item<'_>]) -> usize {
    if comparison::texts(items).is_some() {
        items.len()
    } else {
        items.len().saturating_mul(items.len())
    }
}
