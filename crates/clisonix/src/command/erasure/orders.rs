//! `erasure list`, `accept` and `refuse`: orders to erase that go and come over links.

use std::collections::BTreeMap;
use std::io;

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{HybridTime, KeptOrder, OrderState};
use clisonix_pq::Fingerprint;
use clisonix_pq::erasure::Done;
use clisonix_pq::link::Admission;

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::plain::{Plain, hexadecimal};
use crate::results::Results;

/// Fewest digits of an order's id.
const MIN_DIGITS: usize = 8;

/// Names of peers, as far as they are known.
type Names = BTreeMap<Fingerprint, String>;

pub(super) fn list(context: &Context) -> Result<Exit> {
    let orders = context.open_present()?.orders()?;
    let names = names(context)?;
    let mut results = context.results();
    for order in &orders {
        results.either(|| value(order), |results| print(order, &names, results))?;
    }
    results.finish()?;
    Ok(Exit::Done)
}

pub(super) fn decide(named: &str, is_accepted: bool, context: &Context) -> Result<Exit> {
    let author = context.author()?;
    let node = context.open_present()?;
    let orders = node.orders()?.into_iter();
    let mut asking = orders.filter(|order| {
        order.state == OrderState::Asking && hexadecimal(&order.digest).starts_with(named)
    });
    let (Some(order), None) = (asking.next().filter(|_| named.len() >= MIN_DIGITS), asking.next())
    else {
        let message = "no order, or several, that wait for a person have this id";
        return Err(Fault::not_found(message).into());
    };
    node.decide_order(order.digest, is_accepted, context.by(&author))?;
    // A serving process does it within a second; without one it is done at the next start.
    if is_accepted && context.service().is_some() {
        node.carry_out_orders(context.by(&author))?;
    }
    list(context)
}

fn names(context: &Context) -> Result<Names> {
    let Some(service) = context.service() else { return Ok(Names::new()) };
    let listed = service.peers().load()?;
    let invitations = listed.admissions.iter().map(Admission::invitation);
    Ok(invitations.map(|it| (it.fingerprint(), it.about().name.clone())).collect())
}

/// What became of an order, for people.
pub(crate) fn words(done: Done) -> &'static str {
    match done {
        Done::Destroyed => "erased, and its key destroyed",
        Done::Erased => "erased; the store there is not encrypted",
        Done::Absent => "not there",
        Done::Refused => "refused",
    }
}

fn value(order: &KeptOrder) -> Value {
    let receipts = order.receipts.iter().map(|receipt| {
        let mut object = Object::new();
        object.insert("site", receipt.site.hexadecimal());
        object.insert("done", receipt.done.name());
        object.insert("made_ms", receipt.made_ms);
        Value::Object(object)
    });
    let unanswered = order.unanswered().map(|peer| Value::from(peer.hexadecimal()));
    let mut object = Object::new();
    object.insert("order", hexadecimal(&order.digest));
    object.insert("issuer", order.issuer.hexadecimal());
    object.insert("made_ms", order.made_ms);
    object.insert("record", order.record.as_str());
    object.insert("change", hexadecimal(&order.change));
    object.insert("inputs", order.inputs);
    object.insert("state", order.state.word());
    object.insert("receipts", receipts.collect::<Value>());
    object.insert("unanswered", unanswered.collect::<Value>());
    Value::Object(object)
}

fn print(order: &KeptOrder, names: &Names, results: &mut Results) -> io::Result<()> {
    let name = |node: &Fingerprint| match names.get(node) {
        Some(name) => Plain(name).to_string(),
        None => node.to_string(),
    };
    let when = HybridTime::from_millis(order.made_ms);
    let id = hexadecimal(&order.digest);
    let state = match order.state {
        OrderState::Given => "given here".to_owned(),
        OrderState::Waiting => format!("from {}, waits for the change", name(&order.issuer)),
        OrderState::Asking => format!("from {}, waits for a person", name(&order.issuer)),
        OrderState::Done => format!("from {}, carried out", name(&order.issuer)),
        OrderState::Refused => format!("from {}, refused", name(&order.issuer)),
        _ => order.state.word().to_owned(),
    };
    results.line(format_args!(
        "{} {when}: the record {}",
        id.get(..16).unwrap_or(&id),
        order.record
    ))?;
    results.line(format_args!("  {state}"))?;
    for receipt in &order.receipts {
        let when = HybridTime::from_millis(receipt.made_ms);
        let (site, what) = (name(&receipt.site), words(receipt.done));
        results.line(format_args!("  {site}: {what}, {when}"))?;
    }
    order
        .unanswered()
        .try_for_each(|peer| results.line(format_args!("  {}: nothing is signed yet", name(&peer))))
}
