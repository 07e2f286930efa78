//! Links between peers: opened once, used in both directions, cut and made again.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use clisonix_pq::link::LinkError;
use clisonix_server::{Ending, MAX_MESSAGE_BYTES, MAX_UNHANDLED};

use crate::node::{Node, Told, sites, wait_for};

const LOOPBACK: Option<&str> = Some("127.0.0.1:0");

#[test]
fn messages_go_over_a_link_in_both_directions() {
    let [one, two, ..] = sites();
    let echo = Node::echo(two, LOOPBACK);
    echo.admit(&[one.at(&[])]).unwrap();
    let node = Node::new(one, None, None);
    node.transport.admit(&[two.at(&[echo.address().unwrap()])]).unwrap();
    let line = node.opened();
    assert_eq!(line.peer(), two.name());
    for size in [1_usize, 100, 70_000, 1_000_000, 5_000_000] {
        let message: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        line.send(message.clone()).unwrap();
        assert!(node.message() == message, "{size} bytes");
    }
    for number in 0..500_u32 {
        line.send(number.to_be_bytes().to_vec()).unwrap();
    }
    for number in 0..500_u32 {
        assert_eq!(node.message(), number.to_be_bytes());
    }
    let traffic = node.transport.traffic().remove(&two.name()).unwrap();
    assert_eq!((traffic.messages_in, traffic.messages_out), (505, 505));
    assert!(traffic.linked_since_ms.is_some() && traffic.fault.is_none());
    assert!(traffic.bytes_in > 5_000_000 && traffic.bytes_out > 5_000_000);
    assert_eq!(line.send(vec![0; MAX_MESSAGE_BYTES + 1]), Err(Ending::LongMessage));
    assert_eq!(node.closed(), Ending::LongMessage);
    node.transport.stop();
    echo.stop();
}

#[test]
fn two_that_dial_each_other_end_with_one_link() {
    let [one, two, ..] = sites();
    let (a, b) = (Node::new(one, LOOPBACK, None), Node::new(two, LOOPBACK, None));
    a.transport.admit(&[two.at(&[b.address()])]).unwrap();
    b.transport.admit(&[one.at(&[a.address()])]).unwrap();
    // Whichever link came first, one session is left at both ends.
    let (line, other) = (a.settled(), b.settled());
    assert_eq!(line.session(), other.session());
    line.send(b"one".to_vec()).unwrap();
    other.send(b"two".to_vec()).unwrap();
    assert_eq!((b.message(), a.message()), (b"one".to_vec(), b"two".to_vec()));
    b.transport.stop();
    wait_for(|| line.ending());
    a.transport.stop();
}

#[test]
fn a_peer_that_comes_back_is_found_again() {
    let [one, two, ..] = sites();
    let echo = Node::echo(two, LOOPBACK);
    let address = echo.address().unwrap();
    echo.admit(&[one.at(&[])]).unwrap();
    let node = Node::new(one, None, None);
    node.transport.admit(&[two.at(&[address])]).unwrap();
    let first = node.opened();
    echo.stop();
    assert_eq!(node.closed(), Ending::ByPeer);
    assert_eq!(first.send(vec![1]), Err(Ending::ByPeer));
    assert!(node.fault(two.name()).contains("cannot connect"));
    let echo = Node::echo(two, Some(&address.to_string()));
    echo.admit(&[one.at(&[])]).unwrap();
    let line = node.opened();
    line.send(b"again".to_vec()).unwrap();
    assert_eq!(node.message(), b"again");
    node.transport.stop();
    echo.stop();
}

#[test]
fn who_is_not_admitted_any_more_is_cut() {
    let [one, two, three, _] = sites();
    let node = Node::new(one, LOOPBACK, None);
    node.transport.admit(&[two.at(&[]), three.at(&[])]).unwrap();
    let others = [two, three].map(|site| {
        let other = Node::new(site, None, None);
        other.transport.admit(&[one.at(&[node.address()])]).unwrap();
        let line = other.opened();
        (other, line)
    });
    let _ = (node.opened(), node.opened());
    node.transport.admit(&[three.at(&[])]).unwrap();
    assert_eq!(node.closed(), Ending::Revoked);
    assert_eq!(others[0].0.closed(), Ending::ByPeer);
    // It knocks again and is refused, and the other one does not notice.
    assert!(others[0].0.fault(one.name()).contains("TLS alert"));
    assert!(wait_for(|| node.transport.refusals().1).what.contains("not the pinned one"));
    assert!(others[1].1.send(b"still".to_vec()).is_ok());
    assert_eq!(node.message(), b"still");
    node.transport.stop();
}

#[test]
fn a_wrong_key_is_refused_and_shown() {
    let [one, two, three, _] = sites();
    // At the address of the second somebody else answers.
    let other = Node::new(three, LOOPBACK, None);
    other.transport.admit(&[one.at(&[])]).unwrap();
    let node = Node::new(one, None, None);
    node.transport.admit(&[two.at(&[other.address()])]).unwrap();
    assert!(node.fault(two.name()).contains(&LinkError::UnknownKey.to_string()));
    assert!(node.is_quiet(Duration::from_millis(300)));
    node.transport.stop();
}

#[test]
fn no_more_is_read_than_can_be_dealt_with() {
    let [one, two, ..] = sites();
    let node = Node::new(one, LOOPBACK, None);
    node.transport.admit(&[two.at(&[])]).unwrap();
    let other = Node::new(two, None, None);
    other.transport.admit(&[one.at(&[node.address()])]).unwrap();
    let line = other.opened();
    let _ = node.opened();
    for number in 0..100_u8 {
        line.send(vec![number; 100_000]).unwrap();
    }
    let mut held = Vec::new();
    for number in 0..MAX_UNHANDLED {
        let Told::Message(bytes, credit) = node.next() else { panic!("a message") };
        assert_eq!(usize::from(bytes[0]), number);
        held.push(credit);
    }
    assert!(node.is_quiet(Duration::from_millis(500)));
    held.clear();
    for number in MAX_UNHANDLED..100 {
        assert_eq!(usize::from(node.message()[0]), number);
    }
    node.transport.stop();
    other.transport.stop();
}

#[test]
fn a_link_goes_through_a_proxy() {
    let [one, two, ..] = sites();
    let echo = Node::echo(two, LOOPBACK);
    echo.admit(&[one.at(&[])]).unwrap();
    let proxy = proxy();
    let node = Node::new(one, None, Some(proxy));
    node.transport.admit(&[two.at(&[echo.address().unwrap()])]).unwrap();
    node.opened().send(b"through".to_vec()).unwrap();
    assert_eq!(node.message(), b"through");
    node.transport.stop();
    echo.stop();
}

/// A proxy that knows CONNECT; refuses the first that asks.
fn proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let mut client = client.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            if number == 0 {
                client.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").unwrap();
                continue;
            }
            let text = String::from_utf8(head).unwrap();
            let to = text.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
            let mut server = TcpStream::connect(to).unwrap();
            client.write_all(b"HTTP/1.1 200 OK\r\nVia: test\r\n\r\n").unwrap();
            let (mut back, mut forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut forth, &mut back));
            thread::spawn(move || std::io::copy(&mut client, &mut server));
        }
    });
    address
}
