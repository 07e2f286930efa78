//! Rules by the numbers of elements and types.

use std::collections::{BTreeSet, HashMap};

use clisonix_fhir::schema::{ElementId, TypeId, resource_named, type_named};

use super::error::{RuleError, RuleErrorKind};
use super::form::Form;
use super::method::Method;
use super::place;
use super::row::{File, RuleKind, RuleRow};

/// Where every walk begins among the rules for one place inside of a datatype.
pub(crate) const ROOT: u32 = 0;

/// The number of a rule, counted from 1; 0 for none.
type RuleNumber = u16;

/// What is done with an element, and where the walk goes on among the rules for one place.
pub(crate) struct Step<'a> {
    pub(crate) method: Option<&'a Method>,
    pub(crate) node: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Compiled {
    rules: Vec<Rule>,
    /// Where each element's slots begin: one for each type that it may have.
    offsets: Vec<u32>,
    slots: Vec<RuleNumber>,
    deep: HashMap<(u32, ElementId), Deep>,
    resources: HashMap<TypeId, bool>,
    extensions: HashMap<Box<str>, Extension>,
    systems: HashMap<Box<str>, Vec<Form>>,
    /// Beginnings of addresses, the longest first.
    families: Vec<(Box<str>, Vec<Form>)>,
}

#[derive(Clone, Debug)]
struct Rule {
    method: Method,
    file: Box<str>,
    line: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deep {
    node: u32,
    rule: RuleNumber,
}

#[derive(Clone, Debug)]
struct Extension {
    method: Method,
    inner: Vec<Box<str>>,
}

impl Compiled {
    /// `first` in its own order, then the layers by kind of row, each before the one below it.
    pub(super) fn of(first: &[RuleRow], layers: &[File]) -> Result<Self, RuleError> {
        let mut compiled = Self::empty();
        for row in first {
            compiled.row_of(row, true)?;
        }
        for file in layers {
            once(&file.rows)?;
        }
        for kind in [RuleKind::Element, RuleKind::Name, RuleKind::Type] {
            let rows = layers.iter().flat_map(|file| &file.rows);
            for row in rows.filter(|row| row.kind == kind) {
                compiled.row_of(row, false)?;
            }
        }
        for row in layers.iter().flat_map(|file| &file.rows) {
            match row.kind {
                RuleKind::Resource => compiled.resource(row)?,
                RuleKind::Extension => compiled.extension_row(row)?,
                RuleKind::System => compiled.system(row)?,
                RuleKind::Element | RuleKind::Name | RuleKind::Type => {}
            }
        }
        compiled.families.sort_by_key(|(begin, _)| std::cmp::Reverse(begin.len()));
        Ok(compiled)
    }

    fn empty() -> Self {
        let mut empty = Self::default();
        let mut slots = 0;
        for element in ElementId::all() {
            empty.offsets.push(slots);
            slots += element.element().types.len() as u32;
        }
        empty.slots = vec![0; slots as usize];
        empty
    }

    fn rule(&mut self, row: &RuleRow) -> Result<RuleNumber, RuleError> {
        let method = Method::read(&row.method).map_err(|kind| row.error(kind))?;
        self.rules.push(Rule { method, file: row.file.clone(), line: row.line });
        Ok(self.rules.len() as RuleNumber)
    }

    fn row_of(&mut self, row: &RuleRow, in_order: bool) -> Result<(), RuleError> {
        let rule = self.rule(row)?;
        for place in row.places() {
            let known = match row.kind {
                RuleKind::Type => self.of_type(place, rule),
                RuleKind::Name => {
                    let elements: Vec<_> = place::named(place).collect();
                    self.of_elements(&elements, rule)
                }
                _ => self.of_path(place, rule, in_order),
            };
            match known {
                None => return Err(row.error(RuleErrorKind::Path(place.into()))),
                Some(false) => {
                    let method = row.method.clone();
                    return Err(row.error(RuleErrorKind::Fit { path: place.into(), method }));
                }
                Some(true) => {}
            }
        }
        Ok(())
    }

    /// `None`: there is no such place; `Some(false)`: the method does not fit there.
    fn of_type(&mut self, name: &str, rule: RuleNumber) -> Option<bool> {
        let ty = type_named(name)?;
        if !self.fits(rule, ty) {
            return Some(false);
        }
        for element in ElementId::all() {
            if element.element().types.contains(&ty) {
                self.set(element, ty, rule);
            }
        }
        Some(true)
    }

    fn of_elements(&mut self, elements: &[ElementId], rule: RuleNumber) -> Option<bool> {
        if elements.is_empty() {
            return None;
        }
        let mut fits = false;
        for &element in elements {
            for &ty in element.element().types {
                if self.fits(rule, ty) {
                    fits = true;
                    self.set(element, ty, rule);
                }
            }
        }
        Some(fits)
    }

    fn of_path(&mut self, path: &str, rule: RuleNumber, in_order: bool) -> Option<bool> {
        let chains = place::chains(path);
        let (last, mut fits) = (chains.first()?.last().copied()?, false);
        for chain in &chains {
            let last = chain.last().copied().unwrap_or(last);
            if let [alone] = chain.as_slice() {
                fits |= self.of_elements(&[*alone], rule)?;
            } else {
                fits |= last.element().types.iter().any(|&ty| self.fits(rule, ty));
                let types = last.element().types.iter();
                let taken = in_order && types.clone().all(|&ty| self.slot(last, ty) != 0);
                if !taken {
                    self.set_deep(chain, rule);
                }
            }
        }
        Some(fits)
    }

    fn fits(&self, rule: RuleNumber, ty: TypeId) -> bool {
        self.numbered(rule).is_some_and(|rule| rule.method.fits(ty))
    }

    fn numbered(&self, rule: RuleNumber) -> Option<&Rule> {
        self.rules.get(usize::from(rule).checked_sub(1)?)
    }

    fn index(&self, element: ElementId, ty: TypeId) -> Option<usize> {
        let at = element.element().types.iter().position(|&one| one == ty)?;
        Some(*self.offsets.get(usize::from(element.0))? as usize + at)
    }

    fn slot(&self, element: ElementId, ty: TypeId) -> RuleNumber {
        let slot = self.index(element, ty).and_then(|index| self.slots.get(index));
        slot.copied().unwrap_or_default()
    }

    /// Gives the place to the rule if no earlier rule has it.
    fn set(&mut self, element: ElementId, ty: TypeId, rule: RuleNumber) {
        let slot = self.index(element, ty).and_then(|index| self.slots.get_mut(index));
        if let Some(slot) = slot.filter(|slot| **slot == 0) {
            *slot = rule;
        }
    }

    fn set_deep(&mut self, chain: &[ElementId], rule: RuleNumber) {
        let mut node = ROOT;
        for (index, &element) in chain.iter().enumerate() {
            let next = self.deep.len() as u32 + 1;
            let place = self.deep.entry((node, element)).or_insert(Deep { node: next, rule: 0 });
            node = place.node;
            if index + 1 == chain.len() && place.rule == 0 {
                place.rule = rule;
            }
        }
    }

    fn resource(&mut self, row: &RuleRow) -> Result<(), RuleError> {
        let releases = match &*row.method {
            "release" => true,
            "withhold" => false,
            other => return Err(row.error(RuleErrorKind::Method(other.into()))),
        };
        for name in row.places() {
            let path = || row.error(RuleErrorKind::Path(name.into()));
            let ty = resource_named(name).ok_or_else(path)?;
            self.resources.entry(ty).or_insert(releases);
        }
        Ok(())
    }

    fn extension_row(&mut self, row: &RuleRow) -> Result<(), RuleError> {
        let method = Method::read(&row.method).map_err(|kind| row.error(kind))?;
        if !matches!(method, Method::Walk | Method::Form(_) | Method::Redact) {
            let fault = RuleErrorKind::Fit { path: row.place.clone(), method: row.method.clone() };
            return Err(row.error(fault));
        }
        let mut places = row.places();
        let url = places.next().unwrap_or_default();
        let inner = places.map(Box::from).collect();
        self.extensions.entry(url.into()).or_insert(Extension { method, inner });
        Ok(())
    }

    fn system(&mut self, row: &RuleRow) -> Result<(), RuleError> {
        let forms = match &*row.method {
            "redact" => Vec::new(),
            forms => Form::all(forms).map_err(|kind| row.error(kind))?,
        };
        for place in row.places() {
            match place.strip_suffix('*') {
                None => {
                    self.systems.entry(place.into()).or_insert_with(|| forms.clone());
                }
                Some(begin) if self.families.iter().all(|(one, _)| &**one != begin) => {
                    self.families.push((begin.into(), forms.clone()));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    pub(super) fn releases(&self, ty: TypeId) -> bool {
        self.resources.get(&ty).copied().unwrap_or(false)
    }

    pub(super) fn step(&self, node: u32, element: ElementId, ty: TypeId) -> Step<'_> {
        let deep = if self.deep.is_empty() {
            None
        } else {
            self.deep.get(&(node, element)).or_else(|| self.deep.get(&(ROOT, element)))
        };
        let own = deep.filter(|deep| deep.rule != 0 && self.fits(deep.rule, ty));
        let rule = own.map_or_else(|| self.slot(element, ty), |deep| deep.rule);
        let method = self.numbered(rule).map(|rule| &rule.method);
        Step { method, node: deep.map_or(ROOT, |deep| deep.node) }
    }

    /// The file and line of the row that decides.
    pub(super) fn row(&self, element: ElementId, ty: TypeId) -> Option<(&str, usize)> {
        self.numbered(self.slot(element, ty)).map(|rule| (&*rule.file, rule.line))
    }

    pub(super) fn extension(&self, url: &str) -> Option<(&Method, &[Box<str>])> {
        let extension = self.extensions.get(url)?;
        let goes = extension.method != Method::Redact;
        goes.then_some((&extension.method, &*extension.inner))
    }

    pub(super) fn forms(&self, system: &str) -> Option<&[Form]> {
        let family = || self.families.iter().find(|(begin, _)| system.starts_with(&**begin));
        let exact = self.systems.get(system).map(Vec::as_slice);
        exact.or_else(|| family().map(|(_, forms)| forms.as_slice()))
    }
}

/// Whether no place has two rows of one kind in one file.
fn once(rows: &[RuleRow]) -> Result<(), RuleError> {
    let mut seen = BTreeSet::new();
    for row in rows {
        let places = match row.kind {
            RuleKind::Extension => 1,
            _ => usize::MAX,
        };
        for place in row.places().take(places) {
            if !seen.insert((row.kind, place)) {
                return Err(row.error(RuleErrorKind::Twice(place.into())));
            }
        }
    }
    Ok(())
}
