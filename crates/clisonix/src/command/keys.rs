//! `keys`: make, list, show, rotate, export and revoke the keys that sign and open.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{HybridTime, Outside};
use clisonix_pq::{self as pq, Profile, PublicKeys, Reason, Revocation, Succession};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::keyring::{self, Entry, Generation, Keyring, Part};
use crate::outside::{self, System};
use crate::pass_phrase::Source;
use crate::plain::Plain;
use crate::results::Results;

/// Options of `keys`.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Action,
    /// The folder of the own keys (else `clisonix/keys` in `$XDG_CONFIG_HOME` or `~/.config`); it
    /// should not lie on the disk that the data is on
    #[arg(long, global = true, env = "CLISONIX_KEYS", value_name = "DIR", hide_env_values = true)]
    keys: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make keys under a name, wrapped under a pass-phrase
    New {
        /// Letters, digits, `.`, `_` and `-`; others see it
        name: String,
        /// `hybrid` (ML-DSA-65 with Ed25519, ML-KEM-768 with X25519) or `cnsa2` (ML-DSA-87,
        /// ML-KEM-1024)
        #[arg(long, default_value = "hybrid")]
        profile: Profile,
        #[command(flatten)]
        pass_phrase: Source,
    },
    /// List the own keys
    List,
    /// Show own keys with all generations, or a public file that somebody handed over
    Show {
        /// A name, or a file
        name: String,
    },
    /// Make the next generation of keys, certified by the present one, which still opens
    Rotate {
        name: String,
        #[command(flatten)]
        pass_phrase: Source,
    },
    /// Print the public file, or a statement, for others
    Export {
        name: String,
        /// Which generation [default: the newest]
        #[arg(long, value_name = "NUMBER")]
        generation: Option<u32>,
        /// `keys`, `succession` (names the next generation) or `revocation`
        #[arg(long, value_name = "WHAT", default_value = "keys")]
        what: What,
    },
    /// State that keys are not to be believed any more
    Revoke {
        name: String,
        /// `compromised`, `superseded` or `retired`
        #[arg(long, required_unless_present = "prepared")]
        reason: Option<Reason>,
        /// Without the secret key: put the statement into force that was made with the keys, from
        /// wherever it was kept
        #[arg(long, value_name = "FILE", conflicts_with_all = ["reason", "generation"])]
        prepared: Option<PathBuf>,
        /// Which generation [default: the newest]
        #[arg(long, value_name = "NUMBER")]
        generation: Option<u32>,
        #[command(flatten)]
        pass_phrase: Source,
    },
}

/// What `export` prints.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    Keys,
    Succession,
    Revocation,
}

impl Keys {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let keyring = Keyring::new(folder(self.keys)?);
        let mut results = context.results();
        match self.action {
            Action::New { name, profile, pass_phrase } => {
                make(&keyring, &name, profile, &pass_phrase, &mut results)?;
            }
            Action::List => list(&keyring, &mut results)?,
            Action::Show { name } => show(&keyring, &name, context.json(), &mut results)?,
            Action::Rotate { name, pass_phrase } => {
                rotate(&keyring.entry(&name)?, &pass_phrase, &mut results)?;
            }
            Action::Export { name, generation, what } => {
                let entry = keyring.entry(&name)?;
                export(&entry, entry.generation(generation)?, what, &mut results)?;
            }
            Action::Revoke { name, reason, prepared, generation, pass_phrase } => {
                let entry = keyring.entry(&name)?;
                let (generation, statement) = match (reason, prepared) {
                    (Some(reason), _) => {
                        let generation = entry.generation(generation)?;
                        (generation, sign_revocation(&entry, generation, reason, &pass_phrase)?)
                    }
                    (None, Some(path)) => prepared_revocation(&entry, &path)?,
                    (None, None) => return Err(Fault::usage("a reason is needed").into()),
                };
                revoke(&entry, generation, statement, &mut results)?;
            }
        }
        results.finish()?;
        Ok(Exit::Done)
    }
}

/// Where the own keys are.
pub(crate) fn folder(given: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(folder) = given {
        return Ok(folder);
    }
    // XDG Base Directory 0.8: a path that is not absolute is to be ignored.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .ok_or_else(|| Fault::usage("a folder of keys is needed: set CLISONIX_KEYS"))?;
    Ok(base.join("clisonix").join("keys"))
}

fn make(
    keyring: &Keyring,
    name: &str,
    profile: Profile,
    source: &Source,
    results: &mut Results,
) -> Result<()> {
    let now = System.now_ms();
    let keys = pq::Keys::generate(profile, name, now, &mut outside::random)
        .map_err(|_| Fault::usage("a name has 1 to 64 letters, digits, `.`, `_` and `-`"))?;
    let entry = keyring.vacant(name)?;
    let public = entry.store(1, &keys, &source.fresh(name)?)?;
    print(&entry, &Generation::fresh(1, public), true, results)
}

fn rotate(entry: &Entry, source: &Source, results: &mut Results) -> Result<()> {
    let current = entry.current()?;
    let pass_phrase = source.present(&entry.name)?;
    let old = entry.unlock(current.number, &pass_phrase)?;
    let now = System.now_ms();
    let random = &mut outside::random;
    let new = pq::Keys::generate(old.profile(), &entry.name, now, random)?;
    let number = entry.next_number()?;
    let public = entry.store(number, &new, &pass_phrase)?;
    // Last, for only this makes the new keys the present ones.
    let statement = Succession::sign(old.identity(), &public, now, random)?;
    entry.write(current.number, Part::Succession, statement.to_text())?;
    print(entry, &Generation::fresh(number, public), true, results)
}

fn sign_revocation(
    entry: &Entry,
    generation: &Generation,
    reason: Reason,
    source: &Source,
) -> Result<Revocation> {
    refuse_revoked(generation)?;
    let pass_phrase = source.present(&entry.name)?;
    let keys = entry.unlock(generation.number, &pass_phrase)?;
    Ok(Revocation::sign(keys.identity(), reason, System.now_ms(), &mut outside::random))
}

/// The statement that was made with the keys, and the generation that it is about.
fn prepared_revocation<'a>(entry: &'a Entry, path: &Path) -> Result<(&'a Generation, Revocation)> {
    let text = keyring::form(path)?;
    let about = entry.generations.iter().find_map(|generation| {
        let statement = Revocation::from_text(&text, generation.public.identity());
        Some((generation, statement.ok()?))
    });
    let message = || format!("{} revokes no keys of `{}`", path.display(), entry.name);
    Ok(about.ok_or_else(|| Fault::usage(message()))?)
}

fn refuse_revoked(generation: &Generation) -> Result<()> {
    match generation.revocation {
        Some(_) => Err(Fault::usage("these keys are revoked already").into()),
        None => Ok(()),
    }
}

fn revoke(
    entry: &Entry,
    generation: &Generation,
    statement: Revocation,
    results: &mut Results,
) -> Result<()> {
    refuse_revoked(generation)?;
    entry.write(generation.number, Part::Revocation, statement.to_text())?;
    let revoked = Generation {
        number: generation.number,
        public: generation.public.clone(),
        succession: generation.succession.clone(),
        revocation: Some(statement),
    };
    print(entry, &revoked, revoked.succession.is_none(), results)
}

fn list(keyring: &Keyring, results: &mut Results) -> Result<()> {
    for name in keyring.names()? {
        let entry = keyring.entry(&name)?;
        let newest = entry.generation(None)?;
        results.either(
            || describe(&entry, newest, true),
            |results| {
                let (public, state) = (&newest.public, newest.state(true));
                let generation = newest.number;
                results.line(format_args!(
                    "{name:<24} {:<7} {generation:>3}  {state:<9}  {}",
                    public.profile(),
                    public.fingerprint()
                ))
            },
        )?;
    }
    Ok(())
}

fn show(keyring: &Keyring, name: &str, json: bool, results: &mut Results) -> Result<()> {
    if !keyring.names()?.iter().any(|known| known == name) {
        let public = keyring::public_file(Path::new(name))?;
        return Ok(
            results.either(|| Value::Object(object(&public)), |results| lines(&public, results))?
        );
    }
    let entry = keyring.entry(name)?;
    for (at, generation) in entry.generations.iter().enumerate() {
        if at > 0 && !json {
            results.line("")?;
        }
        print(&entry, generation, at + 1 == entry.generations.len(), results)?;
    }
    Ok(())
}

fn export(entry: &Entry, generation: &Generation, what: What, results: &mut Results) -> Result<()> {
    let text = match what {
        What::Keys => Some(generation.public.to_text()),
        What::Succession => generation.succession.as_ref().map(Succession::to_text),
        What::Revocation => generation.revocation.as_ref().map(Revocation::to_text),
    };
    let missing = || {
        let (name, number) = (&entry.name, generation.number);
        Fault::not_found(format!("generation {number} of `{name}` has no such statement"))
    };
    let text = text.ok_or_else(missing)?;
    let json = || {
        let mut object = describe_object(entry, generation, generation.succession.is_none());
        object.insert("text", text);
        Value::Object(object)
    };
    Ok(results.either(json, |results| results.bytes(text.as_bytes()))?)
}

impl Generation {
    fn fresh(number: u32, public: PublicKeys) -> Self {
        Self { number, public, succession: None, revocation: None }
    }

    fn state(&self, newest: bool) -> &'static str {
        match &self.revocation {
            Some(_) => "revoked",
            None if newest => "current",
            None => "followed",
        }
    }
}

fn print(
    entry: &Entry,
    generation: &Generation,
    newest: bool,
    results: &mut Results,
) -> Result<()> {
    Ok(results.either(
        || describe(entry, generation, newest),
        |results| {
            lines(&generation.public, results)?;
            let state = generation.state(newest);
            results.line(format_args!("  generation    {} ({state})", generation.number))?;
            if let Some(revocation) = &generation.revocation {
                let time = HybridTime::from_millis(revocation.made_ms());
                results.line(format_args!("  revoked       {time}, {}", revocation.reason()))?;
            }
            let path = entry.path(generation.number, Part::Public);
            results.line(format_args!("  public file   {}", path.display()))?;
            let prepared = entry.path(generation.number, Part::Prepared);
            if !prepared.exists() {
                return Ok(());
            }
            results.line(format_args!("  prepared      {}", prepared.display()))?;
            results.line("                a revocation that needs no secret key: keep it elsewhere")
        },
    )?)
}

fn lines(public: &PublicKeys, results: &mut Results) -> std::io::Result<()> {
    results.line(format_args!("{}", Plain(public.name())))?;
    results.line(format_args!("  fingerprint   {}", public.fingerprint()))?;
    results.line(format_args!("  recipient     {}", public.recipient().fingerprint()))?;
    results.line(format_args!("  profile       {}", public.profile()))?;
    results.line(format_args!("  made          {}", HybridTime::from_millis(public.made_ms())))
}

fn describe(entry: &Entry, generation: &Generation, newest: bool) -> Value {
    Value::Object(describe_object(entry, generation, newest))
}

fn describe_object(entry: &Entry, generation: &Generation, newest: bool) -> Object {
    let mut object = object(&generation.public);
    object.insert("generation", u64::from(generation.number));
    object.insert("state", generation.state(newest));
    if let Some(succession) = &generation.succession {
        object.insert("successor", succession.successor().hexadecimal());
    }
    if let Some(revocation) = &generation.revocation {
        object.insert("revoked_ms", revocation.made_ms());
        object.insert("reason", revocation.reason().name());
    }
    let path = |part| entry.path(generation.number, part).display().to_string();
    object.insert("public_file", path(Part::Public));
    object.insert("secret_file", path(Part::Secret));
    object.insert("prepared_file", path(Part::Prepared));
    object
}

fn object(public: &PublicKeys) -> Object {
    let mut object = Object::new();
    object.insert("name", public.name());
    object.insert("profile", public.profile().name());
    object.insert("fingerprint", public.fingerprint().to_string());
    object.insert("sign", public.fingerprint().hexadecimal());
    object.insert("open", public.recipient().fingerprint().hexadecimal());
    object.insert("made_ms", public.made_ms());
    object
}
