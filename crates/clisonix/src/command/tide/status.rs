//! `tide status`: each peer in a few lines, or as JSON.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{Damage, HybridTime, Node, OrderState, Outside as _};
use clisonix_pq::{Fingerprint, PublicIdentity};
use clisonix_server::{Fault, PeerStatus, ServerStatus, Traffic};
use clisonix_tide::Status;

use crate::context::Context;
use crate::exit::Exit;
use crate::outside::System;
use crate::peers::PeerFolder;
use crate::plain::Plain;
use crate::results::Results;
use crate::site_keys::SiteKeys;

pub(super) fn run(site: &SiteKeys, context: &Context) -> Result<Exit> {
    let now = System.now_ms();
    let node = context.open_present()?;
    let (status, is_serving) = match context.service() {
        Some(service) => (service.status()?, true),
        None => (kept(&node, &PeerFolder::of(&site.entry()?))?, false),
    };
    let orders = node.orders()?;
    let mut results = context.results();
    for peer in &status.peers {
        let open = orders.iter().filter(|order| order.unanswered().any(|it| it == peer.peer));
        let view = View { peer, orders: open.count() as u64, is_serving, now };
        results.either(|| view.value(), |results| view.print(results))?;
    }
    for damage in node.damages()? {
        results.either(|| damage_value(&damage), |results| print_damage(&damage, results))?;
    }
    if !context.json() {
        if !is_serving {
            results.line("nothing serves this data directory: `clisonix serve`")?;
        }
        refusals(&status, &mut results)?;
        let asking = orders.iter().filter(|order| order.state == OrderState::Asking).count();
        if asking > 0 {
            results.line(format_args!("{asking} orders to erase wait: `clisonix erasure list`"))?;
        }
    }
    results.finish()?;
    Ok(Exit::Done)
}

/// What is kept of the exchange with each peer.
fn kept(node: &Node, folder: &PeerFolder) -> Result<ServerStatus> {
    let own: Vec<Fingerprint> = folder.own().iter().map(PublicIdentity::fingerprint).collect();
    let mut peers = Vec::new();
    for admission in folder.load()?.admitted() {
        let peer = admission.invitation().fingerprint();
        let mut session = Status::default();
        for own in &own {
            let receipt = node.last_receipt(*own, peer)?;
            session.receipt = receipt.map(|kept| kept.receipt).or(session.receipt);
            let receipt = node.last_receipt(peer, *own)?;
            session.peers_receipt = receipt.map(|kept| kept.receipt).or(session.peers_receipt);
        }
        session.count = session.receipt.map_or(0, |receipt| receipt.count);
        session.agreed_ms = session.receipt.map(|receipt| receipt.time.millis());
        let fault = node.kept_fault(peer)?.map(|(at_ms, what)| Fault { at_ms, what });
        let traffic = Traffic { fault, ..Traffic::default() };
        let name = admission.invitation().about().name.clone();
        peers.push(PeerStatus { peer, name, session: Some(session), traffic });
    }
    Ok(ServerStatus { peers, refused: 0, refusal: None })
}

fn damage_value(damage: &Damage) -> Value {
    let mut object = Object::new();
    object.insert("damaged", damage.record.as_str());
    object.insert("found_ms", damage.found_ms);
    object.insert("put_aside", damage.is_aside);
    object.insert("missing", damage.missing.map_or(Value::Null, Value::from));
    object.insert("missing_own", damage.missing_own);
    Value::Object(object)
}

fn print_damage(damage: &Damage, results: &mut Results) -> io::Result<()> {
    let Damage { record, found_ms, missing_own, .. } = damage;
    results.line(format_args!("the log of the record {record} is damaged, {}", time(*found_ms)))?;
    match (damage.is_aside, damage.missing) {
        (false, _) => results.line("  no peer is known to hold it: a backup has it"),
        (true, Some(missing)) => results.line(format_args!(
            "  it is asked from peers; {missing} changes are not back, {missing_own} of them made here"
        )),
        (true, None) => results.line("  it is asked from peers; what it held cannot be told"),
    }
}

/// A peer with what is to be said of it.
struct View<'a> {
    peer: &'a PeerStatus,
    /// Orders to erase that it has not answered.
    orders: u64,
    is_serving: bool,
    now: u64,
}

/// Records that are not the same at both, as far as is known, and since when.
fn lag(peer: &PeerStatus, now: u64) -> (Option<u64>, Option<u64>) {
    let Some(session) = &peer.session else { return (None, None) };
    let agreed = session.agreed_ms.map(|agreed| now.saturating_sub(agreed) / 1000);
    if session.is_in_sync {
        return (Some(0), agreed.map(|_| 0));
    }
    let open = [session.behind, session.ahead].into_iter().flatten().max();
    (open.map(|open| open.max(session.differing)).or(Some(session.differing)), agreed)
}

impl View<'_> {
    fn value(&self) -> Value {
        let &Self { peer, orders, is_serving, now } = self;
        let mut object = Object::new();
        let number = |number: Option<u64>| number.map_or(Value::Null, Value::from);
        let (records, seconds) = lag(peer, now);
        let records = records.filter(|_| is_serving);
        let session = peer.session.clone().unwrap_or_default();
        object.insert("peer", peer.name.as_str());
        object.insert("fingerprint", peer.peer.hexadecimal());
        object.insert("serving", is_serving);
        object.insert("linked", peer.traffic.linked_since_ms.is_some());
        object.insert("linked_since_ms", number(peer.traffic.linked_since_ms));
        object.insert("in_sync", session.is_in_sync);
        object.insert("agreed_ms", number(session.agreed_ms));
        object.insert("lag_records", number(records));
        object.insert("lag_seconds", number(seconds));
        object.insert("records", session.count);
        object.insert("refused_records", session.refused as u64);
        object.insert("withheld_records", session.outside as u64);
        let receipt = session.receipt.map(|receipt| receipt.time.millis());
        object.insert("receipt_ms", number(receipt));
        let receipt = session.peers_receipt.map(|receipt| receipt.time.millis());
        object.insert("peers_receipt_ms", number(receipt));
        object.insert("orders_unanswered", orders);
        object.insert("bytes_in", peer.traffic.bytes_in);
        object.insert("bytes_out", peer.traffic.bytes_out);
        object.insert("links", peer.traffic.links);
        let fault = peer.traffic.fault.as_ref();
        let words = fault.map(|fault| Value::from(fault.what.as_str()));
        object.insert("last_error", words.unwrap_or(Value::Null));
        object.insert("last_error_ms", number(fault.map(|fault| fault.at_ms)));
        Value::Object(object)
    }

    fn print(&self, results: &mut Results) -> io::Result<()> {
        let &Self { peer, orders, is_serving, now } = self;
        let traffic = &peer.traffic;
        let place = traffic.address.map(|address| format!(" at {address}")).unwrap_or_default();
        results.line(format_args!("{}", Plain(&peer.name)))?;
        let linked = match traffic.linked_since_ms {
            Some(since) => format!("since {}{place}", time(since)),
            None if is_serving => "no".to_owned(),
            None => "not serving".to_owned(),
        };
        results.line(format_args!("  linked        {linked}"))?;
        let (records, seconds) = lag(peer, now);
        let records = records.filter(|_| is_serving);
        match (&peer.session, seconds) {
            (Some(session), Some(0)) if session.is_in_sync => {
                let agreed = time(session.agreed_ms.unwrap_or_default());
                results.line(format_args!(
                    "  in sync       {} records, found {agreed}",
                    session.count
                ))?;
            }
            (_, seconds) => {
                let records = records.map_or_else(|| "?".to_owned(), |records| records.to_string());
                let since =
                    seconds.map_or_else(|| "never yet".to_owned(), |ago| format!("{ago} s ago"));
                results.line(format_args!(
                    "  in sync       {since}; about {records} records differ"
                ))?;
            }
        }
        if let Some(session) = &peer.session {
            if session.refused > 0 {
                results.line(format_args!("  refused       {} records", session.refused))?;
            }
            if let Some(receipt) = session.peers_receipt {
                let (when, count) = (time(receipt.time.millis()), receipt.count);
                results.line(format_args!("  last receipt  {when}, over {count} records"))?;
            }
        }
        if orders > 0 {
            results.line(format_args!("  orders        {orders} to erase are not answered"))?;
        }
        if is_serving {
            let (bytes_in, bytes_out) = (traffic.bytes_in, traffic.bytes_out);
            results.line(format_args!("  bytes         {bytes_in} in, {bytes_out} out"))?;
        }
        match &traffic.fault {
            Some(fault) => {
                let (when, what) = (time(fault.at_ms), Plain(&fault.what));
                results.line(format_args!("  last error    {when}: {what}"))
            }
            None => Ok(()),
        }
    }
}

fn refusals(status: &ServerStatus, results: &mut Results) -> io::Result<()> {
    if status.peers.is_empty() {
        results.line("no peers: `clisonix peers add` admits one")?;
    }
    match &status.refusal {
        Some(fault) => {
            let (count, when, what) = (status.refused, time(fault.at_ms), Plain(&fault.what));
            results.line(format_args!("{count} connections refused, the last {when}: {what}"))
        }
        None => Ok(()),
    }
}

/// A moment as people read it.
fn time(ms: u64) -> String {
    HybridTime::from_millis(ms).to_string()
}
