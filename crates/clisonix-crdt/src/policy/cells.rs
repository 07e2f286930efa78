//! Where cells are: groups, backbone elements that are one cell, and the keys of list elements.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::schema::{ElementId, Kind, Scope, TypeId};

use super::error::{PolicyError, PolicyErrorKind};
use super::key::Key;
use super::place::{datatype_named, element_at, member_of, scope_at};
use super::row::{PolicyRow, RowKind};
use crate::layout::{self, Shape};

/// The cells part of a table, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Cells {
    /// Element number to the number of its group's leader.
    leaders: BTreeMap<u16, u16>,
    /// Leader to all members in definition order.
    groups: BTreeMap<u16, Vec<u16>>,
    whole: BTreeSet<u16>,
    list_keys: BTreeMap<u16, Key>,
    type_keys: BTreeMap<u16, Key>,
    /// By element or by datatype: the way from its cell's value to the text.
    element_texts: BTreeMap<u16, Vec<Box<str>>>,
    type_texts: BTreeMap<u16, Vec<Box<str>>>,
    /// By element number: what is asked of every member of every resource.
    marks: Vec<Marks>,
}

/// What the rows say of one element.
#[derive(Clone, Copy, Debug)]
struct Marks {
    leader: u16,
    is_grouped: bool,
    is_whole: bool,
    has_text: bool,
}

impl Cells {
    pub(super) fn compile(rows: &[PolicyRow]) -> Result<Self, PolicyError> {
        let mut cells = Self::default();
        // What is whole decides what may be in a group; what is named goes before what is general.
        for row in of_kind(rows, RowKind::Whole) {
            cells.add_whole(row).map_err(|kind| row.error(kind))?;
        }
        for general in [false, true] {
            for row in rows.iter().filter(|row| (&*row.path == "*") == general) {
                match row.kind {
                    RowKind::Group if general => cells.add_general_group(row),
                    RowKind::Group => cells.add_group(row),
                    RowKind::Apart => members(row).map(drop),
                    RowKind::Key if general => cells.add_general_key(row),
                    RowKind::Key => cells.add_key(row),
                    _ => Ok(()),
                }
                .map_err(|kind| row.error(kind))?;
            }
        }
        cells.check_keyless(rows)?;
        for row in of_kind(rows, RowKind::Text) {
            cells.add_text(row).map_err(|kind| row.error(kind))?;
        }
        let marks = ElementId::all().map(|element| Marks {
            leader: cells.leaders.get(&element.0).copied().unwrap_or(element.0),
            is_grouped: cells.leaders.contains_key(&element.0),
            is_whole: cells.whole.contains(&element.0),
            has_text: cells.find_text(element).is_some(),
        });
        cells.marks = marks.collect();
        Ok(cells)
    }

    fn marks(&self, element: ElementId) -> Option<&Marks> {
        self.marks.get(usize::from(element.0))
    }

    pub(super) fn leader(&self, element: ElementId) -> ElementId {
        self.marks(element).map_or(element, |marks| ElementId(marks.leader))
    }

    pub(super) fn is_grouped(&self, element: ElementId) -> bool {
        match self.marks(element) {
            Some(marks) => marks.is_grouped,
            // While the rows are read.
            None => self.leaders.contains_key(&element.0),
        }
    }

    pub(super) fn group(&self, leader: ElementId) -> Option<&[u16]> {
        self.groups.get(&leader.0).map(Vec::as_slice)
    }

    pub(super) fn is_whole(&self, element: ElementId) -> bool {
        match self.marks(element) {
            Some(marks) => marks.is_whole,
            None => self.whole.contains(&element.0),
        }
    }

    /// The key of the elements of the list `list`, which have the type `ty`.
    pub(super) fn key(&self, list: ElementId, ty: TypeId) -> Option<&Key> {
        self.list_keys.get(&list.0).or_else(|| self.type_keys.get(&ty.0))
    }

    pub(super) fn type_key(&self, ty: TypeId) -> Option<&Key> {
        self.type_keys.get(&ty.0)
    }

    /// The way from the value of the cell of `element` to the text that several people write in.
    pub(super) fn text(&self, element: ElementId) -> Option<&[Box<str>]> {
        let has_text = self.marks(element).is_none_or(|marks| marks.has_text);
        if has_text { self.find_text(element) } else { None }
    }

    fn find_text(&self, element: ElementId) -> Option<&[Box<str>]> {
        let definition = element.element();
        if self.is_grouped(element) || definition.choice {
            return None;
        }
        let of_type = || self.type_texts.get(&definition.types.first()?.0);
        self.element_texts.get(&element.0).or_else(of_type).map(Vec::as_slice)
    }

    fn add_text(&mut self, row: &PolicyRow) -> Result<(), PolicyErrorKind> {
        let way = || row.words().filter(|word| !word.is_empty()).map(Box::from).collect();
        let no_text = || PolicyErrorKind::NoText(row.path.clone());
        let (twice, ty) = if let Some(ty) = datatype_named(&row.path) {
            (self.type_texts.insert(ty.0, way()).is_some(), Some(ty))
        } else {
            let element = element_at(&row.path).ok_or_else(|| no_path(row))?;
            if self.is_grouped(element) || layout::shape(element) == Shape::Thing {
                return Err(no_text());
            }
            let ty = element.element().types.first().copied();
            (self.element_texts.insert(element.0, way()).is_some(), ty)
        };
        let mut ty = ty.ok_or_else(no_text)?;
        for word in row.words().filter(|word| !word.is_empty()) {
            let member = Scope::Type(ty).member(word).ok_or_else(no_text)?;
            ty = member.ty;
        }
        if ty.definition().kind != Kind::Primitive {
            return Err(no_text());
        }
        if twice { Err(PolicyErrorKind::Twice(row.path.clone())) } else { Ok(()) }
    }

    fn add_whole(&mut self, row: &PolicyRow) -> Result<(), PolicyErrorKind> {
        let element = element_at(&row.path).ok_or_else(|| no_path(row))?;
        if !element.element().is_backbone() {
            return Err(PolicyErrorKind::NotSplit(row.path.clone()));
        }
        let is_new = self.whole.insert(element.0);
        if is_new { Ok(()) } else { Err(PolicyErrorKind::Twice(row.path.clone())) }
    }

    fn add_group(&mut self, row: &PolicyRow) -> Result<(), PolicyErrorKind> {
        if self.is_inside_whole(&row.path) {
            return Err(PolicyErrorKind::NotSplit(row.path.clone()));
        }
        let mut found = Vec::new();
        for (element, as_list) in members(row)? {
            let definition = element.element();
            if definition.is_backbone() && !self.is_whole(element) {
                return Err(PolicyErrorKind::ThingInGroup(definition.path.into()));
            }
            match (definition.is_list(), as_list) {
                (true, false) => {
                    return Err(PolicyErrorKind::ListInGroup(definition.path.into()));
                }
                (false, true) => return Err(PolicyErrorKind::NoList(definition.path.into())),
                _ => found.push(element.0),
            }
        }
        self.join(found)
    }

    /// `*`: in every scope that has all the members, none of them a list, none in a group of its own.
    fn add_general_group(&mut self, row: &PolicyRow) -> Result<(), PolicyErrorKind> {
        for scope in resource_scopes() {
            let found: Option<Vec<u16>> = row
                .words()
                .map(|name| {
                    let element = member_of(scope, name)?;
                    let fits = !element.element().is_list()
                        && !element.element().is_backbone()
                        && !self.is_grouped(element);
                    fits.then_some(element.0)
                })
                .collect();
            if let Some(found) = found {
                self.join(found)?;
            }
        }
        Ok(())
    }

    /// The first that is no list leads: its number is the address of the cell, which must not ask
    /// for a list key, and its name is where a conflict is told.
    fn join(&mut self, mut found: Vec<u16>) -> Result<(), PolicyErrorKind> {
        let single = |number: &&u16| !ElementId(**number).element().is_list();
        let &leader = found.iter().find(single).ok_or(PolicyErrorKind::NoLeader)?;
        for &member in &found {
            if self.leaders.insert(member, leader).is_some() {
                let path = ElementId(member).element().path.into();
                return Err(PolicyErrorKind::TwoGroups(path));
            }
        }
        found.sort_unstable();
        self.groups.insert(leader, found);
        Ok(())
    }

    fn add_key(&mut self, row: &PolicyRow) -> Result<(), PolicyErrorKind> {
        let twice = if let Some(ty) = datatype_named(&row.path) {
            let key = Key::new(row.words(), &row.path, Scope::Type(ty))?;
            self.type_keys.insert(ty.0, key).is_some()
        } else {
            let element = element_at(&row.path).ok_or_else(|| no_path(row))?;
            if !element.element().is_list() {
                return Err(PolicyErrorKind::NoList(row.path.clone()));
            }
            let key = Key::new(row.words(), &row.path, layout::thing_scope(element))?;
            self.list_keys.insert(element.0, key).is_some()
        };
        if twice { Err(PolicyErrorKind::Twice(row.path.clone())) } else { Ok(()) }
    }

    /// `*`: for every list of backbone elements that have all the members.
    fn add_general_key(&mut self, row: &PolicyRow) -> Result<(), PolicyErrorKind> {
        for element in backbone_lists() {
            let scope = layout::thing_scope(element);
            let fits = row.words().all(|name| member_of(scope, name).is_some());
            if fits && !self.list_keys.contains_key(&element.0) {
                self.list_keys.insert(element.0, Key::new(row.words(), &row.path, scope)?);
            }
        }
        Ok(())
    }

    fn check_keyless(&self, rows: &[PolicyRow]) -> Result<(), PolicyError> {
        let mut seen = BTreeSet::new();
        for row in of_kind(rows, RowKind::Keyless) {
            let keyed = if let Some(ty) = datatype_named(&row.path) {
                self.type_keys.contains_key(&ty.0)
            } else {
                let element = element_at(&row.path).ok_or_else(|| row.error(no_path(row)))?;
                if !element.element().is_list() {
                    return Err(row.error(PolicyErrorKind::NoList(row.path.clone())));
                }
                self.list_keys.contains_key(&element.0)
            };
            if keyed {
                return Err(row.error(PolicyErrorKind::KeyAndKeyless(row.path.clone())));
            }
            if !seen.insert(&row.path) {
                return Err(row.error(PolicyErrorKind::Twice(row.path.clone())));
            }
        }
        Ok(())
    }

    /// Whether the element at `path`, or one around it, is written as a whole.
    pub(super) fn is_inside_whole(&self, path: &str) -> bool {
        let element = element_at(path);
        let mut around = element.into_iter().flat_map(super::place::ancestors);
        around.any(|(element, _)| self.is_whole(element))
    }
}

pub(super) fn of_kind(rows: &[PolicyRow], kind: RowKind) -> impl Iterator<Item = &PolicyRow> {
    rows.iter().filter(move |row| row.kind == kind)
}

/// The members that a `group` or `apart` row names, and whether each is marked as a whole list.
pub(super) fn members(row: &PolicyRow) -> Result<Vec<(ElementId, bool)>, PolicyErrorKind> {
    let scope = scope_at(&row.path)?;
    let mut found: Vec<(ElementId, bool)> = Vec::new();
    for word in row.words() {
        let (name, as_list) = word.strip_suffix("[]").map_or((word, false), |name| (name, true));
        if name.contains('.') {
            return Err(PolicyErrorKind::AcrossScopes(name.into()));
        }
        let element = member_of(scope, name)
            .ok_or_else(|| PolicyErrorKind::Member { path: row.path.clone(), name: name.into() })?;
        if found.iter().any(|(other, _)| *other == element) {
            return Err(PolicyErrorKind::Twice(name.into()));
        }
        found.push((element, as_list));
    }
    Ok(found)
}

fn no_path(row: &PolicyRow) -> PolicyErrorKind {
    PolicyErrorKind::Path(row.path.clone())
}

/// All lists of backbone elements of resources.
fn backbone_lists() -> impl Iterator<Item = ElementId> {
    ElementId::all().filter(|element| {
        let definition = element.element();
        definition.is_list()
            && layout::natural_shape(*element) == Shape::Thing
            && definition.owner.definition().kind == Kind::Resource
    })
}

/// Every resource type's members, and every backbone element's.
fn resource_scopes() -> impl Iterator<Item = Scope> {
    let types = TypeId::all().filter(|ty| {
        let definition = ty.definition();
        definition.kind == Kind::Resource && !definition.is_abstract
    });
    let backbones = ElementId::all().filter(|element| {
        let definition = element.element();
        definition.is_backbone() && definition.owner.definition().kind == Kind::Resource
    });
    types.map(Scope::Type).chain(backbones.map(Scope::Element))
}
