//! Resources of every type with every element filled, from the element table.

use clisonix_fhir::json::{Number, Object, Value};
use clisonix_fhir::schema::{Element, ElementId, Kind, Member, Scope, TypeId, type_named};
use clisonix_fhir::validate::broken_rules;

use crate::plant::Plants;

/// How deeply elements are filled; below, only what is required.
const DEPTH: usize = 5;

/// What a generator does with elements that may stand or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fill {
    /// All of them, with modifiers that nobody knows.
    Everything,
    /// All of them but `modifierExtension` and `implicitRules`, which keep a resource at home.
    WithoutModifiers,
}

/// Fills resources with planted identifiers.
pub(crate) struct Generator {
    pub(crate) plants: Plants,
    fill: Fill,
    /// Which type of a choice is taken next.
    turn: usize,
    /// An address that a reference may have.
    target: Option<String>,
}

impl Generator {
    pub(crate) fn new(fill: Fill) -> Self {
        Self { plants: Plants::default(), fill, turn: 0, target: None }
    }

    /// A resource of the type, all references to `target`; `turn` chooses among the types of
    /// choices.
    pub(crate) fn resource(&mut self, ty: TypeId, turn: usize, target: &str) -> Value {
        self.turn = turn;
        self.target = Some(target.to_owned());
        let mut resource = self.whole(ty, 0).into();
        if self.fill == Fill::WithoutModifiers {
            repair(&mut resource, ty);
        }
        resource
    }

    fn whole(&mut self, ty: TypeId, depth: usize) -> Object {
        let mut object = Object::new();
        object.insert("resourceType", ty.name());
        self.fill(Scope::Type(ty), depth, &mut object);
        object
    }

    fn fill(&mut self, scope: Scope, depth: usize, object: &mut Object) {
        for &id in scope.elements() {
            let element = id.element();
            let modifies = matches!(element.name, "modifierExtension" | "implicitRules");
            if (modifies && self.fill == Fill::WithoutModifiers)
                || (depth >= DEPTH && element.min == 0)
                || (matches!(element.name, "extension" | "contained") && depth > 2)
                || self.excludes(element)
            {
                continue;
            }
            self.member(id, element, depth, object);
        }
    }

    /// Elements that may not stand beside others that are filled (tim-9, tim-10, qrs-1).
    fn excludes(&self, element: &Element) -> bool {
        match element.path {
            "Timing.repeat.offset" | "QuestionnaireResponse.item.answer.item" => true,
            "Timing.repeat.when" => self.turn.is_multiple_of(2),
            "Timing.repeat.timeOfDay" => !self.turn.is_multiple_of(2),
            _ => false,
        }
    }

    fn member(
        &mut self,
        id: ElementId,
        element: &'static Element,
        depth: usize,
        object: &mut Object,
    ) {
        let choice = self.turn + object.len();
        let ty = element.types[choice % element.types.len()];
        let name =
            if element.choice { chosen(element.name, ty.name()) } else { element.name.to_owned() };
        let member = Member { element: id, ty, sibling: false };
        let value = self.value(member, depth);
        let is_primitive = ty.definition().kind == Kind::Primitive;
        let listed =
            |value: Value| if element.is_list() { Value::from(vec![value]) } else { value };
        object.insert(name.clone(), listed(value));
        if is_primitive && depth <= 2 && element.name != "id" && element.name != "div" {
            let mut sibling = Object::new();
            sibling.insert("id", self.plants.word());
            sibling.insert("extension", vec![self.extension()]);
            object.insert(format!("_{name}"), listed(sibling.into()));
        }
    }

    /// One that nobody knows, with a text.
    fn extension(&mut self) -> Value {
        let mut extension = Object::new();
        extension.insert("url", format!("http://example.org/{}", self.plants.word()));
        extension.insert("valueString", self.plants.text());
        extension.into()
    }

    fn value(&mut self, member: Member, depth: usize) -> Value {
        let element = member.element.element();
        let name = member.ty.name();
        if let Some(scope) = member.scope() {
            return match name {
                "Reference" => self.reference(),
                "Coding" => self.coding(element),
                "Extension" => self.extension(),
                "CodeableConcept" => self.concept(element),
                _ => {
                    let mut object = Object::new();
                    self.fill(scope, depth + 1, &mut object);
                    if name == "Period" {
                        in_order(&mut object);
                    }
                    object.into()
                }
            };
        }
        match member.ty.definition().kind {
            Kind::Resource => {
                let types = ["Patient", "Practitioner", "Observation", "Basic"];
                let ty = type_named(types[self.turn % types.len()]).unwrap();
                self.whole(ty, DEPTH).into()
            }
            _ => self.primitive(element, name),
        }
    }

    fn primitive(&mut self, element: &Element, ty: &str) -> Value {
        match ty {
            "boolean" => true.into(),
            "integer" | "positiveInt" | "unsignedInt" => 3_i64.into(),
            "decimal" if element.path.starts_with("Location.position") => {
                let place = format!("42.3{:06}1", self.plants.all.len());
                self.plants.all.push(place.clone());
                Number::from_text(&place).unwrap().into()
            }
            "decimal" => Number::from_text("7.50").unwrap().into(),
            "code" => match element.binding {
                Some(binding) => binding.codes[self.turn % binding.codes.len()].into(),
                None => self.plants.word().into(),
            },
            "date" => self.plants.date().0.into(),
            "dateTime" | "instant" => {
                let (date, time) = self.plants.date();
                format!("{date}T{time}Z").into()
            }
            "time" => "12:34:56".into(),
            "base64Binary" => self.plants.base64().into(),
            "id" => self.plants.word().into(),
            "xhtml" => {
                let text = self.plants.text();
                format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{text}</div>").into()
            }
            "uri" | "url" | "canonical" => {
                format!("http://records.example.org/{}", self.plants.word()).into()
            }
            "oid" | "uuid" => format!("urn:x:{}", self.plants.word()).into(),
            _ => self.plants.text().into(),
        }
    }

    fn reference(&mut self) -> Value {
        let mut object = Object::new();
        let target = self.target.clone().filter(|_| !self.turn.is_multiple_of(3));
        let text = target.unwrap_or_else(|| format!("Patient/{}", self.plants.word()));
        object.insert("reference", text);
        object.insert("display", self.plants.name());
        let mut identifier = Object::new();
        identifier.insert("value", self.plants.text());
        object.insert("identifier", identifier);
        object.into()
    }

    /// A code of SNOMED CT, or what a clerk wrote in its place.
    fn coding(&mut self, element: &Element) -> Value {
        let mut object = Object::new();
        let bound = element.binding.and_then(|b| Some((*b.systems.first()?, *b.codes.first()?)));
        let (system, code) = match (bound, self.turn % 3) {
            (Some((system, code)), _) => (system.to_owned(), code.to_owned()),
            (None, 0) => ("http://snomed.info/sct".to_owned(), self.plants.word()),
            (None, 1) => {
                (format!("http://hospital.example.org/{}", self.plants.word()), self.plants.word())
            }
            (None, _) => ("http://snomed.info/sct".to_owned(), "44054006".to_owned()),
        };
        object.insert("system", system);
        object.insert("version", self.plants.text());
        object.insert("code", code);
        object.insert("display", self.plants.name());
        object.insert("userSelected", true);
        object.insert("extension", vec![self.extension()]);
        object.into()
    }

    fn concept(&mut self, element: &Element) -> Value {
        let mut object = Object::new();
        object.insert("coding", vec![self.coding(element)]);
        object.insert("text", self.plants.text());
        object.into()
    }
}

/// A period begins before it ends (per-1).
fn in_order(period: &mut Object) {
    let text = |name: &str| period.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (start, end) = (text("start"), text("end"));
    if start > end {
        period.insert("start", end);
        period.insert("end", start);
    }
}

/// Takes elements away, one at a time, until the resource is valid; the forms of primitives and what
/// is required are left as they are.
fn repair(resource: &mut Value, ty: TypeId) {
    for _ in 0..100 {
        let broken = broken_rules(resource);
        let invariants = broken.iter().filter(|rule| rule.key.contains('-'));
        let removable = invariants.flat_map(|rule| &rule.reads).find_map(|name| {
            let elements = Scope::Type(ty).elements().iter().map(|id| id.element());
            let element = elements.into_iter().find(|element| element.name == &**name)?;
            let there =
                |json: &str| json.strip_prefix('_').unwrap_or(json).starts_with(element.name);
            let names: Vec<Box<str>> = resource
                .as_object()?
                .keys()
                .filter(|json| {
                    there(json)
                        && Scope::Type(ty)
                            .member(json)
                            .is_some_and(|m| m.element.element().path == element.path)
                })
                .map(Box::from)
                .collect();
            (element.min == 0 && !names.is_empty()).then_some(names)
        });
        let Some(names) = removable else { return };
        for name in names {
            resource.as_object_mut().unwrap().remove(&name);
        }
    }
}

fn chosen(name: &str, ty: &str) -> String {
    let (first, rest) = ty.split_at(1);
    format!("{name}{}{rest}", first.to_ascii_uppercase())
}
