//! Extensions: those of listed addresses go out, with the values that the rules let through.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{Scope, type_named};

use super::{Pass, Place, Stop};
use crate::report::Event;
use crate::rules::{Method, ROOT};

const DEEP: &[Box<str>] = &[];

impl<'a> Pass<'a> {
    /// The extensions of an element that go out.
    pub(super) fn extensions(&mut self, place: Place<'a>) -> Result<Vec<Value>, Stop> {
        let mut made = Vec::new();
        let items = place.around.get(place.name).and_then(Value::as_array).unwrap_or_default();
        for item in items {
            match self.listed(item)? {
                Some(extension) => {
                    self.note(place.member.element, Event::Kept);
                    made.push(extension.into());
                }
                // An unknown modifier may turn what the resource says into its opposite.
                None if place.element().modifier => return Err(Stop::Modifier),
                None => self.note(place.member.element, Event::Withheld),
            }
        }
        Ok(made)
    }

    /// The extensions in the `_` sibling of a primitive.
    pub(super) fn sibling(&mut self, sibling: &'a Value) -> Result<Option<Object>, Stop> {
        let mut made = Vec::new();
        let items = sibling.get("extension").and_then(Value::as_array).unwrap_or_default();
        for item in items {
            made.extend(self.listed(item)?.map(Value::from));
        }
        let some = !made.is_empty();
        Ok(some.then(|| [("extension", Value::from(made))].into_iter().collect()))
    }

    fn listed(&mut self, item: &'a Value) -> Result<Option<Object>, Stop> {
        let Some(url) = item.get("url").and_then(Value::as_str) else { return Ok(None) };
        let project = self.project;
        match project.rules.extension(url) {
            Some((method, inner)) => self.extension(item, url, method, inner),
            None => Ok(None),
        }
    }

    fn extension(
        &mut self,
        item: &'a Value,
        url: &str,
        method: &Method,
        inner: &[Box<str>],
    ) -> Result<Option<Object>, Stop> {
        let (Some(object), Some(ty)) = (item.as_object(), type_named("Extension")) else {
            return Ok(None);
        };
        let mut out = Object::new();
        let mut parts = Vec::new();
        for part in object.get("extension").and_then(Value::as_array).unwrap_or_default() {
            let name = part.get("url").and_then(Value::as_str).unwrap_or_default();
            if inner.iter().any(|one| &**one == name) {
                let part = self.extension(part, name, &Method::Walk, DEEP)?;
                parts.extend(part.map(Value::from));
            }
        }
        if !parts.is_empty() {
            out.insert("extension", parts);
        }
        out.insert("url", url);
        let before = out.len();
        for name in object.keys().filter(|name| name.starts_with("value")) {
            let Some(member) = Scope::Type(ty).member(name) else { continue };
            match method {
                Method::Form(forms) => {
                    let text = object.get(name).and_then(Value::as_str);
                    if let Some(text) = text.filter(|text| forms.iter().any(|f| f.fits(text))) {
                        out.insert(name, text);
                    }
                }
                _ => self.member(object, name, member, ROOT, &mut out)?,
            }
        }
        let says = out.len() > before || out.contains_key("extension");
        Ok(says.then_some(out))
    }
}
