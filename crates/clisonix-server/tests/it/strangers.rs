//! Who is no peer costs little and disturbs nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use clisonix_server::{MAX_OPENINGS_OF_ONE, Transport};

use crate::node::{Node, sites, wait_for};

const LOOPBACK: Option<&str> = Some("127.0.0.1:0");

/// A link works while strangers do what they do.
pub(crate) fn link_works(echo: &Transport) {
    let [one, two, ..] = sites();
    let node = Node::new(one, None, None);
    node.transport.admit(&[two.at(&[echo.address().unwrap()])]).unwrap();
    node.opened().send(b"hello".to_vec()).unwrap();
    assert_eq!(node.message(), b"hello");
    node.transport.stop();
}

/// Four who connect and say something else.
pub(crate) fn disturb(address: SocketAddr) {
    let zeros = vec![0; 100_000];
    let pieces: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", &zeros, &[0x16, 3, 1, 0xff, 0xff], b""];
    for piece in pieces {
        let mut stranger = TcpStream::connect(address).unwrap();
        let _ = stranger.write_all(piece);
        let _ = stranger.shutdown(std::net::Shutdown::Write);
        // At most an alert comes back.
        let mut answer = Vec::new();
        let _ = stranger.read_to_end(&mut answer);
        assert!(answer.len() < 100);
    }
}

#[test]
fn garbage_is_refused() {
    let [one, two, ..] = sites();
    let echo = Node::echo(two, LOOPBACK);
    echo.admit(&[one.at(&[])]).unwrap();
    disturb(echo.address().unwrap());
    wait_for(|| (echo.refusals().0 == 4).then_some(()));
    link_works(&echo);
    echo.stop();
}

#[test]
fn who_drips_is_let_go_and_takes_no_others_place() {
    let [one, two, ..] = sites();
    let echo = Node::echo(two, LOOPBACK);
    echo.admit(&[one.at(&[])]).unwrap();
    let address = echo.address().unwrap();
    let dripping: Vec<TcpStream> =
        (0..MAX_OPENINGS_OF_ONE - 1).map(|_| TcpStream::connect(address).unwrap()).collect();
    for mut stranger in &dripping {
        stranger.write_all(&[0x16, 3, 1, 0x10, 0]).unwrap();
    }
    thread::sleep(Duration::from_millis(200));
    link_works(&echo);
    // The limit of one address: the next one is let go at once.
    let _last = TcpStream::connect(address).unwrap();
    thread::sleep(Duration::from_millis(200));
    let mut beyond = TcpStream::connect(address).unwrap();
    beyond.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
    assert_eq!(beyond.read(&mut [0]).unwrap(), 0);
    // The others when their time is up.
    let mut dripping = dripping.into_iter();
    let mut first = dripping.next().unwrap();
    first.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for _ in 0..40 {
        if first.write_all(&[0]).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(500));
    }
    assert!(wait_for(|| echo.refusals().1).what.contains("took too long"));
    echo.stop();
}
