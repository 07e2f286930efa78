//! What a serving process holds while it runs: the node, the links, the list of peers.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use clisonix_node::Node;
use clisonix_pq::Keys;
use clisonix_pq::link::About;
use clisonix_server::{OpenCode, Server, ServerStatus};

use crate::arguments::{Arguments, Everywhere};
use crate::command;
use crate::context::{Context, Held};
use crate::control::Request;
use crate::exit::{self, Exit, Fault};
use crate::metrics;
use crate::peers::PeerFolder;
use crate::progress::tell;
use crate::site_keys;
use crate::store_keys::StoreKeys;

/// A running server with what commands need of it.
pub(crate) struct Service {
    node: Arc<Node>,
    directory: PathBuf,
    store_keys: StoreKeys,
    keys: Keys,
    peers: PeerFolder,
    server: Mutex<Option<Server>>,
    /// When the list of peers was changed last, as far as it was read.
    read: Mutex<Option<SystemTime>>,
    ending: AtomicBool,
}

impl Service {
    pub(crate) fn new(
        node: Arc<Node>,
        context: &Context,
        keys: Keys,
        peers: PeerFolder,
        server: Server,
    ) -> Result<Self> {
        Ok(Self {
            node,
            directory: context.directory()?,
            store_keys: context.store_keys().clone(),
            keys,
            peers,
            server: Mutex::new(Some(server)),
            read: Mutex::new(None),
            ending: AtomicBool::new(false),
        })
    }

    /// The node, which this process has open.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The keys that peers know this node by.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The list of peers.
    pub(crate) fn peers(&self) -> &PeerFolder {
        &self.peers
    }

    /// How it stands with all peers.
    pub(crate) fn status(&self) -> Result<ServerStatus> {
        let server = self.server();
        let server = server.as_ref().ok_or_else(|| Fault::unusable("the server is stopping"))?;
        Ok(server.status()?)
    }

    /// Opens a code for who gets this node's invitation.
    pub(crate) fn open_code(&self, about: &About, valid_ms: u64) -> Result<OpenCode> {
        let invitation = site_keys::invitation(&self.keys, about)?;
        let server = self.server();
        let server = server.as_ref().ok_or_else(|| Fault::unusable("the server is stopping"))?;
        Ok(server.open_code(invitation, valid_ms)?)
    }

    /// Where peers connect.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.server().as_ref().and_then(Server::address)
    }

    /// Lets commands that wait for others come to their end.
    pub(crate) fn end_waiting(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is waited for any more.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Reads the list of peers again if it was changed, or in any case; who is not on it any more is
    /// cut off.
    pub(crate) fn read_peers(&self, in_any_case: bool) -> Result<()> {
        let changed = self.peers.changed();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if !in_any_case && *read == changed {
            return Ok(());
        }
        let listed = self.peers.load()?;
        for (path, error) in &listed.refused {
            tell(&format!("{}: not admitted: {error}", path.display()));
        }
        if let Some(server) = &*self.server() {
            server.admit(listed.members())?;
        }
        *read = changed;
        Ok(())
    }

    /// Writes the figures for a collector, whole or not at all.
    pub(crate) fn write_metrics(&self, path: &Path) -> Result<()> {
        let text = metrics::text(&self.status()?);
        let beside = path.with_extension("prom.new");
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Runs a command for somebody else.
    pub(crate) fn run(self: &Arc<Self>, request: Request) -> Exit {
        self.carry_out(request).unwrap_or_else(|error| exit::report(&error))
    }

    fn carry_out(self: &Arc<Self>, request: Request) -> Result<Exit> {
        let typed = std::iter::once("clisonix".to_owned()).chain(request.arguments);
        let arguments = Arguments::try_parse_from(typed)
            .map_err(|error| Fault::usage(error.kind().to_string()))?;
        if !arguments.command.is_for_service() {
            return Err(Fault::usage("not a command for a serving process").into());
        }
        let everywhere = Everywhere {
            data: Some(self.directory.clone()),
            author: request.author,
            purpose: request.purpose,
            store_keys: self.store_keys.clone(),
            json: arguments.everywhere.json,
        };
        let held = Held { service: Arc::clone(self), folder: request.folder, keys: request.keys };
        command::carry_out(arguments.command, &Context::of_service(everywhere, held))
    }

    /// Ends the links.
    pub(crate) fn stop(&self) {
        if let Some(server) = self.server().take() {
            server.stop();
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Server>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
