//! What two authors do at the elements of a type: recipes for pairs of edits, by kind of hazard.

use clisonix_fhir::schema::{Kind as TypeKind, TypeId};

use super::edit::{Edit, leaf_count};
use super::kind::{Claim, Kind};
use super::place::{Place, children, places};
use super::recipe_entry;
use super::recipe_list;
use super::rules::{self, is_status};
use super::shape::Shapes;

/// One edit of one resource.
pub(crate) type Touch = (Place, Edit);

/// What becomes of whole entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scene {
    /// Both authors edit the one resource.
    Edited,
    /// A removes the resource, B edits it.
    Removed,
    /// Both remove it.
    RemovedTwice,
    /// Both create it.
    Created,
    /// A removes the resource that B's edit refers to.
    ReferredTo(TypeId),
    /// The resource holds a contained one that A lets go and B edits.
    Contained(TypeId),
    /// The resource has a generated narrative; where `true` both write a new one.
    Narrated(bool),
}

/// A recipe for one case.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) kind: Kind,
    pub(crate) claim: Claim,
    pub(crate) scene: Scene,
    pub(crate) base: Vec<Touch>,
    pub(crate) a: Vec<Touch>,
    pub(crate) b: Vec<Touch>,
}

/// Recipes under construction.
pub(crate) struct Book<'s> {
    pub(crate) shapes: &'s Shapes,
    pub(crate) places: Vec<Place>,
    pub(crate) recipes: Vec<Recipe>,
}

impl Book<'_> {
    pub(crate) fn add(
        &mut self,
        (kind, claim): (Kind, Claim),
        base: Vec<Touch>,
        a: Touch,
        b: Touch,
    ) {
        let (scene, a, b) = (Scene::Edited, vec![a], vec![b]);
        self.recipes.push(Recipe { kind, claim, scene, base, a, b });
    }

    pub(crate) fn tops(&self) -> Vec<Place> {
        self.places.iter().filter(|place| place.path.len() == 1).cloned().collect()
    }

    pub(crate) fn ty(&self) -> TypeId {
        self.shapes.ty
    }
}

/// All recipes of a type.
pub(crate) fn recipes(shapes: &Shapes) -> Vec<Recipe> {
    let mut book = Book { shapes, places: places(shapes.ty), recipes: Vec::new() };
    for place in book.places.clone() {
        if place.element().element().is_list() {
            recipe_list::list(&mut book, &place);
        } else if place.is_thing() {
            part(&mut book, &place);
        } else {
            single(&mut book, &place);
        }
        members(&mut book, &place);
        if is_status(place.element().element().name) && place.path.len() == 1 {
            status(&mut book, &place);
        }
    }
    siblings(&mut book);
    for rule in rules::RULES {
        invariant(&mut book, rule);
    }
    recipe_entry::entries(&mut book);
    book.recipes
}

/// Puts the thing around a place into the base, so that both authors edit the same one.
pub(crate) fn around(place: &Place) -> Vec<Touch> {
    match place.around() {
        [] => vec![],
        around => vec![(Place { path: around.to_vec(), item: 0 }, Edit::Set(0))],
    }
}

fn with(place: &Place, edit: Edit) -> Vec<Touch> {
    around(place).into_iter().chain([(place.clone(), edit)]).collect()
}

/// One author's value against the other's.
fn single(book: &mut Book<'_>, place: &Place) {
    let touch = |edit: Edit| (place.clone(), edit);
    let element = place.element().element();
    for base in [around(place), with(place, Edit::Set(0))] {
        for (a, b) in [(1, 2), (2, 5)] {
            let edits = (touch(Edit::Set(a)), touch(Edit::Set(b)));
            book.add((Kind::TwoValues, Claim::Disputed), base.clone(), edits.0, edits.1);
        }
        let same = (touch(Edit::Set(1)), touch(Edit::Set(1)));
        book.add((Kind::SameTwice, Claim::Agreed), base, same.0, same.1);
    }
    let base = vec![touch(Edit::Set(0))];
    if element.min == 0 {
        let edits = (touch(Edit::Clear), touch(Edit::Set(1)));
        book.add((Kind::SetAndClear, Claim::Disputed), base.clone(), edits.0, edits.1);
        book.add(
            (Kind::SameTwice, Claim::Agreed),
            base.clone(),
            touch(Edit::Clear),
            touch(Edit::Clear),
        );
    }
    if element.types.first().is_some_and(|ty| ty.definition().kind == TypeKind::Primitive) {
        let kind = (Kind::ValueAndExtension, Claim::Disputed);
        book.add(kind, base.clone(), touch(Edit::Absent), touch(Edit::Set(1)));
        book.add(kind, base.clone(), touch(Edit::Extend(1)), touch(Edit::Set(1)));
        book.add(kind, base, touch(Edit::Extend(1)), touch(Edit::Extend(2)));
    }
    if element.choice {
        choice(book, place);
    }
}

/// Two halves of a choice.
fn choice(book: &mut Book<'_>, place: &Place) {
    let touch = |choice, n| (place.clone(), Edit::Choose { choice, n });
    let count = place.element().element().types.len();
    for one in 0..count {
        for other in (0..count).filter(|&other| other != one) {
            let kind = (Kind::TwoTypes, Claim::Disputed);
            book.add(kind, around(place), touch(one, 1), touch(other, 2));
            book.add(kind, vec![touch(one, 0)], touch(one, 1), touch(other, 2));
        }
        let (a, b) = (touch(one, 1), (place.clone(), Edit::Clear));
        book.add((Kind::SetAndClear, Claim::Disputed), vec![touch(one, 0)], a, b);
    }
}

/// Two members of one value: a value and its unit, a start and an end, a system and a code.
fn members(book: &mut Book<'_>, place: &Place) {
    if place.is_thing() {
        return;
    }
    let element = place.element().element();
    for choice in 0..element.types.len() {
        let Some((_, value)) = book.shapes.value(place, choice, 0) else { continue };
        let count = leaf_count(&value);
        let mut base = vec![(place.clone(), Edit::Choose { choice, n: 0 })];
        if element.is_list() {
            base.push((place.clone(), Edit::Add(1)));
        }
        let leaf = |leaf, n| (place.clone(), Edit::Leaf { choice, item: 0, leaf, n });
        for one in 0..count {
            for other in (0..count).filter(|&other| other != one) {
                let kind = (Kind::Members, Claim::Disputed);
                book.add(kind, base.clone(), leaf(one, 2), leaf(other, 3));
            }
        }
    }
}

/// A backbone element that may be there once.
fn part(book: &mut Book<'_>, place: &Place) {
    let touch = |edit: Edit| (place.clone(), edit);
    if place.element().element().name != "meta" {
        let created = (Kind::PartCreatedTwice, Claim::Disputed);
        book.add(created, around(place), touch(Edit::Set(1)), touch(Edit::Set(2)));
    }
    let same = (Kind::SameTwice, Claim::Agreed);
    book.add(same, around(place), touch(Edit::Set(1)), touch(Edit::Set(1)));
    let base = vec![touch(Edit::Set(0))];
    book.add(same, base.clone(), touch(Edit::Clear), touch(Edit::Clear));
    for child in children(&book.places, place) {
        let kind = match child.element().element().min {
            0 => Kind::ItemEditedAndRemoved,
            _ => Kind::RequiredAndContainer,
        };
        let edit = (child, Edit::Set(3));
        book.add((kind, Claim::Disputed), base.clone(), touch(Edit::Clear), edit);
    }
}

/// A status against a retraction, and against every other element.
fn status(book: &mut Book<'_>, place: &Place) {
    let codes = place.element().element().binding.map_or(&[][..], |binding| binding.codes);
    let retracted = codes.iter().position(|&code| code == "entered-in-error");
    for (n, _) in codes.iter().enumerate() {
        for base in 0..codes.len().min(3) {
            let set = |n| (place.clone(), Edit::Set(n));
            if let Some(retracted) = retracted.filter(|&retracted| retracted != n) {
                let kind = (Kind::Retraction, Claim::Disputed);
                book.add(kind, vec![set(base)], set(retracted), set(n));
            }
        }
        for other in book.tops().into_iter().filter(|other| other != place) {
            for base in [vec![], vec![(other.clone(), Edit::Set(0))]] {
                let (a, b) = ((place.clone(), Edit::Set(n)), (other.clone(), Edit::Set(1)));
                book.add((Kind::StatusAndOther, Claim::Open), base, a, b);
            }
        }
    }
}

/// Two elements of one object.
fn siblings(book: &mut Book<'_>) {
    let places = book.places.clone();
    for (index, one) in places.iter().enumerate() {
        for other in places.iter().skip(index + 1) {
            if one.around() == other.around() {
                pair(book, one, other);
            } else if other.path.first() != one.path.first() && other.path.len() != one.path.len() {
                // An element inside of a part against one of the resource itself.
                let (deep, top) =
                    if one.path.len() > other.path.len() { (one, other) } else { (other, one) };
                if top.path.len() == 1 {
                    apart(book, deep, top);
                }
            }
        }
    }
}

fn pair(book: &mut Book<'_>, one: &Place, other: &Place) {
    let at = one.at(book.ty());
    let tied = rules::are_tied(at, one.element(), other.element());
    let modifies = |place: &Place| place.element().element().modifier;
    let kind = if !tied && one.path.len() == 1 {
        (Kind::Independent, Claim::Agreed)
    } else if modifies(one) || modifies(other) {
        (Kind::ModifierAndOther, Claim::Open)
    } else {
        (Kind::Siblings, Claim::Open)
    };
    let set = |place: &Place, n| (place.clone(), Edit::Set(n));
    let around = around(one);
    let both = around.iter().cloned().chain([set(one, 0), set(other, 0)]).collect();
    book.add(kind, around, set(one, 1), set(other, 1));
    book.add(kind, both, set(one, 1), set(other, 1));
}

fn apart(book: &mut Book<'_>, deep: &Place, top: &Place) {
    let Some(&outermost) = deep.path.first() else { return };
    if rules::are_tied(top.at(book.ty()), outermost, top.element()) {
        return;
    }
    let set = |place: &Place, n| (place.clone(), Edit::Set(n));
    let base = vec![set(deep, 0), set(top, 0)];
    book.add((Kind::Independent, Claim::Agreed), base, set(deep, 1), set(top, 1));
}

/// Elements that one invariant names: every value and the absence of one against those of another.
fn invariant(book: &mut Book<'_>, rule: &rules::Rule) {
    let ty = book.ty();
    let is_named = |place: &&Place| {
        place.at(ty) == rule.at && rule.elements.contains(&place.element().element().name)
    };
    let named: Vec<Place> = book.places.iter().filter(is_named).cloned().collect();
    let claim = if rule.whole { Claim::Disputed } else { Claim::Open };
    for one in &named {
        for other in named.iter().filter(|other| *other != one && other.around() == one.around()) {
            for base in bases(one, other) {
                for a in values(one) {
                    for b in values(other) {
                        let edits = ((one.clone(), a.clone()), (other.clone(), b));
                        book.add((Kind::Rule, claim), base.clone(), edits.0, edits.1);
                    }
                }
            }
        }
    }
}

fn bases(one: &Place, other: &Place) -> Vec<Vec<Touch>> {
    let around = around(one);
    let with = |touches: Vec<Touch>| around.iter().cloned().chain(touches).collect::<Vec<_>>();
    let touch = |place: &Place, edit| (place.clone(), edit);
    vec![
        with(vec![]),
        with(vec![touch(one, Edit::Set(0)), touch(other, Edit::Set(0))]),
        with(vec![touch(one, Edit::Clear), touch(other, Edit::Clear)]),
        with(vec![touch(one, Edit::Set(0)), touch(other, Edit::Clear)]),
        with(vec![touch(one, Edit::Clear), touch(other, Edit::Set(0))]),
    ]
}

fn values(place: &Place) -> Vec<Edit> {
    let element = place.element().element();
    let mut edits = vec![Edit::Clear];
    let codes = element.binding.map_or(3, |binding| binding.codes.len());
    edits.extend((0..codes).map(Edit::Set));
    edits.extend((1..element.types.len()).map(|choice| Edit::Choose { choice, n: 1 }));
    edits
}
