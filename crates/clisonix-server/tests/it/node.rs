//! A node for tests: keys, a transport, and what came.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use clisonix_pq::link::{LinkKeys, Peer};
use clisonix_pq::{Fingerprint, Identity, Profile};
use clisonix_server::{Credit, Ending, Event, Known, Line, Settings, Transport};

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Keys, made once for all tests.
pub(crate) struct Site {
    pub(crate) keys: Arc<LinkKeys>,
    pub(crate) peer: Peer,
}

impl Site {
    pub(crate) fn name(&self) -> Fingerprint {
        self.peer.fingerprint()
    }

    /// The site for others' lists.
    pub(crate) fn at(&self, addresses: &[SocketAddr]) -> Known {
        let addresses = addresses.iter().map(ToString::to_string).collect();
        Known { peer: self.peer.clone(), addresses }
    }
}

pub(crate) fn random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("random bytes");
}

/// Four sites.
pub(crate) fn sites() -> &'static [Site; 4] {
    static SITES: OnceLock<[Site; 4]> = OnceLock::new();
    SITES.get_or_init(|| {
        [(); 4].map(|()| {
            let identity = Identity::generate(Profile::Hybrid, &mut random).unwrap();
            let public = identity.public().clone();
            let keys = LinkKeys::new(identity, 1, &mut random).unwrap();
            let peer = Peer::new(public, keys.public().to_text().as_bytes()).unwrap();
            Site { keys: Arc::new(keys), peer }
        })
    })
}

/// A running transport.
pub(crate) struct Node {
    pub(crate) transport: Transport,
    events: Receiver<Told>,
}

/// What a transport tells, for tests.
pub(crate) enum Told {
    Opened(Arc<Line>),
    Message(Vec<u8>, Credit),
    Closed(Ending),
}

impl Node {
    /// Answers nothing.
    pub(crate) fn new(site: &Site, listen: Option<&str>, proxy: Option<String>) -> Self {
        let (sender, events) = channel();
        let sink = move |event| {
            let _ = sender.send(match event {
                Event::Opened(line) => Told::Opened(line),
                Event::Message(_, bytes, credit) => Told::Message(bytes, credit),
                Event::Closed(_, why) => Told::Closed(why),
            });
        };
        Self { transport: start(site, listen, proxy, sink), events }
    }

    /// Sends everything back.
    pub(crate) fn echo(site: &Site, listen: Option<&str>) -> Transport {
        start(site, listen, None, |event| {
            if let Event::Message(line, bytes, _) = event {
                let _ = line.send(bytes);
            }
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.transport.address().expect("a port")
    }

    pub(crate) fn next(&self) -> Told {
        self.events.recv_timeout(PATIENCE).expect("something happens")
    }

    /// The next link that opens.
    pub(crate) fn opened(&self) -> Arc<Line> {
        loop {
            if let Told::Opened(line) = self.next() {
                return line;
            }
        }
    }

    /// The last link that opens, once nothing happens any more.
    pub(crate) fn settled(&self) -> Arc<Line> {
        let mut last = self.opened();
        while let Ok(told) = self.events.recv_timeout(Duration::from_millis(1500)) {
            if let Told::Opened(line) = told {
                last = line;
            }
        }
        last
    }

    /// The next message.
    pub(crate) fn message(&self) -> Vec<u8> {
        loop {
            if let Told::Message(bytes, _) = self.next() {
                return bytes;
            }
        }
    }

    /// Why the next link that ends does.
    pub(crate) fn closed(&self) -> Ending {
        loop {
            if let Told::Closed(why) = self.next() {
                return why;
            }
        }
    }

    pub(crate) fn is_quiet(&self, time: Duration) -> bool {
        self.events.recv_timeout(time).is_err()
    }

    /// The words of the last fault with a peer, when there is one.
    pub(crate) fn fault(&self, peer: Fingerprint) -> String {
        let fault = || self.transport.traffic().remove(&peer).and_then(|traffic| traffic.fault);
        wait_for(|| fault().map(|fault| fault.what))
    }
}

/// Waits until there is something.
pub(crate) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(
    site: &Site,
    listen: Option<&str>,
    proxy: Option<String>,
    sink: impl Fn(Event) + Send + Sync + 'static,
) -> Transport {
    let listen = listen.map(|address| address.parse().unwrap());
    let settings = Settings { listen, proxy, now_ms: || 1_700_000_000_000, random };
    Transport::start(settings, Arc::clone(&site.keys), sink).unwrap()
}
