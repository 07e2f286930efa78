//! Two sites that know nothing of each other pair by a code that one reads out to the other.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};

use clisonix_fhir::json;

use crate::network::{Network, Place, command, settle, wait_for};
use crate::site::{Ended, bundle, text};

const HOSPITAL: &str = "hospital.test:1";

/// An invitation that waits for somebody, and the code that was printed.
struct Inviting {
    child: Child,
    lines: BufReader<ChildStdout>,
    code: String,
}

impl Inviting {
    fn new(place: &Place, joiner: &str) -> Self {
        let mut command = command(&place.site);
        command.args(["peers", "invite", "--code", "--address", HOSPITAL, "--json"]);
        command.args(["--basis", "all", "--shared", "--fingerprint", joiner]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let said = json::parse(first.as_bytes()).expect("JSON");
        let code = text(&said, "code").to_owned();
        Self { child, lines, code }
    }

    fn ended(mut self) -> Ended {
        let (mut out, mut err) = (String::new(), String::new());
        self.lines.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Ended { code: self.child.wait().unwrap().code(), out, err }
    }

    /// As by Ctrl-C.
    fn interrupt(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What a site's people read out, as a script gives it.
fn fingerprint(place: &Place) -> String {
    text(&place.objects(&["keys", "list"])[0], "fingerprint").to_owned()
}

fn add(place: &Place, code: &str, inviter: &str) -> Ended {
    let proxy = place.proxy();
    let add = ["peers", "add", "--code", code, "--address", HOSPITAL, "--proxy", &proxy];
    place.run(&[&add[..], &["--fingerprint", inviter, "--basis", "all", "--shared"]].concat())
}

fn peers(place: &Place) -> usize {
    place.objects(&["peers", "list"]).len()
}

#[test]
fn two_sites_pair_by_a_code_and_exchange_a_record() {
    let network = Network::default();
    let mut hospital = Place::alone("hospital", &network);
    let mut laboratory = Place::alone("laboratory", &network);
    let (own, other) = (fingerprint(&hospital), fingerprint(&laboratory));
    let refused = hospital.run(&["peers", "invite", "--code", "--fingerprint", &other]);
    assert_eq!(refused.code, Some(5), "nothing serves: {}", refused.err);
    hospital.serve();
    laboratory.serve();
    hospital.import(&bundle("hospital", "low"));

    // Nobody is trusted whose fingerprint is not the one that was read out, at either side.
    let inviting = Inviting::new(&hospital, &own);
    let earlier = inviting.code.clone();
    let refused = add(&laboratory, &inviting.code, &other);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("another fingerprint"), "{}", refused.err);
    let refused = inviting.ended();
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert_eq!((peers(&hospital), peers(&laboratory)), (0, 0));

    let inviting = Inviting::new(&hospital, &other);
    // A mistyped one is told before anything is asked.
    let at = usize::from(inviting.code.starts_with('7'));
    let typed = ["7", "8"][at].to_owned() + &inviting.code[1..];
    let mistyped = add(&laboratory, &typed, &own);
    assert_eq!(mistyped.code, Some(2));
    assert!(mistyped.err.contains("group 1 of the code"), "{}", mistyped.err);

    let refused = add(&laboratory, &earlier, &own);
    assert!(refused.err.contains("did not take the code"), "{}", refused.err);

    let code = inviting.code.to_lowercase().replace('-', " ");
    let added = add(&laboratory, &code, &own);
    assert_eq!(added.code, Some(0), "{}", added.err);
    assert_eq!(added.err.matches("has the fingerprint").count(), 2, "{}", added.err);
    let invited = inviting.ended();
    assert_eq!(invited.code, Some(0), "{}", invited.err);
    assert_eq!(invited.err.matches("has the fingerprint").count(), 2, "{}", invited.err);
    let admitted = json::parse(invited.out.trim().as_bytes()).expect("JSON");
    assert_eq!(text(&admitted, "peer"), "laboratory");
    let used = add(&laboratory, &code, &own);
    assert_eq!(used.code, Some(1));
    assert!(used.err.contains("no code is open"), "{}", used.err);

    settle(&[&hospital, &laboratory]);
    assert!(laboratory.shown().contains("Testa"));
    assert_eq!((peers(&hospital), peers(&laboratory)), (1, 1));
}

#[test]
fn a_code_goes_with_the_command_that_waits_and_with_the_serving_process() {
    let network = Network::default();
    let mut hospital = Place::alone("hospital", &network);
    hospital.serve();
    let inviting = Inviting::new(&hospital, "0");
    let second = hospital.run(&["tide", "code", "--valid-ms=1"]);
    assert!(second.err.contains("another code is open"), "{}", second.err);
    inviting.interrupt();
    wait_for("the end of the code", || {
        let tried = hospital.run(&["tide", "code", "--valid-ms=1"]);
        tried.err.contains("nobody came").then_some(())
    });
    let inviting = Inviting::new(&hospital, "0");
    hospital.signal("-TERM");
    let ended = inviting.ended();
    assert_eq!(ended.code, Some(5), "{}", ended.err);
}
