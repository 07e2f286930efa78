//! A network of its own for a site, and a disk of its own that can be full: namespaces, which the
//! kernel takes away with the last process in them, however a test ends.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The namespaces of one site. It reaches nobody but this process.
pub(crate) struct Ground {
    /// Ends when its input does, which is when this process is gone.
    holder: Child,
    /// This process's end of the line.
    device: String,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Ground {
    /// The ground of the site of this number; `None` where this process may not make one.
    pub(crate) fn new(number: u8) -> Option<Self> {
        let mut holder = Command::new("unshare");
        holder.args(["--net", "--mount", "setpriv", "--pdeathsig", "KILL", "sh", "-c"]);
        holder.arg("ip link set lo up && echo ready && read end");
        holder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = holder.spawn().ok()?;
        let mut line = String::new();
        let told = BufReader::new(holder.stdout.take()?).read_line(&mut line);
        let process = std::process::id();
        let net = |last| Ipv4Addr::new(10, 213, process as u8, number * 4 + last);
        let device = format!("clx{process:x}n{number}");
        let ground = Self { holder, device, near: net(1), far: net(2) };
        (told.is_ok() && line.trim() == "ready" && ground.lay_line()).then_some(ground)
    }

    fn lay_line(&self) -> bool {
        let (device, holder) = (self.device.as_str(), self.holder.id().to_string());
        let (near, far) = (format!("{}/30", self.near), format!("{}/30", self.far));
        let ip = |arguments: &[&str]| is_done(Command::new("ip").args(arguments));
        let inside = |arguments: &[&str]| {
            is_done(self.inside(Command::new("ip").args(arguments)).stdout(Stdio::null()))
        };
        ip(&["link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", &holder])
            && ip(&["address", "add", &near, "dev", device])
            && ip(&["link", "set", device, "up"])
            && inside(&["address", "add", &far, "dev", "eth0"])
            && inside(&["link", "set", "eth0", "up"])
    }

    /// Where the site finds this process.
    pub(crate) fn near(&self) -> IpAddr {
        self.near.into()
    }

    /// Where this process finds the site.
    pub(crate) fn far(&self) -> IpAddr {
        self.far.into()
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

    /// Cuts the line so that nothing comes through and nobody is told, or mends it.
    pub(crate) fn cut(&self, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        let device = self.device.as_str();
        assert!(is_done(Command::new("ip").args(["link", "set", device, state])));
    }

    /// Puts a disk of this size into a folder, which holds what the folder held.
    pub(crate) fn disk(&self, folder: &Path, megabytes: usize) -> bool {
        let script = "cp -a \"$0\" \"$0.before\" && mount -t tmpfs -o size=$1m,mode=0700 none \"$0\" \
                      && cp -a \"$0.before/.\" \"$0\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(folder).arg(megabytes.to_string());
        is_done(&mut self.inside(&command))
    }

    /// Fills the disk of a folder to the last byte, or makes room again.
    pub(crate) fn fill(&self, folder: &Path, is_full: bool) {
        let script = if is_full { "cat /dev/zero > \"$0/filler\"" } else { "rm \"$0/filler\"" };
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(folder);
        let mut command = self.inside(&command);
        // Filling ends with an error, as it is meant to.
        let ended = command.stderr(Stdio::null()).status().expect("a shell");
        assert_eq!(ended.success(), !is_full);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = (self.holder.kill(), self.holder.wait());
        // The kernel takes the line away with the namespace, a moment later.
        let _ = is_done(Command::new("ip").args(["link", "delete", &self.device]));
    }
}

fn is_done(command: &mut Command) -> bool {
    let ended = command.stderr(Stdio::null()).status();
    ended.is_ok_and(|status| status.success())
}
