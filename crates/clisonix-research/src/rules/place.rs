//! Finding the elements that a row names.

use clisonix_fhir::schema::{ElementId, Kind, Member, Scope, TypeId, type_named};

/// The most ways that one path may go through choices of types.
const MAX_WAYS: usize = 4096;

/// The elements from the one that a type's own table has down to the one that is meant: one element,
/// or several where the path goes on into a datatype.
pub(super) type Chain = Vec<ElementId>;

/// All elements that a path names; none if FHIR has no such path.
pub(super) fn chains(path: &str) -> Vec<Chain> {
    let Some((root, names)) = path.split_once('.') else { return Vec::new() };
    let Some(ty) = type_named(root) else { return Vec::new() };
    if ty.definition().is_abstract {
        return inherited(ty, names);
    }
    let mut found: Vec<(Chain, Scope)> = Vec::new();
    let mut names = names.split('.');
    if let Some(name) = names.next() {
        found = below(&[], Scope::Type(ty), name);
    }
    for name in names {
        found = found.into_iter().flat_map(|(chain, scope)| below(&chain, scope, name)).collect();
        if found.len() > MAX_WAYS {
            return Vec::new();
        }
    }
    let mut chains: Vec<Chain> = found.into_iter().map(|(chain, _)| shortened(chain)).collect();
    chains.sort_unstable();
    chains.dedup();
    chains
}

/// The elements of that name in every type that is made from an abstract one.
fn inherited(ancestor: TypeId, name: &str) -> Vec<Chain> {
    let of_resource = ancestor.definition().kind == Kind::Resource;
    let is_meant = |id: &ElementId| {
        let element = id.element();
        let owner = element.owner;
        let top = element.path.bytes().filter(|&byte| byte == b'.').count() == 1;
        element.name == name
            && if of_resource {
                top && owner.is_a(ancestor)
            } else {
                !(top && owner.definition().kind == Kind::Resource)
            }
    };
    ElementId::all().filter(is_meant).map(|id| vec![id]).collect()
}

/// The element `name` of a scope, once for each scope that its own members may stand in.
fn below(chain: &[ElementId], scope: Scope, name: &str) -> Vec<(Chain, Scope)> {
    let elements = scope.elements().iter().copied();
    let mut found = Vec::new();
    for id in elements.filter(|id| id.element().name == name) {
        let mut chain = chain.to_vec();
        chain.push(id);
        for &ty in id.element().types {
            let member = Member { element: id, ty, sibling: false };
            let inner = member.scope().unwrap_or(Scope::Type(ty));
            found.push((chain.clone(), inner));
        }
    }
    found
}

/// Without the elements of the type's own table above the last one of them: that one stands for its
/// place by itself.
fn shortened(chain: Chain) -> Chain {
    let owner = chain.first().map(|id| id.element().owner);
    let own = chain.iter().take_while(|id| Some(id.element().owner) == owner).count();
    chain.into_iter().skip(own.saturating_sub(1)).collect()
}

/// All elements of a name.
pub(super) fn named(name: &str) -> impl Iterator<Item = ElementId> + '_ {
    ElementId::all().filter(move |id| id.element().name == name)
}
