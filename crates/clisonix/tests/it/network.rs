//! Sites that serve, and the network between them: an HTTP proxy for each, through which it finds
//! the others by name, and which can cut it off or disturb its lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clisonix_fhir::json::Value;

use crate::ground::Ground;
use crate::line::{Fault, carry};
use crate::made::{FIVE, THREE, made};
use crate::parties::objects_of;
use crate::site::{Ended, Site};

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// The longest wait for a connection that the proxy makes.
const CONNECTING: Duration = Duration::from_secs(5);

/// Which names lead where, who is cut off, and what is wrong with lines.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<Map>>);

#[derive(Default)]
struct Map {
    routes: BTreeMap<String, SocketAddr>,
    cut: BTreeSet<String>,
    /// By whom bytes come from and whom they go to.
    faults: BTreeMap<[String; 2], Fault>,
}

impl Network {
    /// What a site's name leads to.
    pub(crate) fn lead(&self, name: &str, to: SocketAddr) {
        self.0.lock().unwrap().routes.insert(format!("{name}.test:1"), to);
    }

    /// One name leads where another one does.
    pub(crate) fn lead_as(&self, name: &str, other: &str) {
        let mut map = self.0.lock().unwrap();
        let to = map.routes[&format!("{other}.test:1")];
        map.routes.insert(format!("{name}.test:1"), to);
    }

    /// Cuts a site off, or lets it in again.
    pub(crate) fn cut(&self, name: &str, is_cut: bool) {
        let mut map = self.0.lock().unwrap();
        if is_cut {
            map.cut.insert(name.to_owned())
        } else {
            map.cut.remove(name)
        };
    }

    /// Does something to what one site sends to another one.
    pub(crate) fn disturb(&self, from: &str, to: &str, fault: Fault) {
        self.0.lock().unwrap().faults.insert([from.to_owned(), to.to_owned()], fault);
    }

    /// Nothing is wrong with any line any more.
    pub(crate) fn mend(&self) {
        self.0.lock().unwrap().faults.clear();
    }

    fn is_cut(&self, names: &[String]) -> bool {
        let map = self.0.lock().unwrap();
        names.iter().any(|name| map.cut.contains(name))
    }

    /// What is wrong now on a way from one site to another one; `None` once one of them is cut off.
    fn fault(&self, way: &[String; 2]) -> Option<Fault> {
        let map = self.0.lock().unwrap();
        let is_cut = way.iter().any(|name| map.cut.contains(name));
        (!is_cut).then(|| map.faults.get(way).copied().unwrap_or_default())
    }

    /// The proxy of a site, at an address of this process.
    fn proxy(&self, name: &str, at: IpAddr) -> SocketAddr {
        let listener = TcpListener::bind((at, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (network, name) = (self.clone(), name.to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (network, name) = (network.clone(), name.clone());
                // Who asks for nobody gets nothing.
                thread::spawn(move || network.connect(client?, &name));
            }
        });
        address
    }

    fn connect(&self, mut client: TcpStream, name: &str) -> io::Result<()> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData)?;
        let to = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let far = self.0.lock().unwrap().routes.get(&to).copied();
        let names = [name.to_owned(), to.trim_end_matches(".test:1").to_owned()];
        let server = match far {
            Some(far) if !self.is_cut(&names) => TcpStream::connect_timeout(&far, CONNECTING)?,
            _ => return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        };
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        let [one, two] = names;
        let back = [two.clone(), one.clone()];
        let ways = [(client.try_clone()?, server.try_clone()?, [one, two]), (server, client, back)];
        for (from, to, way) in ways {
            let network = self.clone();
            thread::spawn(move || carry(from, to, &|| network.fault(&way)));
        }
        Ok(())
    }
}

/// A site with keys and peers.
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) name: &'static str,
    network: Network,
    proxy: SocketAddr,
    /// Else it is on loopback, as this process is.
    ground: Option<Ground>,
    child: Option<Child>,
    /// What the serving processes said.
    said: Arc<Mutex<Vec<String>>>,
}

impl Place {
    /// A site that knows all others; nothing serves yet.
    pub(crate) fn new(name: &'static str, network: &Network) -> Self {
        Self::on(name, network, None)
    }

    /// As [`Self::new`], on ground of its own.
    pub(crate) fn on(name: &'static str, network: &Network, ground: Option<Ground>) -> Self {
        let site = Site::new();
        let among = if ground.is_some() { FIVE } else { THREE };
        copy(&made(among).path(name), &site.path(""));
        let near = ground.as_ref().map_or(Ipv4Addr::LOCALHOST, Ground::near);
        let proxy = network.proxy(name, near.into());
        let (network, said) = (network.clone(), Arc::default());
        Self { site, name, network, proxy, ground, child: None, said }
    }

    /// As [`Self::new`], but nobody has admitted anybody.
    pub(crate) fn alone(name: &'static str, network: &Network) -> Self {
        let place = Self::new(name, network);
        fs::remove_dir_all(place.site.path(&format!("keys/{name}/peers"))).expect("peers");
        place
    }

    /// The proxy through which it finds the others.
    pub(crate) fn proxy(&self) -> String {
        self.proxy.to_string()
    }

    /// Starts the serving process; it ends with the thread that starts it, on ground of its own.
    pub(crate) fn serve(&mut self) {
        let mut command = command(&self.site);
        let far = self.ground.as_ref().map_or(Ipv4Addr::LOCALHOST, Ground::far);
        let (listen, proxy) = (format!("{far}:0"), self.proxy.to_string());
        command.args(["serve", "--listen", &listen, "--proxy", &proxy]);
        if let Some(ground) = &self.ground {
            command = ground.inside(&command);
        }
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program runs");
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        self.child = Some(child);
        let (said, before) = (Arc::clone(&self.said), self.said().len());
        thread::spawn(move || {
            for line in lines {
                eprintln!("{line}");
                said.lock().unwrap().push(line);
            }
        });
        let word = |start: &str| {
            let line = |line: &String| line.strip_prefix(start).map(str::to_owned);
            wait_for(start, || self.said()[before..].iter().find_map(line))
        };
        let address = word("listening at ").parse().expect("an address");
        self.network.lead(self.name, address);
        // By then commands are run by this process.
        word("serving");
    }

    /// The ground of its own.
    pub(crate) fn ground(&self) -> &Ground {
        self.ground.as_ref().expect("ground of its own")
    }

    /// What the serving processes said until now.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Sends the serving process a signal, and waits for its end if it is to end by it.
    pub(crate) fn signal(&mut self, signal: &str) {
        self.send(signal);
        if !matches!(signal, "-STOP" | "-CONT") {
            let ended = self.child.take().expect("a process").wait().unwrap();
            assert_eq!(ended.code(), (signal == "-TERM").then_some(0));
        }
    }

    /// Sends the serving process a signal.
    pub(crate) fn send(&self, signal: &str) {
        let process = self.child.as_ref().expect("a process").id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// How the serving process ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().unwrap())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().expect("the program runs"))
    }

    /// A command at this site.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.site);
        command.args(arguments);
        match &self.ground {
            Some(ground) => ground.soon(&command),
            None => command,
        }
    }

    pub(crate) fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        objects_of(&self.run(&[arguments, &["--json"]].concat()))
    }

    /// Takes in a bundle of a feed of this site.
    pub(crate) fn import(&self, bundle: &str) {
        let ended = self.try_import(bundle);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }

    /// As [`Self::import`]; what is acknowledged ends with 0.
    pub(crate) fn try_import(&self, bundle: &str) -> Ended {
        self.import_as("in.json", bundle)
    }

    /// As [`Self::try_import`], from a file of its own.
    pub(crate) fn import_as(&self, file: &str, bundle: &str) -> Ended {
        let file = self.site.file(file, bundle);
        self.run(&["import", &file, "--feed", self.name])
    }

    /// Everything that is shown of the test's patient.
    pub(crate) fn shown(&self) -> String {
        let show = self.run(&["show", "MRN-1", "--json"]).out;
        show + &self.run(&["conflicts", "--json"]).out
    }

    pub(crate) fn digest(&self) -> String {
        self.run(&["tide", "digest"]).out
    }

    /// How it stands with a peer.
    pub(crate) fn status(&self, peer: &str) -> Value {
        let all = self.objects(&["tide", "status"]);
        let is_it = |value: &Value| value.get("peer").and_then(Value::as_str) == Some(peer);
        all.into_iter().find(is_it).unwrap_or(Value::Null)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = (child.kill(), child.wait());
        }
    }
}

/// Waits until there is something.
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_longer(PATIENCE, what, look)
}

/// Waits so long until there is something.
pub(crate) fn wait_longer<T>(most: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < most, "{what}: waited too long");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until all hold the same.
pub(crate) fn settle(places: &[&Place]) {
    settle_within(PATIENCE, places);
}

/// Waits so long until all hold the same.
pub(crate) fn settle_within(most: Duration, places: &[&Place]) {
    wait_longer(most, "the same digest", || {
        let digests: Vec<String> = places.iter().map(|place| place.digest()).collect();
        (!digests[0].is_empty() && digests.iter().all(|other| *other == digests[0])).then_some(())
    });
}

/// The program with the site's own keys.
pub(crate) fn command(site: &Site) -> Command {
    let mut command = site.command();
    command.env("CLISONIX_KEYS", site.path("keys"));
    command.env("CLISONIX_PASSPHRASE_FILE", site.path("pass"));
    command
}

/// Copies a folder; permissions come along.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
