//! Recipes for whole entries, contained resources and the narrative.

use clisonix_fhir::schema::{TypeId, resource_named};

use super::TYPES;
use super::edit::Edit;
use super::kind::{Claim, Kind};
use super::place::Place;
use super::recipe::{Book, Recipe, Scene, Touch};

/// What two authors do to one entry as a whole.
pub(crate) fn entries(book: &mut Book<'_>) {
    let tops = book.tops();
    for place in &tops {
        let set = |n| (place.clone(), Edit::Set(n));
        let removed = (Kind::EntryRemovedAndEdited, Claim::Disputed, Scene::Removed);
        for base in [vec![], vec![set(0)]] {
            scene(book, removed.clone(), base, vec![], vec![set(1)]);
        }
        let is_one = !place.element().element().is_list() && !place.is_thing();
        let claim = if is_one { Claim::Disputed } else { Claim::Open };
        let twice = (Kind::EntryCreatedTwice, claim, Scene::Created);
        scene(book, twice, vec![], vec![set(1)], vec![set(2)]);
        let same = (Kind::SameTwice, Claim::Agreed, Scene::Created);
        scene(book, same, vec![], vec![set(1)], vec![set(1)]);
        let gone = (Kind::SameTwice, Claim::Agreed, Scene::RemovedTwice);
        scene(book, gone, vec![set(1)], vec![], vec![]);
    }
    for (index, one) in tops.iter().enumerate() {
        for other in tops.iter().skip(index + 1) {
            for renewed in [false, true] {
                let narrated = (Kind::Narrative, Claim::Open, Scene::Narrated(renewed));
                let set = |place: &Place| vec![(place.clone(), Edit::Set(1))];
                scene(book, narrated, vec![], set(one), set(other));
            }
        }
    }
    for place in book.places.clone() {
        references(book, &place);
    }
}

fn scene(
    book: &mut Book<'_>,
    (kind, claim, scene): (Kind, Claim, Scene),
    base: Vec<Touch>,
    a: Vec<Touch>,
    b: Vec<Touch>,
) {
    book.recipes.push(Recipe { kind, claim, scene, base, a, b });
}

/// References to an entry that the other author removes, and to a contained resource.
fn references(book: &mut Book<'_>, place: &Place) {
    let element = place.element().element();
    if !element.types.iter().any(|ty| ty.name() == "Reference") {
        return;
    }
    let known = || TYPES.iter().filter_map(|name| resource_named(name));
    let may_be = |ty: &TypeId| element.targets.iter().any(|&target| ty.is_a(target));
    for target in known().filter(may_be) {
        let touch = vec![(place.clone(), Edit::Set(0))];
        let kind = (Kind::ReferenceAndRemoval, Claim::Disputed, Scene::ReferredTo(target));
        scene(book, kind, vec![], vec![], touch.clone());
        if place.path.len() == 1 {
            let kind = (Kind::Contained, Claim::Open, Scene::Contained(target));
            scene(book, kind, touch.clone(), vec![(place.clone(), Edit::Set(1))], vec![]);
        }
    }
}
