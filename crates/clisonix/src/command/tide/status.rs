//! `tide status`: each peer in a few lines, or as JSON.

use std::io;

use anyhow::Result;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{HybridTime, Outside as _};
use clisonix_server::{PeerStatus, ServerStatus};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::outside::System;
use crate::plain::Plain;
use crate::results::Results;

pub(super) fn run(context: &Context) -> Result<Exit> {
    let Some(service) = context.service() else {
        let message = "nothing serves this data directory: start `clisonix serve`";
        return Err(Fault::unusable(message).into());
    };
    let (status, now) = (service.status()?, System.now_ms());
    let mut results = context.results();
    for peer in &status.peers {
        results.either(|| value(peer, now), |results| print(peer, now, results))?;
    }
    if !context.json() {
        refusals(&status, &mut results)?;
    }
    results.finish()?;
    Ok(Exit::Done)
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

fn value(peer: &PeerStatus, now: u64) -> Value {
    let mut object = Object::new();
    let number = |number: Option<u64>| number.map_or(Value::Null, Value::from);
    let (records, seconds) = lag(peer, now);
    let session = peer.session.clone().unwrap_or_default();
    object.insert("peer", peer.name.as_str());
    object.insert("fingerprint", peer.peer.hexadecimal());
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
    object.insert("bytes_in", peer.traffic.bytes_in);
    object.insert("bytes_out", peer.traffic.bytes_out);
    object.insert("links", peer.traffic.links);
    let fault = peer.traffic.fault.as_ref();
    let words = fault.map(|fault| Value::from(fault.what.as_str()));
    object.insert("last_error", words.unwrap_or(Value::Null));
    object.insert("last_error_ms", number(fault.map(|fault| fault.at_ms)));
    Value::Object(object)
}

fn print(peer: &PeerStatus, now: u64, results: &mut Results) -> io::Result<()> {
    let traffic = &peer.traffic;
    let place = traffic.address.map(|address| format!(" at {address}")).unwrap_or_default();
    results.line(format_args!("{}", Plain(&peer.name)))?;
    let linked = match traffic.linked_since_ms {
        Some(since) => format!("since {}{place}", time(since)),
        None => "no".to_owned(),
    };
    results.line(format_args!("  linked        {linked}"))?;
    let (records, seconds) = lag(peer, now);
    match (&peer.session, seconds) {
        (Some(session), Some(0)) if session.is_in_sync => {
            let agreed = time(session.agreed_ms.unwrap_or_default());
            results
                .line(format_args!("  in sync       {} records, found {agreed}", session.count))?;
        }
        (_, seconds) => {
            let records = records.map_or_else(|| "?".to_owned(), |records| records.to_string());
            let since =
                seconds.map_or_else(|| "never yet".to_owned(), |ago| format!("{ago} s ago"));
            results
                .line(format_args!("  in sync       {since}; about {records} records differ"))?;
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
    let (bytes_in, bytes_out) = (traffic.bytes_in, traffic.bytes_out);
    results.line(format_args!("  bytes         {bytes_in} in, {bytes_out} out"))?;
    match &traffic.fault {
        Some(fault) => {
            let (when, what) = (time(fault.at_ms), Plain(&fault.what));
            results.line(format_args!("  last error    {when}: {what}"))
        }
        None => Ok(()),
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
