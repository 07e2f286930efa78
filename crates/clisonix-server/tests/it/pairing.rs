//! Codes over a real port: who comes with one, who guesses, who disturbs, and links beside them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use clisonix_pq::checkpoint::Author;
use clisonix_pq::link::pairing::{Code, DEFAULT_CODE_MS, MAX_WRONG, PairingError};
use clisonix_pq::link::{About, Invitation, LinkKeys};
use clisonix_pq::{Identity, Keys, Profile};
use clisonix_server::{
    CodeEnd, Ending, MAX_PAIRINGS_OF_ONE, OpenCode, ServerError, Settings, Transport, join,
};

use crate::node::{Node, PATIENCE, random, sites, wait_for};
use crate::strangers::{disturb, link_works};

/// A node with what it gives others.
struct Invited {
    keys: Arc<LinkKeys>,
    invitation: Invitation,
}

fn invited() -> &'static [Invited; 2] {
    static MADE: OnceLock<[Invited; 2]> = OnceLock::new();
    MADE.get_or_init(|| {
        ["one", "two"].map(|name| {
            let keys = Keys::generate(Profile::Hybrid, name, 1, &mut random).unwrap();
            let copy = || Identity::from_seed(Profile::Hybrid, keys.identity().seed()).unwrap();
            let link = LinkKeys::new(copy(), 1, &mut random).unwrap();
            let author = Author::new(copy(), 1, &mut random).unwrap();
            let about = About { name: name.to_owned(), ..About::default() };
            let (public, live) = (link.public(), author.live_key());
            let invitation = Invitation::sign(&keys, public, live, &about, 1, &mut random);
            Invited { keys: Arc::new(link), invitation: invitation.unwrap() }
        })
    })
}

/// A port of the first node.
fn port(listen: Option<SocketAddr>) -> Transport {
    let settings = Settings { listen, proxy: None, now_ms: || 1_700_000_000_000, random };
    Transport::start(settings, Arc::clone(&invited()[0].keys), |_| ()).unwrap()
}

fn listening() -> Transport {
    port(Some(([127, 0, 0, 1], 0).into()))
}

fn offer(of: &Transport) -> OpenCode {
    of.open_code(invited()[0].invitation.clone(), DEFAULT_CODE_MS).unwrap()
}

fn come(to: &Transport, code: &str) -> Result<Invitation, Ending> {
    come_with(to, &Code::from_text(code).unwrap())
}

fn come_with(to: &Transport, code: &Code) -> Result<Invitation, Ending> {
    let (own, address) = (&invited()[1], to.address().unwrap().to_string());
    join(&address, None, code, &own.keys, &own.invitation, random)
}

const NO_CODE: Ending = Ending::Pairing(PairingError::NoCode);

#[test]
fn a_port_takes_an_exchange_while_a_code_is_open_and_once() {
    let [one, two] = invited();
    let port = listening();
    let code = offer(&port);
    assert_eq!(code.wait(Duration::ZERO), None);
    assert_eq!(come(&port, code.text()).as_ref(), Ok(&one.invitation));
    let Some(CodeEnd::Joined(joined)) = code.wait(PATIENCE) else { panic!("nobody came") };
    assert_eq!(joined.invitation, two.invitation);
    assert!(joined.has_answer && joined.from.ip().is_loopback());
    assert_eq!(come(&port, code.text()), Err(NO_CODE));
    let text = code.text().to_owned();
    drop(code);
    assert_eq!(come(&port, &text), Err(NO_CODE));
    // The next one is another one.
    let code = offer(&port);
    assert_eq!(come(&port, &text), Err(Ending::Pairing(PairingError::Refused)));
    assert_eq!(come(&port, code.text()).as_ref(), Ok(&one.invitation));
    port.stop();
}

#[test]
fn a_code_ends_with_its_time_with_who_opened_it_and_with_the_port() {
    let port = listening();
    let code = port.open_code(invited()[0].invitation.clone(), 30).unwrap();
    let text = code.text().to_owned();
    assert_eq!(wait_for(|| code.wait(Duration::from_millis(20))), CodeEnd::Over);
    assert_eq!(come(&port, &text), Err(NO_CODE));
    drop(code);
    let code = offer(&port);
    let again = port.open_code(invited()[0].invitation.clone(), 30);
    assert!(matches!(again, Err(ServerError::CodeOpen)));
    port.stop();
    assert_eq!(code.wait(Duration::from_millis(20)), Some(CodeEnd::Stopped));
    let deaf = self::port(None);
    let refused = deaf.open_code(invited()[0].invitation.clone(), 30);
    assert!(matches!(refused, Err(ServerError::NotListening)));
    deaf.stop();
}

#[test]
fn who_guesses_closes_the_code_and_is_seen() {
    let port = listening();
    let code = offer(&port);
    // Of the right inviter with another secret: more than a stranger could have.
    let guess = Code::generate(invited()[0].invitation.fingerprint(), &mut random);
    for _ in 0..MAX_WRONG {
        assert_eq!(come_with(&port, &guess), Err(Ending::Pairing(PairingError::Refused)));
    }
    assert_eq!(code.wait(PATIENCE), Some(CodeEnd::Guessed));
    assert_eq!(come(&port, code.text()), Err(NO_CODE));
    wait_for(|| (port.refusals().0 > u64::from(MAX_WRONG)).then_some(()));
    port.stop();
}

#[test]
fn links_open_as_always_while_a_code_is_open() {
    let [one, two, ..] = sites();
    let echo = Node::echo(two, Some("127.0.0.1:0"));
    echo.admit(&[one.at(&[])]).unwrap();
    // The code is for this port, whoever's invitation it gives.
    let code = echo.open_code(invited()[0].invitation.clone(), DEFAULT_CODE_MS).unwrap();
    link_works(&echo);
    disturb(echo.address().unwrap());
    wait_for(|| (echo.refusals().0 == 4).then_some(()));
    assert_eq!(code.wait(Duration::ZERO), None);
    link_works(&echo);
    echo.stop();
}

/// The first message of who comes with a code.
fn hello() -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let own = &invited()[1];
    let coming = thread::spawn(move || {
        let code = Code::generate(invited()[0].invitation.fingerprint(), &mut random);
        join(&address, None, &code, &own.keys, &own.invitation, random).err()
    });
    let (mut socket, _) = listener.accept().unwrap();
    let mut hello = vec![0; 5];
    socket.read_exact(&mut hello).unwrap();
    hello.resize(5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])), 0);
    socket.read_exact(&mut hello[5..]).unwrap();
    drop(socket);
    assert!(coming.join().unwrap().is_some());
    hello
}

#[test]
fn who_stalls_takes_few_places_and_no_links() {
    let [one, ..] = invited();
    let port = listening();
    let code = offer(&port);
    let hello = hello();
    let stall = || {
        let mut stalling = TcpStream::connect(port.address().unwrap()).unwrap();
        stalling.write_all(&hello).unwrap();
        // It is answered, so it has its place.
        stalling.read_exact(&mut [0; 100]).unwrap();
        stalling
    };
    let stalling: Vec<TcpStream> = (0..MAX_PAIRINGS_OF_ONE).map(|_| stall()).collect();
    let refused = come(&port, code.text());
    assert!(matches!(refused, Err(Ending::Pairing(_))), "{refused:?}");
    wait_for(|| port.refusals().1.filter(|fault| fault.what.contains("too many exchange")));
    drop(stalling);
    let got = wait_for(|| come(&port, code.text()).ok());
    assert_eq!(got, one.invitation);
    port.stop();
}
