//! Recipes for the elements of a list.

use super::edit::Edit;
use super::kind::{Claim, Kind};
use super::place::{Place, children};
use super::recipe::{Book, Touch, around};
use super::rules;

/// What two authors do to the elements of one list.
pub(crate) fn list(book: &mut Book<'_>, place: &Place) {
    let touch = |edit: Edit| (place.clone(), edit);
    let named = (1..=place.path.len()).any(|depth| {
        let around = Place { path: place.path[..depth].to_vec(), item: 0 };
        rules::is_named(around.at(book.ty()), around.element())
    });
    // What is new in a list that a rule names, or inside of one, may speak of the rest.
    let agreed = if named { Claim::Open } else { Claim::Agreed };
    let two = vec![touch(Edit::Set(0)), touch(Edit::Add(1))];
    for base in [around(place), two.clone()] {
        let same = (Kind::SameTwice, Claim::Agreed);
        book.add(same, base.clone(), touch(Edit::Add(5)), touch(Edit::Add(5)));
        book.add((Kind::Independent, agreed), base, touch(Edit::Add(5)), touch(Edit::Add(6)));
    }
    let same = (Kind::SameTwice, Claim::Agreed);
    book.add(same, two.clone(), touch(Edit::Drop(0)), touch(Edit::Drop(0)));
    let last = (Kind::LastItems, Claim::Open);
    book.add(last, two.clone(), touch(Edit::Drop(0)), touch(Edit::Drop(1)));
    book.add(last, two.clone(), touch(Edit::Clear), touch(Edit::Drop(1)));
    if place.is_thing() {
        things(book, place, &two, agreed);
    } else {
        values(book, place, &two, agreed);
    }
}

fn values(book: &mut Book<'_>, place: &Place, two: &[Touch], agreed: Claim) {
    let touch = |edit: Edit| (place.clone(), edit);
    let replace = |item, n| touch(Edit::Replace { item, n });
    let leaf = |item, leaf, n| touch(Edit::Leaf { choice: 0, item, leaf, n });
    let edits = [replace(0, 3), leaf(0, 0, 3), leaf(0, 1, 3), leaf(0, 2, 3)];
    for edit in edits {
        let removed = (Kind::ItemEditedAndRemoved, Claim::Disputed);
        book.add(removed, two.to_vec(), touch(Edit::Drop(0)), edit.clone());
        let independent = (Kind::Independent, agreed);
        book.add(independent, two.to_vec(), touch(Edit::Turn), edit.clone());
        book.add(independent, two.to_vec(), touch(Edit::Add(5)), edit.clone());
        book.add(independent, two.to_vec(), edit, replace(1, 4));
    }
    let twice = (Kind::ItemEditedTwice, Claim::Disputed);
    book.add(twice, two.to_vec(), replace(0, 3), replace(0, 4));
    for n in 0..3 {
        book.add(twice, two.to_vec(), leaf(0, n, 3), leaf(0, n, 4));
        book.add(twice, two.to_vec(), leaf(0, n, 3), replace(0, 4));
    }
}

fn things(book: &mut Book<'_>, place: &Place, two: &[Touch], agreed: Claim) {
    let touch = |edit: Edit| (place.clone(), edit);
    let children = children(&book.places, place);
    let disputed = Claim::Disputed;
    for child in &children {
        let edit = (child.clone(), Edit::Set(3));
        let kind = match child.element().element().min {
            0 => Kind::ItemEditedAndRemoved,
            _ => Kind::RequiredAndContainer,
        };
        book.add((kind, disputed), two.to_vec(), touch(Edit::Drop(0)), edit.clone());
        book.add((kind, disputed), two.to_vec(), touch(Edit::Clear), edit.clone());
        if !child.element().element().is_list() && !child.is_thing() {
            let twice = (Kind::ItemEditedTwice, disputed);
            book.add(twice, two.to_vec(), edit.clone(), (child.clone(), Edit::Set(4)));
        }
        let independent = (Kind::Independent, agreed);
        book.add(independent, two.to_vec(), touch(Edit::Turn), edit.clone());
        book.add(independent, two.to_vec(), touch(Edit::Add(5)), edit.clone());
        let other = (child.in_item(1), Edit::Set(4));
        book.add(independent, two.to_vec(), edit, other);
    }
}
