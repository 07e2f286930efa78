//! Pairing by a short code: `peers invite --code` at one site, `peers add --code` at the other.
//!
//! The code and the proofs that go with it make sure that both sites got each other's invitation;
//! then each site shows both fingerprints and admits the other as it does with a file.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_fhir::json::{self, Object, Value};
use clisonix_pq::Keys;
use clisonix_pq::link::pairing::{Code, DEFAULT_CODE_MS, MAX_CODE_MS};
use clisonix_pq::link::{About, Invitation, Membership};
use console::Term;

use super::{Add, Invite, confirm, show, wake};
use crate::context::Context;
use crate::control;
use crate::exit::{Exit, Fault};
use crate::keyring::Entry;
use crate::outside;
use crate::peers::PeerFolder;
use crate::plain::Plain;
use crate::progress::tell;
use crate::site_keys;
use crate::terms::Terms;

const MS_A_MINUTE: u64 = 60 * 1000;
/// Most letters of a code that is typed at a prompt.
const MAX_TYPED: u64 = 200;

/// Options of `peers invite --code`.
#[derive(Debug, Args)]
pub(super) struct ByCode {
    /// Print a short code instead, to be read out over the telephone with the address, and wait for
    /// whoever comes with it: once, and through the process that serves this data directory. Options
    /// about what the peer may hold are for this way only
    #[arg(long, conflicts_with = "out")]
    pub(super) code: bool,
    /// How long the code is good [default: 15]
    #[arg(long, value_name = "MINUTES", requires = "code",
          value_parser = clap::value_parser!(u64).range(1..=MAX_CODE_MS / MS_A_MINUTE))]
    minutes: Option<u64>,
    /// The fingerprint that the other side read out, as with `peers add` [default: it is shown and
    /// asked for]
    #[arg(long, value_name = "DIGITS", requires = "code")]
    fingerprint: Option<String>,
}

/// Options of `peers add --code`.
#[derive(Debug, Args)]
pub(super) struct WithCode {
    /// The code that the other side read out, in place of a file; `-` reads it from stdin
    #[arg(long, requires = "address")]
    pub(super) code: Option<String>,
    /// The address that the other side read out with the code
    #[arg(long, value_name = "HOST:PORT", requires = "code")]
    address: Option<String>,
    /// This organization's name for the other side [default: the keys' name]
    #[arg(long, value_name = "WORDS", requires = "code")]
    organization: Option<String>,
    /// An identifier of this organization, `system|value`; may stand several times
    #[arg(long, value_name = "SYSTEM|VALUE", requires = "code")]
    identifier: Vec<String>,
    /// Where this node can be reached, `host:port`; may stand several times, and not at all if it
    /// only connects to others
    #[arg(long, value_name = "HOST:PORT", requires = "code")]
    own_address: Vec<String>,
    /// The HTTP proxy through which the other side is reached (`CONNECT`)
    #[arg(long, value_name = "HOST:PORT", requires = "code")]
    proxy: Option<String>,
}

/// Prints a code and admits who comes with it.
pub(super) fn invite(invite: &Invite, context: &Context) -> Result<Exit> {
    let fingerprint = invite.by_code.fingerprint.as_deref();
    can_confirm(fingerprint)?;
    // Before a pass-phrase is asked for; typing it may take longer than a connection waits.
    drop(serving(context)?);
    let (entry, keys) = invite.site.unlocked()?;
    let valid_ms = invite.by_code.minutes.map_or(DEFAULT_CODE_MS, |minutes| minutes * MS_A_MINUTE);
    let request = context.request(wanted(invite, &keys, valid_ms), None)?;
    let mut joiner = None;
    let mut each = |said: Value| {
        match said.get("invitation").and_then(Value::as_str) {
            Some(text) => joiner = Some(joined(&said, text)?),
            None => opened(&said, &keys, &invite.address, valid_ms, context)?,
        }
        Ok(())
    };
    let mut lines = Lines { held: Vec::new(), each: &mut each };
    let stream = serving(context)?;
    let exit = control::ask_for(stream, &request, control::no_pass_phrase, &mut lines)?;
    match joiner {
        Some(joiner) if exit == Exit::Done => {
            let way = Way { fingerprint, terms: &invite.terms };
            admit(joiner, &way, &entry, &keys, context)
        }
        _ => Ok(exit),
    }
}

/// A connection to the process that serves the data directory.
fn serving(context: &Context) -> Result<UnixStream> {
    control::connect(&context.directory()?).ok_or_else(|| {
        let message = "nobody could come with a code: start `clisonix serve --listen ADDRESS` on \
                       this data directory first";
        Fault::unusable(message).into()
    })
}

/// What the serving process is asked for.
fn wanted(invite: &Invite, keys: &Keys, valid_ms: u64) -> Vec<String> {
    let name = invite.organization.as_deref().unwrap_or(keys.name());
    let mut arguments = vec!["tide".to_owned(), "code".to_owned()];
    arguments.push(format!("--organization={name}"));
    arguments.extend(invite.identifier.iter().map(|text| format!("--identifier={text}")));
    arguments.extend(invite.address.iter().map(|text| format!("--address={text}")));
    arguments.push(format!("--valid-ms={valid_ms}"));
    arguments
}

/// Tells the code that the serving process opened.
fn opened(
    said: &Value,
    keys: &Keys,
    addresses: &[String],
    valid_ms: u64,
    context: &Context,
) -> Result<()> {
    let text = |name| said.get(name).and_then(Value::as_str);
    let own = keys.identity().public().fingerprint();
    if text("fingerprint") != Some(&own.hexadecimal()) {
        let message = "the serving process has other keys than these: start it anew";
        return Err(Fault::unusable(message).into());
    }
    let code = text("code").context("the serving process is another version")?;
    let port = text("listening").and_then(|at| at.rsplit_once(':')).map_or("", |(_, port)| port);
    let mut results = context.results();
    results.either(
        || {
            let mut object = Object::new();
            let all = addresses.iter().map(|address| Value::from(address.as_str()));
            object.insert("addresses", Value::Array(all.collect()));
            object.insert("code", code);
            object.insert("fingerprint", own.hexadecimal());
            object.insert("valid_ms", valid_ms);
            Value::Object(object)
        },
        |results| {
            match addresses {
                [] => results.line(format_args!("address  this machine's, with port {port}"))?,
                _ => results.line(format_args!("address  {}", Plain(&addresses.join(" or "))))?,
            }
            results.line(format_args!("code     {code}"))
        },
    )?;
    results.finish()?;
    let minutes = Duration::from_millis(valid_ms).as_secs() / 60;
    tell(&format!(
        "read both to whom you invite, and to nobody else: the code is good once, for {minutes} \
         minutes, and as long as this command waits"
    ));
    Ok(())
}

/// Reads what the serving process got from who came with the code.
fn joined(said: &Value, invitation: &str) -> Result<Invitation> {
    let from = said.get("from").and_then(Value::as_str).unwrap_or_default();
    tell(&format!("somebody came with the code, from {}", Plain(from)));
    if said.get("has_answer").and_then(Value::as_bool) != Some(true) {
        tell(
            "the line broke before the other side said that it has this site's invitation: if it \
              has not, make another code",
        );
    }
    Ok(Invitation::from_text(invitation.as_bytes())?)
}

/// Brings a code to who gave it, and admits that one.
pub(super) fn add(add: Add, context: &Context) -> Result<Exit> {
    let WithCode { code, address, organization, identifier, own_address, proxy } = add.with_code;
    let (code, address) = code.zip(address).context("a code has an address")?;
    let code = if code == "-" { typed()? } else { code };
    // Before anything else: who mistyped it need not wait.
    let code = Code::from_text(&code).map_err(|error| Fault::usage(error.to_string()))?;
    can_confirm(add.fingerprint.as_deref())?;
    let (entry, keys) = add.site.unlocked()?;
    let about = About {
        name: organization.unwrap_or_else(|| keys.name().to_owned()),
        identifiers: identifier,
        addresses: own_address,
    };
    let own = site_keys::invitation(&keys, &about)?;
    let link = site_keys::link_keys(&keys)?;
    let got =
        clisonix_server::join(&address, proxy.as_deref(), &code, &link, &own, outside::random);
    let inviter = got.with_context(|| Plain(&address).to_string())?;
    if inviter.about().addresses.is_empty() && own.about().addresses.is_empty() {
        tell(
            "neither site has given an address, so neither will connect to the other: one of them \
              has to be invited again with --address or --own-address",
        );
    }
    let way = Way { fingerprint: add.fingerprint.as_deref(), terms: &add.terms };
    admit(inviter, &way, &entry, &keys, context)
}

/// How a peer is admitted.
struct Way<'a> {
    fingerprint: Option<&'a str>,
    terms: &'a Terms,
}

/// Shows both fingerprints, has them confirmed, and signs the admission.
fn admit(
    invitation: Invitation,
    way: &Way<'_>,
    entry: &Entry,
    keys: &Keys,
    context: &Context,
) -> Result<Exit> {
    tell(&format!("this site has the fingerprint {}", keys.identity().public().fingerprint()));
    if way.fingerprint.is_some() {
        let (name, fingerprint) = (&invitation.about().name, invitation.fingerprint());
        tell(&format!("{name} has the fingerprint {fingerprint}"));
    }
    confirm(&invitation, way.fingerprint)?;
    let membership = Membership::Admitted;
    let admission = site_keys::admission(keys, invitation, membership, &way.terms.words())?;
    PeerFolder::of(entry).put(&admission)?;
    wake(context);
    show(context, [&admission])
}

/// A code is used up by an exchange; so it is made sure before that somebody can answer then.
fn can_confirm(fingerprint: Option<&str>) -> Result<()> {
    if fingerprint.is_some() || Term::stderr().is_term() {
        return Ok(());
    }
    let message = "the fingerprint of the other side has to be compared over another way: give it \
                   with --fingerprint, or use a terminal";
    Err(Fault::usage(message).into())
}

/// A code from stdin.
fn typed() -> Result<String> {
    if io::stdin().is_terminal() {
        Term::stderr().write_str("The code: ")?;
    }
    let mut line = String::new();
    io::stdin().lock().take(MAX_TYPED).read_line(&mut line)?;
    Ok(line)
}

/// Takes what the serving process says, one object a line.
struct Lines<'a> {
    held: Vec<u8>,
    each: &'a mut dyn FnMut(Value) -> Result<()>,
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
            let later = self.held.split_off(end + 1);
            let line = std::mem::replace(&mut self.held, later);
            let said = json::parse(&line).map_err(|_| io::ErrorKind::InvalidData)?;
            (self.each)(said).map_err(io::Error::other)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
