//! A network of its own for a site, and a disk of its own that can be full: namespaces, which the
//! kernel takes away with the last process in them, however a test ends.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The longest that a command on the ground may take, in seconds.
const MOST_S: &str = "60";

/// The namespaces of one site. Its one line leads to this process.
pub(crate) struct Ground {
    /// Ends when its input does, which is when this process is gone.
    holder: Child,
    /// This process's end of the line.
    device: String,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Ground {
    /// The ground of the site of this number; else what is missing for it.
    pub(crate) fn new(number: u8) -> Result<Self, &'static str> {
        if !is_done(Command::new("ip").arg("-V")) {
            return Err("there is no `ip` (iproute2)");
        }
        let no_holder = "no namespaces can be made (`unshare` of util-linux, as root)";
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--mount", "setpriv", "--pdeathsig", "KILL", "sh", "-c"]);
        holder.arg("ip link set lo up && echo ready && read end");
        holder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = holder.spawn().map_err(|_| no_holder)?;
        let mut line = String::new();
        let out = holder.stdout.take().expect("a pipe");
        let told = BufReader::new(out).read_line(&mut line);
        let process = std::process::id();
        // RFC 2544 appendix C.2.2: a network for tests.
        let [.., high, low] = process.to_be_bytes();
        let net = |last| Ipv4Addr::new(198, 18 + (high & 1), low, number * 4 + last);
        let device = format!("clx{process:x}n{number}");
        let ground = Self { holder, device, near: net(1), far: net(2) };
        if told.is_err() || line.trim() != "ready" {
            return Err(no_holder);
        }
        if ground.lay_line() { Ok(ground) } else { Err("no line between namespaces can be laid") }
    }

    fn lay_line(&self) -> bool {
        let (device, holder) = (self.device.as_str(), self.holder.id().to_string());
        let (near, far) = (format!("{}/30", self.near), format!("{}/30", self.far));
        let ip = |arguments: &[&str]| is_done(Command::new("ip").args(arguments));
        ip(&["link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", &holder])
            && ip(&["address", "add", &near, "dev", device])
            && ip(&["link", "set", device, "up"])
            && self.is_done_inside("ip", &["address", "add", &far, "dev", "eth0"])
            && self.is_done_inside("ip", &["link", "set", "eth0", "up"])
    }

    /// Where the site finds this process.
    pub(crate) fn near(&self) -> Ipv4Addr {
        self.near
    }

    /// Where this process finds the site.
    pub(crate) fn far(&self) -> Ipv4Addr {
        self.far
    }

    /// The same command on this ground; it ends with the thread that starts it.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut entered = Command::new("nsenter");
        entered.args(["--target", &self.holder.id().to_string(), "--net", "--mount"]);
        entered.args(["setpriv", "--pdeathsig", "KILL"]);
        entered.arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            entered.envs(value.map(|value| (name, value)));
        }
        entered
    }

    /// As [`Self::inside`], for a command that is to end soon.
    pub(crate) fn soon(&self, command: &Command) -> Command {
        let mut limited = Command::new("timeout");
        limited.args(["--signal=KILL", MOST_S, "setpriv", "--pdeathsig", "KILL"]);
        limited.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            limited.envs(value.map(|value| (name, value)));
        }
        self.inside(&limited)
    }

    /// Takes the site's end of the line down or up again; nobody is told.
    pub(crate) fn cut(&self, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        assert!(self.is_done_inside("ip", &["link", "set", "eth0", state]));
    }

    /// Makes a folder that is a disk of its own, of this size; else says what is missing for it.
    pub(crate) fn disk(&self, folder: &Path, megabytes: usize) -> Result<(), &'static str> {
        let script = "mkdir -m 700 \"$0\" && mount -t tmpfs -o size=$1m,mode=0700 none \"$0\"";
        let folder = folder.to_str().expect("a path");
        let is_done = self.is_done_inside("sh", &["-c", script, folder, &megabytes.to_string()]);
        if is_done { Ok(()) } else { Err("no tmpfs can be mounted") }
    }

    /// Fills the disk of a folder to the last byte.
    pub(crate) fn fill(&self, folder: &Path) {
        let folder = folder.to_str().expect("a path");
        let script = "cat /dev/zero >> \"$0/filler\"";
        // It ends for want of room.
        assert!(!self.is_done_inside("sh", &["-c", script, folder]));
    }

    /// Makes room on a disk that was filled.
    pub(crate) fn empty(&self, folder: &Path) {
        let filler = folder.join("filler");
        assert!(self.is_done_inside("rm", &[filler.to_str().expect("a path")]));
    }

    fn is_done_inside(&self, program: &str, arguments: &[&str]) -> bool {
        is_done(&mut self.soon(Command::new(program).args(arguments)))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = (self.holder.kill(), self.holder.wait());
        // The kernel takes the line away with the namespace, a moment later.
        is_done(Command::new("ip").args(["link", "delete", &self.device]));
    }
}

fn is_done(command: &mut Command) -> bool {
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}
