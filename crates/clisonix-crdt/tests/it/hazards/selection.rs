//! Cases from recipes: a bounded, seeded choice of valid ones.

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::{TypeId, resource_named};

use super::TYPES;
use super::kind::{Claim, Kind};
use super::place::Place;
use super::recipe::{Recipe, Scene, Touch, recipes};
use super::sample;
use super::shape::{ID, Shapes, is_valid};

/// One case: a record that two authors saw, and what each of them made of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Type, kind and edits; finds the case again.
    pub(crate) name: String,
    pub(crate) ty: &'static str,
    pub(crate) kind: Kind,
    pub(crate) claim: Claim,
    pub(crate) base: Vec<Value>,
    pub(crate) a: Vec<Value>,
    pub(crate) b: Vec<Value>,
}

/// The chosen cases.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    pub(crate) cases: Vec<Case>,
    /// Pairs of edits that were left out because one branch or the base is not valid by itself.
    pub(crate) invalid: usize,
    /// Pairs that are no pair: an edit changes nothing, or both are the same where they should not.
    pub(crate) vacuous: usize,
}

impl Selection {
    /// At most about `limit` cases, spread evenly over types and kinds, the same for the same seed;
    /// those only whose name holds `only`.
    pub(crate) fn new(limit: usize, seed: u64, only: &str) -> Self {
        let mut selection = Self::default();
        let quota = limit.div_ceil(TYPES.len() * Kind::ALL.len());
        for (index, name) in TYPES.iter().enumerate() {
            // `Observation/...` asks for one type only.
            if only.split_once('/').is_some_and(|(ty, _)| ty != *name) {
                continue;
            }
            let shapes = Shapes::new(resource_named(name).expect("a type of FHIR R4"));
            let mut recipes = recipes(&shapes);
            shuffle(&mut recipes, seed ^ (index as u64) << 32);
            let mut left = [quota; Kind::ALL.len()];
            for recipe in recipes {
                let Some(left) = left.get_mut(recipe.kind as usize).filter(|left| **left > 0)
                else {
                    continue;
                };
                let before = selection.cases.len();
                selection.take(&shapes, &recipe, only);
                *left -= selection.cases.len() - before;
            }
        }
        selection
    }

    fn take(&mut self, shapes: &Shapes, recipe: &Recipe, only: &str) {
        let name = name_of(shapes.ty, recipe);
        if !name.contains(only) {
            return;
        }
        // A recipe that does not fit its place (an element of a list of one, a leaf of none) is none.
        let Some((base, a, b)) = records(shapes, recipe) else { return };
        let idle = recipe.claim == Claim::Disputed && a == b;
        if a == base || b == base || idle {
            self.vacuous += 1;
            return;
        }
        if ![&base, &a, &b].iter().all(|record| record.iter().all(is_valid)) {
            self.invalid += 1;
            return;
        }
        let (ty, kind, claim) = (shapes.ty.name(), recipe.kind, recipe.claim);
        self.cases.push(Case { name, ty, kind, claim, base, a, b });
    }
}

fn name_of(ty: TypeId, recipe: &Recipe) -> String {
    let touches = |touches: &[Touch]| {
        let names: Vec<String> = touches
            .iter()
            .map(|(place, edit)| match place.item {
                0 => format!("{}={}", place.name(), edit.name()),
                item => format!("{}({item})={}", place.name(), edit.name()),
            })
            .collect();
        names.join(",")
    };
    let scene = match recipe.scene {
        Scene::Edited => String::new(),
        Scene::ReferredTo(target) | Scene::Contained(target) => format!(" of {}", target.name()),
        Scene::Narrated(true) => " anew".into(),
        Scene::Removed | Scene::RemovedTwice | Scene::Created | Scene::Narrated(false) => {
            format!(" {:?}", recipe.scene)
        }
    };
    let (base, a, b) = (touches(&recipe.base), touches(&recipe.a), touches(&recipe.b));
    format!("{}/{}{scene}: {a} | {b} on {base}", ty.name(), recipe.kind.name())
}

type Records = (Vec<Value>, Vec<Value>, Vec<Value>);

fn records(shapes: &Shapes, recipe: &Recipe) -> Option<Records> {
    let mut base = shapes.minimal();
    match &recipe.scene {
        Scene::Narrated(_) => narrate(&mut base, 0)?,
        Scene::Contained(target) => {
            touch(shapes, &mut base, &recipe.base)?;
            contain(shapes, &mut base, recipe, *target)?;
        }
        _ => touch(shapes, &mut base, &recipe.base)?,
    }
    let (mut a, mut b) = (base.clone(), base.clone());
    touch(shapes, &mut a, &recipe.a)?;
    touch(shapes, &mut b, &recipe.b)?;
    let one = |resource: Value| vec![resource];
    Some(match &recipe.scene {
        Scene::Edited | Scene::Narrated(false) => (one(base), one(a), one(b)),
        Scene::Removed => (one(base), vec![], one(b)),
        Scene::RemovedTwice => (one(base), vec![], vec![]),
        Scene::Created => (vec![], one(a), one(b)),
        Scene::Narrated(true) => {
            narrate(&mut a, 1)?;
            narrate(&mut b, 2)?;
            (one(base), one(a), one(b))
        }
        Scene::ReferredTo(target) => {
            let other = other(*target)?;
            let (place, _) = recipe.b.first()?;
            refer(shapes, &mut b, place, &format!("{}/t1", target.name()))?;
            (vec![base.clone(), other.clone()], one(base), vec![b, other])
        }
        Scene::Contained(_) => {
            a.as_object_mut()?.remove("contained");
            let inner = b.get_mut("contained")?.at_mut(0)?.as_object_mut()?;
            inner.insert("language", "de");
            (one(base), one(a), one(b))
        }
    })
}

fn touch(shapes: &Shapes, resource: &mut Value, touches: &[Touch]) -> Option<()> {
    touches.iter().try_for_each(|(place, edit)| edit.apply(shapes, resource, place))
}

fn narrate(resource: &mut Value, n: usize) -> Option<()> {
    let text = json::parse(sample::narrative("generated", n).as_bytes()).ok()?;
    resource.as_object_mut()?.insert("text", text);
    Some(())
}

/// A minimal resource of another entry.
fn other(ty: TypeId) -> Option<Value> {
    let mut other = Shapes::new(ty).minimal();
    other.as_object_mut()?.insert("id", "t1");
    Some(other)
}

/// Makes the element at a place refer to `target`.
fn refer(shapes: &Shapes, resource: &mut Value, place: &Place, target: &str) -> Option<()> {
    let types = place.element().element().types;
    let choice = types.iter().position(|ty| ty.name() == "Reference")?;
    shapes.set(resource, place, choice, 0)?;
    let name = super::shape::member_name(place.element(), choice)?;
    let mut value = place.owner(resource)?.get_mut(&name)?;
    if value.is_array() {
        value = value.at_mut(0)?;
    }
    value.as_object_mut()?.insert("reference", target);
    Some(())
}

fn contain(shapes: &Shapes, resource: &mut Value, recipe: &Recipe, target: TypeId) -> Option<()> {
    let (place, _) = recipe.base.first()?;
    refer(shapes, resource, place, "#c1")?;
    let mut inner = Shapes::new(target).minimal();
    inner.as_object_mut()?.insert("id", "c1");
    resource.as_object_mut()?.insert("contained", vec![inner]);
    debug_assert_eq!(resource.get("id").and_then(Value::as_str), Some(ID));
    Some(())
}

/// `SplitMix64` (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014) under
/// a Fisher-Yates shuffle.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for index in (1..items.len()).rev() {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        items.swap(index, ((z ^ (z >> 31)) % (index as u64 + 1)) as usize);
    }
}
