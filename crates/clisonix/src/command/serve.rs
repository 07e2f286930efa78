//! `serve`: exchanges records with the peers until it is told to stop.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clisonix_node::Outside as _;
use clisonix_server::{NodeHome, Recorder, Server, Settings, Way};

use crate::context::Context;
use crate::control::Control;
use crate::exit::Exit;
use crate::outside::{self, System};
use crate::peers::PeerFolder;
use crate::progress::tell;
use crate::service::Service;
use crate::site_keys::{self, SiteKeys};

/// How often the process looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How often the list of peers is looked at.
const PEERS_EVERY: Duration = Duration::from_secs(2);
/// How often figures are written.
const METRICS_EVERY: Duration = Duration::from_secs(10);

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Where peers connect, such as `0.0.0.0:4871` [default: nowhere; this node connects to them]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The HTTP proxy through which peers are reached (`CONNECT`)
    #[arg(long, value_name = "HOST:PORT")]
    proxy: Option<String>,
    /// Write figures to this file every ten seconds, in the text format of Prometheus, for the
    /// textfile collector of its node exporter
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Write every message as it is before it is encrypted to this file: for tests only
    #[arg(long, value_name = "FILE", hide = true)]
    record: Option<PathBuf>,
    #[command(flatten)]
    site: SiteKeys,
}

impl Serve {
    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let is_over = stopped_by_signals()?;
        let (entry, keys) = self.site.unlocked()?;
        let node = context.open()?;
        let own = site_keys::author(&keys)?;
        let home = NodeHome::new(Arc::clone(&node), own.known().clone());
        node.sign_as(own)?;
        let settings = Settings {
            listen: self.listen,
            proxy: self.proxy.clone(),
            now_ms: || System.now_ms(),
            random: outside::random,
        };
        let recorder = self.record.as_deref().map(recorder).transpose()?;
        let identity = site_keys::identity(&keys)?;
        let link_keys = Arc::new(site_keys::link_keys(&keys)?);
        let server = Server::start(settings, link_keys, identity, home, recorder)?;
        node.on_arrival(Box::new(server.waker()));
        if let Some(address) = server.address() {
            tell(&format!("listening at {address}"));
        }
        let peers = PeerFolder::of(&entry);
        let service = Arc::new(Service::new(node, context, keys, peers, server)?);
        service.read_peers(true)?;
        let inside = Arc::clone(&service);
        let control = Control::start(&context.directory()?, move |request| inside.run(request))?;
        tell("serving; SIGTERM or SIGINT ends it");
        self.tend(&service, &is_over);
        service.end_waiting();
        drop(control);
        service.stop();
        tell("stopped");
        Ok(Exit::Done)
    }

    /// Looks after what changes outside until the end.
    fn tend(&self, service: &Service, is_over: &AtomicBool) {
        let (mut peers, mut figures) = (Instant::now(), None::<Instant>);
        while !is_over.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
            if peers.elapsed() >= PEERS_EVERY {
                peers = Instant::now();
                if let Err(error) = service.read_peers(false) {
                    tell(&format!("cannot read the list of peers: {error:#}"));
                }
            }
            let is_due = figures.is_none_or(|written| written.elapsed() >= METRICS_EVERY);
            if let Some(path) = self.metrics.as_deref().filter(|_| is_due) {
                figures = Some(Instant::now());
                if let Err(error) = service.write_metrics(path) {
                    tell(&format!("{error:#}"));
                }
            }
        }
    }
}

/// Set by the first SIGTERM or SIGINT; the second one ends the process at once.
fn stopped_by_signals() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        let seen = Arc::clone(&is_over);
        signal_hook::flag::register_conditional_shutdown(signal, Exit::Failed as i32, seen)?;
        signal_hook::flag::register(signal, Arc::clone(&is_over))?;
    }
    Ok(is_over)
}

/// Writes each message as the peer's fingerprint, the way, the length and the bytes.
fn recorder(path: &Path) -> Result<Recorder> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path);
    let mut file: File = file.with_context(|| path.display().to_string())?;
    tell("every message is recorded as it is: this is for tests, and never for real data");
    Ok(Box::new(move |peer, way, message| {
        let way = [u8::from(way == Way::Out)];
        let length = (message.len() as u64).to_be_bytes();
        let record = [&peer.to_bytes()[..], &way, &length, message].concat();
        // A test that misses messages finds out by what it looks for.
        let _ = file.write_all(&record);
    }))
}
