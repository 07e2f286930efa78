//! What is not checked again after it was written from a tree would pass the check.

use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::{ElementId, Kind, Scope, TypeId};

use super::{Decomposed, decompose};
use crate::change::{Op, OpsWriter, belongs, encode_ops, fits};
use crate::diff::{BaseEntry, Coverage, diff};
use crate::state::EntryId;

/// Objects with one member each, for every element that may stand at a scope, things in things
/// three deep.
fn singles(scope: Scope, depth: usize) -> Vec<Object> {
    let mut all = Vec::new();
    for &element in scope.elements() {
        for name in names(element) {
            let Some(member) = scope.member(&name) else { continue };
            let inner = member.scope().filter(|_| depth < 3);
            let mut values = vec![Value::from("x")];
            if member.ty.definition().kind != Kind::Primitive {
                values.extend(inner.into_iter().flat_map(|scope| {
                    singles(scope, depth + 1).into_iter().take(40).map(Value::Object)
                }));
            }
            for value in values {
                let is_list = element.element().is_list();
                let value = if is_list { Value::Array(vec![value]) } else { value };
                let mut object = Object::new();
                object.insert(&*name, value);
                all.push(object);
            }
        }
    }
    all
}

fn names(element: ElementId) -> Vec<String> {
    let element = element.element();
    if !element.choice {
        return vec![element.name.to_owned(), format!("_{}", element.name)];
    }
    let of_type = |ty: &TypeId| {
        let (first, rest) = ty.name().split_at(1);
        format!("{}{}{rest}", element.name, first.to_uppercase())
    };
    element.types.iter().map(of_type).collect()
}

#[test]
fn what_is_known_to_fit_passes_the_check() {
    let mut sure = 0;
    for ty in TypeId::all().filter(|ty| ty.definition().kind == Kind::Resource) {
        let entry = EntryId { ty, id: "x".into() };
        for resource in singles(Scope::Type(ty), 0) {
            let Ok(Decomposed { tree, fits: true }) = decompose(ty, &resource) else { continue };
            let base = BaseEntry { shown: None, cells: None };
            let mut ops: Vec<Op> = Vec::new();
            diff(&entry, base, &tree, Coverage::Whole, &mut ops).unwrap();
            let mut written = OpsWriter::new(0);
            diff(&entry, base, &tree, Coverage::Whole, &mut written).unwrap();
            assert_eq!(written.finish(), encode_ops(&ops), "written at once, or one by one");
            for op in ops {
                sure += 1;
                let at = op.address.as_bytes();
                let passes = belongs(ty, at) && fits(at, op.write.written());
                assert!(passes, "{} {resource:?} {op:?}", ty.name());
            }
        }
    }
    assert!(sure > 10_000, "{sure}");
}
