//! Binding a row's target to the element table.

use clisonix_fhir::schema::{Kind, Member, Scope, TypeId, type_named};

use super::{BlockType, Checker, element_names};
use crate::mapping::function::Function;
use crate::mapping::plan::{Expression, Place, Put, Writer};
use crate::mapping::{Problem, plan, syntax};

impl<'a> Checker<'a> {
    /// Binds a row of a block whose type is written `path`.
    pub(super) fn put(&mut self, path: &str, ty: BlockType, put: &'a syntax::Put) -> Option<Put> {
        let value = self.expression(&put.value);
        let when = self.when(put.when.as_ref());
        if put.target.is_empty() {
            let value = value?;
            let writer = self.own_writer(path, ty, put, &value)?;
            return Some(plan::Put {
                value,
                target: Vec::new(),
                writer,
                when: when?,
                allowed: &[],
            });
        }
        let (target, member) = self.target(path, ty.scope, &put.target)?;
        let value = value?;
        let writer = self.writer(put, &value, member)?;
        let allowed = member.element.element().targets;
        Some(plan::Put { value, target, writer, when: when?, allowed })
    }

    /// The writer of a row whose target is the block's own value.
    fn own_writer(
        &mut self,
        path: &str,
        ty: BlockType,
        put: &'a syntax::Put,
        value: &Expression,
    ) -> Option<Writer> {
        let is_reference = type_named("Reference").is_some_and(|it| ty.scope == Scope::Type(it));
        let (at, fit) = match (&put.writer, value) {
            (syntax::Writer::Block(name), Expression::Path(_)) => {
                let block = self.block_named(name)?;
                let made = self.block_types.get(block).copied().flatten()?;
                let fit = if made.scope == ty.scope {
                    Ok(Writer::Block(block))
                } else if is_reference && made.resource.is_some() {
                    Ok(Writer::Reference(block))
                } else {
                    Err("the block makes another type")
                };
                (name.at, fit)
            }
            (syntax::Writer::Plain, Expression::Ref(_)) if is_reference => {
                return Some(Writer::Made);
            }
            (syntax::Writer::Block(name) | syntax::Writer::CodeMap(name), _) => {
                (name.at, Err("it takes a path and a block of its type"))
            }
            (syntax::Writer::Plain, _) => (put.at, Err("it takes a block of its type")),
        };
        match fit {
            Ok(writer) => Some(writer),
            Err(reason) => {
                self.misfit(at, ".", path, reason);
                None
            }
        }
    }

    /// The places of a target and what its last one is.
    fn target(
        &mut self,
        path: &str,
        scope: Scope,
        places: &[syntax::Place],
    ) -> Option<(Vec<Place>, Member)> {
        let mut scope = scope;
        let mut bound = Vec::new();
        let mut last = None;
        let own_type = places.len() > 1
            && places.first().is_some_and(|first| first.name.text == path && first.pick.is_none());
        let places = places.get(usize::from(own_type)..)?;
        for (index, place) in places.iter().enumerate() {
            let Some(member) = scope.member(&place.name.text) else {
                return self.unknown("element", &place.name, element_names(scope));
            };
            if member.sibling && (index + 1 == places.len() || member.element.element().is_list()) {
                let reason = "`_name` takes the `id` and `extension` of a single value";
                self.misfit(place.name.at, &place.name.text, member.ty.name(), reason);
                return None;
            }
            self.listness(place, member);
            bound.push(Place {
                name: place.name.text.clone(),
                pick: place.pick,
                rivals: rivals(member),
            });
            last = Some(member);
            if index + 1 < places.len() {
                let Some(inner) = member.scope() else {
                    let ty = member.ty.name();
                    self.misfit(place.name.at, &place.name.text, ty, "it has no elements");
                    return None;
                };
                scope = inner;
            }
        }
        Some((bound, last?))
    }

    fn listness(&mut self, place: &syntax::Place, member: Member) {
        let list = member.element.element().is_list();
        if list != place.pick.is_some() {
            let problem = Problem::Listness { element: place.name.text.clone(), list };
            self.error(place.name.at, problem);
        }
    }

    fn writer(
        &mut self,
        put: &'a syntax::Put,
        value: &Expression,
        member: Member,
    ) -> Option<Writer> {
        let name = &put.target.last()?.name;
        let fit = match &put.writer {
            syntax::Writer::Block(block) => {
                let block = self.block_named(block)?;
                let ty = self.block_types.get(block).copied().flatten()?;
                if matches!(value, Expression::Path(_)) {
                    block_writer(block, ty, member)
                } else {
                    Err("only a path can be given to a block")
                }
            }
            syntax::Writer::CodeMap(map) => {
                let map = self.codemap_named(map)?;
                let system = self.files.codemaps.get(map).is_some_and(|map| map.system.is_some());
                codemap_writer(map, system, member)
            }
            syntax::Writer::Plain => plain_writer(value, member),
        };
        match fit {
            Ok(writer) => Some(writer),
            Err(reason) => {
                self.misfit(name.at, &name.text, member.ty.name(), reason);
                None
            }
        }
    }
}

fn block_writer(block: usize, ty: BlockType, member: Member) -> Result<Writer, &'static str> {
    let target = member.ty.definition();
    if ty.resource.is_some() {
        return match (target.name, target.kind) {
            ("Reference", _) => Ok(Writer::Reference(block)),
            (_, Kind::Resource) => Ok(Writer::Block(block)),
            _ => Err("a block that makes a resource fits a Reference or a resource only"),
        };
    }
    let fits = match (ty.scope, member.scope()) {
        (Scope::Type(made), Some(Scope::Type(wanted))) => wanted.is_a(made),
        (made, wanted) => wanted == Some(made),
    };
    if fits { Ok(Writer::Block(block)) } else { Err("the block makes another type") }
}

fn codemap_writer(map: usize, system: bool, member: Member) -> Result<Writer, &'static str> {
    let ty = member.ty.definition();
    match (ty.name, ty.kind) {
        ("Coding", _) if system => Ok(Writer::Coding(map)),
        ("CodeableConcept", _) if system => Ok(Writer::Concept(map)),
        ("Coding" | "CodeableConcept", _) => Err("the code map needs a system"),
        (_, Kind::Primitive) => Ok(Writer::MappedPrimitive(map, ty.name)),
        _ => Err("a code map fits a primitive, a Coding or a CodeableConcept only"),
    }
}

fn plain_writer(value: &Expression, member: Member) -> Result<Writer, &'static str> {
    let ty = member.ty.definition();
    match value {
        Expression::Ref(_) if ty.name == "Reference" => Ok(Writer::Made),
        Expression::Ref(_) => Err("`ref` makes a Reference"),
        Expression::Call(Function::Quantity, _) if is_quantity(member.ty) => Ok(Writer::Made),
        Expression::Call(Function::Quantity, _) => Err("`quantity` makes a Quantity"),
        _ if ty.kind == Kind::Primitive => Ok(Writer::Primitive(ty.name)),
        _ if ty.name == "Reference" => Err("it takes a block that makes a resource, or `ref`"),
        _ => Err("it takes a block of its type"),
    }
}

fn is_quantity(ty: TypeId) -> bool {
    type_named("Quantity").is_some_and(|quantity| ty.is_a(quantity))
}

/// The names that a choice element has with its other types.
fn rivals(member: Member) -> Vec<String> {
    let element = member.element.element();
    let others =
        element.types.iter().filter(|ty| element.choice && !member.sibling && **ty != member.ty);
    let name = |ty: &TypeId| {
        let mut letters = ty.name().chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        element.name.chars().chain(first).chain(letters).collect()
    };
    others.map(name).collect()
}
