//! Sites that serve, and the network between them: an HTTP proxy for each, through which it finds
//! the others by name, and which can cut it off.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use clisonix_fhir::json::Value;

use crate::parties::{objects, run};
use crate::site::{Ended, Site};

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

const NAMES: [&str; 3] = ["hospital", "laboratory", "clinic"];

/// Which names lead where, and who is cut off.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<Mutex<Map>>);

#[derive(Default)]
struct Map {
    routes: BTreeMap<String, SocketAddr>,
    cut: BTreeSet<String>,
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

    fn is_cut(&self, names: &[String]) -> bool {
        let map = self.0.lock().unwrap();
        names.iter().any(|name| map.cut.contains(name))
    }

    /// The proxy of a site.
    fn proxy(&self, name: &str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
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
            Some(far) if !self.is_cut(&names) => TcpStream::connect(far)?,
            _ => return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        };
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        for (from, to) in [(client.try_clone()?, server.try_clone()?), (server, client)] {
            let (network, names) = (self.clone(), names.clone());
            thread::spawn(move || network.copy(from, to, &names));
        }
        Ok(())
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream, names: &[String]) {
        let _ = from.set_read_timeout(Some(Duration::from_millis(50)));
        let _ = (from.set_nodelay(true), to.set_nodelay(true));
        let mut piece = vec![0; 1 << 16];
        while !self.is_cut(names) {
            match from.read(&mut piece) {
                Ok(0) => break,
                Ok(count) if to.write_all(&piece[..count]).is_err() => break,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => break,
                _ => {}
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// A site with keys and peers.
pub(crate) struct Place {
    pub(crate) site: Site,
    pub(crate) name: &'static str,
    network: Network,
    proxy: SocketAddr,
    child: Option<Child>,
}

impl Place {
    /// A site that knows the two others; nothing serves yet.
    pub(crate) fn new(name: &'static str, network: &Network) -> Self {
        let site = Site::new();
        copy(&made().path(name), &site.path(""));
        let proxy = network.proxy(name);
        Self { site, name, network: network.clone(), proxy, child: None }
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

    /// Starts the serving process.
    pub(crate) fn serve(&mut self) {
        let mut command = command(&self.site);
        let proxy = self.proxy.to_string();
        command.args(["serve", "--listen", "127.0.0.1:0", "--proxy", &proxy]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening at ")?.parse().ok());
        self.child = Some(child);
        self.network.lead(self.name, address.expect("an address"));
        thread::spawn(move || lines.for_each(|line| eprintln!("{line}")));
        wait_for("the socket", || {
            UnixStream::connect(self.site.path("data/serve.socket")).is_ok().then_some(())
        });
    }

    /// Sends the serving process a signal.
    pub(crate) fn signal(&mut self, signal: &str) {
        let child = self.child.as_mut().expect("a process");
        let sent = Command::new("kill").arg(signal).arg(child.id().to_string()).status();
        assert!(sent.unwrap().success());
        if !matches!(signal, "-STOP" | "-CONT") {
            let ended = child.wait().unwrap();
            assert_eq!(ended.code(), (signal == "-TERM").then_some(0));
            self.child = None;
        }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        run(&self.site, arguments)
    }

    pub(crate) fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        objects(&self.site, arguments)
    }

    /// Takes in a bundle of a feed of this site.
    pub(crate) fn import(&self, bundle: &str) {
        let file = self.site.file("in.json", bundle);
        let ended = self.run(&["import", &file, "--feed", self.name]);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
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
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: waited too long");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until all hold the same.
pub(crate) fn settle(places: &[&Place]) {
    wait_for("the same digest", || {
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

/// Three sites with keys that have admitted each other, made once for all tests: as people do it.
fn made() -> &'static Site {
    static MADE: OnceLock<Site> = OnceLock::new();
    MADE.get_or_init(|| {
        let all = Site::new();
        let run = |name: &str, arguments: &[&str]| {
            let mut command = all.command();
            command.env("CLISONIX_DATA", all.path(&format!("{name}/data")));
            command.env("CLISONIX_KEYS", all.path(&format!("{name}/keys")));
            command.env("CLISONIX_PASSPHRASE_FILE", all.path(&format!("{name}/pass")));
            let ended = Ended::of(&command.args(arguments).output().expect("the program runs"));
            assert_eq!(ended.code, Some(0), "{}", ended.err);
            ended
        };
        let mut told = Vec::new();
        for name in NAMES {
            let file = all.file(&format!("{name}/pass"), "four words for tests\n");
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
            run(name, &["keys", "new", name]);
            let (address, out) =
                (format!("{name}.test:1"), all.path(&format!("{name}.invitation")));
            let identifier = format!("urn:test:organization|{name}");
            let out = out.to_string_lossy();
            let invite = ["peers", "invite", "--address", &address, "--out", &out];
            let ended = run(name, &[&invite[..], &["--identifier", &identifier]].concat());
            let digits = ended.err.split(": ").nth(1).expect("a fingerprint").trim().to_owned();
            told.push((name, out.into_owned(), digits));
        }
        for name in NAMES {
            for (_, file, digits) in told.iter().filter(|(other, ..)| *other != name) {
                let add = ["peers", "add", file, "--fingerprint", digits];
                run(name, &[&add[..], &["--basis", "all", "--shared"]].concat());
            }
        }
        all
    })
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
