//! `peers`: invite, add, list and revoke the nodes that records are exchanged with.

mod code;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use clisonix_fhir::json::{Object, Value};
use clisonix_pq::Fingerprint;
use clisonix_pq::link::{About, Admission, Invitation, Membership};
use console::Term;

use self::code::{ByCode, WithCode};
use crate::context::Context;
use crate::control;
use crate::exit::{Exit, Fault};
use crate::new_file::write_new;
use crate::peers::{self, PeerFolder};
use crate::plain::Plain;
use crate::progress::tell;
use crate::results::Results;
use crate::site_keys::{self, SiteKeys};
use crate::terms::Terms;

/// Options of `peers`.
#[derive(Debug, Args)]
pub(crate) struct Peers {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write an invitation: who this node is, its keys and where it can be reached, signed; or print
    /// a short code for one that is given over the network
    Invite(Invite),
    /// Admit a node by its invitation or its code, after its fingerprint was compared over another
    /// way
    Add(Add),
    /// List the peers
    List(List),
    /// Cut a peer off: its links end, and no other one is opened
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Invite {
    /// The organization's name, as others read it [default: the keys' name]
    #[arg(long, value_name = "WORDS")]
    organization: Option<String>,
    /// An identifier of the organization, `system|value`; may stand several times
    #[arg(long, value_name = "SYSTEM|VALUE")]
    identifier: Vec<String>,
    /// Where this node can be reached, `host:port`; may stand several times, and not at all if it
    /// only connects to others
    #[arg(long, value_name = "HOST:PORT")]
    address: Vec<String>,
    /// The file [default: stdout, to be pasted]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    by_code: ByCode,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    site: SiteKeys,
}

#[derive(Debug, Args)]
struct Add {
    /// The invitation: a file, or `-` for one that is pasted
    #[arg(value_name = "FILE", required_unless_present = "code", conflicts_with = "code")]
    file: Option<PathBuf>,
    #[command(flatten)]
    with_code: WithCode,
    /// The fingerprint that the other side read out: eight groups of digits, or 64 hexadecimal
    /// digits [default: it is shown and asked for]
    #[arg(long, value_name = "DIGITS")]
    fingerprint: Option<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    site: SiteKeys,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    site: SiteKeys,
}

#[derive(Debug, Args)]
struct Revoke {
    /// The peer's name, or the beginning of its fingerprint
    #[arg(value_name = "PEER")]
    peer: String,
    #[command(flatten)]
    site: SiteKeys,
}

impl Peers {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        match self.action {
            Action::Invite(invite) => invite.run(context),
            Action::Add(add) => add.run(context),
            Action::List(list) => list.run(context),
            Action::Revoke(revoke) => revoke.run(context),
        }
    }
}

impl Invite {
    fn run(self, context: &Context) -> Result<Exit> {
        if self.by_code.code {
            return code::invite(&self, context);
        }
        if !self.terms.are_default() {
            let message = "what a peer may hold is said with --code, or when it is added";
            return Err(Fault::usage(message).into());
        }
        let (_, keys) = self.site.unlocked()?;
        let about = About {
            name: self.organization.unwrap_or_else(|| keys.name().to_owned()),
            identifiers: self.identifier,
            addresses: self.address,
        };
        let invitation = site_keys::invitation(&keys, &about)?;
        let fingerprint = invitation.fingerprint();
        tell(&format!("read this to whom you invite: {fingerprint}"));
        let mut results = context.results();
        if let Some(path) = &self.out {
            write_new(path, invitation.to_text())?;
            results.either(
                || {
                    let mut object = Object::new();
                    object.insert("fingerprint", fingerprint.hexadecimal());
                    object.insert("file", path.display().to_string());
                    Value::Object(object)
                },
                |results| results.line(format_args!("the invitation is {}", path.display())),
            )?;
        } else {
            results.bytes(invitation.to_text().as_bytes())?;
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

impl Add {
    fn run(self, context: &Context) -> Result<Exit> {
        let Some(file) = &self.file else {
            return code::add(self, context);
        };
        let named = || file.display().to_string();
        let text = if file.as_os_str() == "-" {
            peers::read(io::stdin())
        } else {
            File::open(file).and_then(peers::read)
        };
        let invitation = Invitation::from_text(&text.with_context(named)?).with_context(named)?;
        confirm(&invitation, self.fingerprint.as_deref())?;
        let (entry, keys) = self.site.unlocked()?;
        let (membership, terms) = (Membership::Admitted, self.terms.words());
        let admission = site_keys::admission(&keys, invitation, membership, &terms)?;
        PeerFolder::of(&entry).put(&admission)?;
        wake(context);
        show(context, [&admission])
    }
}

impl List {
    fn run(self, context: &Context) -> Result<Exit> {
        let listed = PeerFolder::of(&self.site.entry()?).load()?;
        for (path, error) in &listed.refused {
            tell(&format!("{}: not admitted: {error}", path.display()));
        }
        show(context, &listed.admissions)?;
        Ok(if listed.refused.is_empty() { Exit::Done } else { Exit::Damaged })
    }
}

impl Revoke {
    fn run(self, context: &Context) -> Result<Exit> {
        let folder = PeerFolder::of(&self.site.entry()?);
        let admission = folder.find(&self.peer)?;
        let (_, keys) = self.site.unlocked()?;
        let (invitation, revoked) = (admission.invitation().clone(), Membership::Revoked);
        let revoked = site_keys::admission(&keys, invitation, revoked, admission.terms())?;
        folder.put(&revoked)?;
        wake(context);
        show(context, [&revoked])
    }
}

/// Has a serving process look at its peers now; without one there is nothing to do.
fn wake(context: &Context) {
    let Ok(directory) = context.directory() else { return };
    if let Some(stream) = control::connect(&directory) {
        let request = context.request(vec!["tide".to_owned(), "peers".to_owned()], None);
        let asked =
            request.and_then(|request| control::ask(stream, &request, control::no_pass_phrase));
        if asked.is_err() {
            tell("the serving process could not be told; it looks by itself every few seconds");
        }
    }
}

/// Makes sure that somebody has compared the fingerprint.
fn confirm(invitation: &Invitation, given: Option<&str>) -> Result<()> {
    let fingerprint = invitation.fingerprint();
    if let Some(given) = given {
        if is_of(fingerprint, given) {
            return Ok(());
        }
        let message = format!("the invitation has another fingerprint: {fingerprint}");
        return Err(Fault::usage(message).into());
    }
    let terminal = Term::stderr();
    if !terminal.is_term() {
        let message = format!(
            "the invitation has the fingerprint {fingerprint}: compare it over another way, and \
             give it with --fingerprint"
        );
        return Err(Fault::usage(message).into());
    }
    let about = invitation.about();
    terminal.write_line(&format!("{} has the fingerprint", Plain(&about.name)))?;
    terminal.write_line(&format!("  {fingerprint}"))?;
    terminal.write_str("Did they read the same to you over another way? (yes/no) ")?;
    if terminal.read_line()?.trim() == "yes" {
        return Ok(());
    }
    Err(Fault::usage("the fingerprint was not compared").into())
}

fn is_of(fingerprint: Fingerprint, given: &str) -> bool {
    let given: String = given.chars().filter(|digit| !digit.is_whitespace()).collect();
    given == fingerprint.hexadecimal() || given == fingerprint.to_string().replace(' ', "")
}

fn show<'a>(
    context: &Context,
    admissions: impl IntoIterator<Item = &'a Admission>,
) -> Result<Exit> {
    let mut results = context.results();
    for admission in admissions {
        results.either(|| value(admission), |results| print(admission, results))?;
    }
    results.finish()?;
    Ok(Exit::Done)
}

fn value(admission: &Admission) -> Value {
    let (invitation, mut object) = (admission.invitation(), Object::new());
    let texts = |texts: &[String]| {
        Value::Array(texts.iter().map(|text| Value::from(text.as_str())).collect())
    };
    object.insert("peer", invitation.about().name.as_str());
    object.insert("fingerprint", invitation.fingerprint().hexadecimal());
    object.insert("membership", admission.membership().name());
    object.insert("since_ms", admission.made_ms());
    object.insert("identifiers", texts(&invitation.about().identifiers));
    object.insert("addresses", texts(&invitation.about().addresses));
    object.insert("terms", texts(admission.terms()));
    Value::Object(object)
}

fn print(admission: &Admission, results: &mut Results) -> io::Result<()> {
    let invitation = admission.invitation();
    let about = invitation.about();
    results.line(format_args!("{} ({})", Plain(&about.name), admission.membership().name()))?;
    results.line(format_args!("  fingerprint  {}", invitation.fingerprint()))?;
    let at = if about.addresses.is_empty() {
        "waits for it to connect".to_owned()
    } else {
        about.addresses.join(" ")
    };
    results.line(format_args!("  addresses    {}", Plain(&at)))?;
    results.line(format_args!("  may hold     {}", Plain(&admission.terms().join(" "))))
}
