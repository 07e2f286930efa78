//! What is told from the first message of a connection.

use super::super::super::opening::Opening;
use super::super::super::peers::Peers;
use super::*;
use std::sync::Arc;

fn hello_of(mut tls: rustls::Connection) -> Vec<u8> {
    let mut wire = Vec::new();
    tls.write_tls(&mut wire).unwrap();
    wire
}

fn hear(bytes: &[u8], at_once: usize) -> (Option<Asked>, Vec<u8>) {
    let mut knock = Knock::default();
    for piece in bytes.chunks(at_once) {
        if let Some(asked) = knock.read_from(&mut &*piece).unwrap() {
            return (Some(asked), knock.heard());
        }
    }
    (None, knock.heard())
}

#[test]
fn a_pairing_is_told_from_a_link() {
    let [one, two, _] = nodes();
    for profile in Profile::ALL {
        let pairing = hello_of(tls::client(profile).unwrap());
        for at_once in [1, 7, 5000] {
            let expected = (Some(Asked::Pairing), pairing.clone());
            assert_eq!(hear(&pairing, at_once), expected);
        }
        assert_eq!(hear(&pairing[..pairing.len() - 1], 100).0, None);
    }
    let mut peers = Peers::new();
    peers.add(two.invitation.peer().clone()).unwrap();
    let (own, peer) = (node(Profile::Hybrid, 1), two.invitation.fingerprint());
    assert_eq!(own.invitation.fingerprint(), one.invitation.fingerprint());
    let opening = Opening::connect(Arc::new(own.keys), Arc::new(peers), peer, 0);
    let mut link = Vec::new();
    opening.unwrap().write_to(&mut link).unwrap();
    assert_eq!(hear(&link, 64), (Some(Asked::Link), link.clone()));
}

#[test]
fn what_is_no_hello_is_left_to_who_opens_links() {
    let web = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    for garbage in [web, vec![0; 20_000], vec![0xff; 20_000]] {
        let (asked, heard) = hear(&garbage, 3000);
        assert_eq!(asked, Some(Asked::Link));
        assert!(heard.len() <= MAX_HELLO_BYTES && garbage.starts_with(&heard));
    }
    // A message that announces more than it may have and never ends.
    let mut endless = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
    endless.resize(20_000, 0);
    let (asked, heard) = hear(&endless, 1000);
    assert_eq!(asked, Some(Asked::Link));
    assert!(heard.len() <= MAX_HELLO_BYTES);
    // Nothing at all.
    assert_eq!(Knock::default().read_from(&mut std::io::empty()).unwrap(), Some(Asked::Link));
}

#[test]
fn a_port_without_an_open_code_says_so() {
    let [one, two, _] = nodes();
    let (mut here, there) = line();
    let keys = Arc::new(node(Profile::Hybrid, 1).keys);
    let code = Code::from_text(&offer(one).code().to_text()).unwrap();
    thread::scope(|scope| {
        let joined = scope.spawn(|| ask(two, &code, there));
        let opening = Opening::accept(keys, Arc::new(Peers::new()), 0).unwrap();
        let refused = opening.complete(&mut here, &mut clock(), &mut seeded(1));
        assert!(refused.is_err());
        assert_eq!(joined.join().unwrap(), Err(PairingError::NoCode));
    });
}
