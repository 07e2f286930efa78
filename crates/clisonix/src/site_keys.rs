//! The keys that a node is known by to its peers, and what is derived from them.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use clisonix_node::Outside as _;
use clisonix_pq::checkpoint::Author;
use clisonix_pq::link::{About, Admission, Invitation, LinkKeys, Membership};
use clisonix_pq::{Identity, Keys};

use crate::command::keys;
use crate::exit::Fault;
use crate::keyring::{Entry, Keyring};
use crate::outside::{self, System};
use crate::pass_phrase::Source;

/// Which of the own keys a node is known by.
#[derive(Debug, Args)]
pub(crate) struct SiteKeys {
    /// The name of the own keys that peers know this node by, see `clisonix keys` [default: the
    /// only one]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// The folder of the own keys (else `clisonix/keys` in `$XDG_CONFIG_HOME` or `~/.config`)
    #[arg(long, env = "CLISONIX_KEYS", value_name = "DIR", hide_env_values = true)]
    keys: Option<PathBuf>,
    #[command(flatten)]
    pass_phrase: Source,
}

impl SiteKeys {
    /// The keys, still wrapped.
    pub(crate) fn entry(&self) -> Result<Entry> {
        let ring = Keyring::new(keys::folder(self.keys.clone())?);
        if let Some(name) = &self.name {
            return ring.entry(name);
        }
        match &*ring.names()? {
            [only] => ring.entry(only),
            [] => {
                let message = "there are no keys: make some with `clisonix keys new`";
                Err(Fault::not_found(message).into())
            }
            _ => Err(Fault::usage("there are several keys: say whose with --as").into()),
        }
    }

    /// The newest keys, with the pass-phrase.
    pub(crate) fn unlocked(&self) -> Result<(Entry, Keys)> {
        let entry = self.entry()?;
        let (keys, _) = entry.newest(&self.pass_phrase)?;
        Ok((entry, keys))
    }
}

/// An invitation of a node with these keys.
pub(crate) fn invitation(keys: &Keys, about: &About) -> Result<Invitation> {
    let (link, author) = (link_keys(keys)?, author(keys)?);
    let (random, now) = (&mut outside::random, System.now_ms());
    Ok(Invitation::sign(keys, link.public(), author.live_key(), about, now, random)?)
}

/// What a node with these keys says of another one.
pub(crate) fn admission(
    keys: &Keys,
    invitation: Invitation,
    membership: Membership,
    terms: &[String],
) -> Result<Admission> {
    let (own, random, now) = (keys.identity(), &mut outside::random, System.now_ms());
    Ok(Admission::sign(own, invitation, membership, terms, now, random)?)
}

/// What a node opens links with.
pub(crate) fn link_keys(keys: &Keys) -> Result<LinkKeys> {
    Ok(LinkKeys::new(identity(keys)?, System.now_ms(), &mut outside::random)?)
}

/// What a node signs changes with.
pub(crate) fn author(keys: &Keys) -> Result<Author> {
    Ok(Author::new(identity(keys)?, System.now_ms(), &mut outside::random)?)
}

/// The identity that all of these are of.
pub(crate) fn identity(keys: &Keys) -> Result<Identity> {
    Ok(Identity::from_seed(keys.profile(), keys.identity().seed())?)
}
