//! Data over open links: in memory, over sockets, cut off and closed.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;
use crate::digest::Sha256;

const BYTES: usize = 24 << 20;

fn data(place: usize) -> Vec<u8> {
    (place..place + 60_000).map(|at| (at % 251) as u8).collect()
}

/// Sends [`BYTES`] and their digest, then says the closing word; takes as much from the peer.
fn exchange(link: &mut Link, socket: &mut TcpStream, first: bool) {
    let mut stream = link.stream(socket);
    for sends in [first, !first] {
        let (mut digest, mut place) = (Sha256::new(), 0);
        while place < BYTES {
            let mut piece = data(place);
            if sends {
                stream.write_all(&piece).unwrap();
            } else {
                piece.fill(0);
                stream.read_exact(&mut piece).unwrap();
            }
            digest.update(&piece);
            place += piece.len();
        }
        let mut end = digest.finish();
        if sends {
            stream.write_all(&end).unwrap();
            stream.flush().unwrap();
        } else {
            let own = std::mem::take(&mut end);
            let mut theirs = own;
            stream.read_exact(&mut theirs).unwrap();
            let mut expected = Sha256::new();
            (0..BYTES).step_by(60_000).for_each(|place| expected.update(&data(place)));
            assert_eq!(theirs, expected.finish());
        }
    }
    stream.close().unwrap();
    assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn a_large_transfer_goes_over_sockets_in_both_directions() {
    let [one, two, _] = sites();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let opening = Opening::accept(Arc::clone(&two.keys), peers(&[&one.peer]), 0).unwrap();
        let mut link = opening.complete(&mut socket, &mut || 0, &mut seeded(1)).unwrap();
        exchange(&mut link, &mut socket, false);
    });
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let opening = connecting(one, &two.peer).opening;
    let mut link = opening.complete(&mut socket, &mut || 0, &mut seeded(2)).unwrap();
    exchange(&mut link, &mut socket, true);
    accepting.join().unwrap();
}

#[test]
fn a_silent_peer_is_given_up() {
    let [one, two, _] = sites();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let mut now = 0;
    let mut clock = || {
        now += 1_000;
        now
    };
    let opening = connecting(one, &two.peer).opening;
    let refused = opening.complete(&mut socket, &mut clock, &mut seeded(1)).err();
    assert_eq!(refused, Some(LinkError::TooSlow));
}

#[test]
fn an_end_without_the_closing_word_is_told() {
    let (mut client, mut server) = open();
    assert_eq!(ends::pass(&mut client, &mut server, b"half of"), b"half of");
    server.read_from(&mut &[][..]).unwrap();
    assert_eq!(server.receive(&mut [0; 10]), Err(LinkError::Cut));
    let (mut client, mut server) = open();
    client.close();
    let mut wire = Vec::new();
    while client.wants_write() {
        client.write_to(&mut wire).unwrap();
    }
    server.read_from(&mut &wire[..]).unwrap();
    assert_eq!(server.receive(&mut [0; 10]), Ok(Some(0)));
}

#[test]
fn changed_replayed_and_missing_records_end_a_link() {
    let write = |link: &mut Link, data: &[u8]| {
        assert_eq!(link.send(data), Ok(data.len()));
        let mut wire = Vec::new();
        while link.wants_write() {
            link.write_to(&mut wire).unwrap();
        }
        wire
    };
    let (mut client, mut server) = open();
    let mut changed = write(&mut client, b"one");
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(server.read_from(&mut &changed[..]), Err(LinkError::Protocol));
    assert_eq!(server.receive(&mut [0; 10]), Ok(None));
    let (mut client, mut server) = open();
    let (first, second) = (write(&mut client, b"one"), write(&mut client, b"two"));
    server.read_from(&mut &first[..]).unwrap();
    assert_eq!(server.receive(&mut [0; 10]), Ok(Some(3)));
    assert_eq!(server.read_from(&mut &first[..]), Err(LinkError::Protocol));
    let (_, mut server) = open();
    assert_eq!(server.read_from(&mut &second[..]), Err(LinkError::Protocol));
}

#[test]
fn data_waits_until_it_is_taken() {
    let (mut client, mut server) = open();
    // More than there is room for is not taken.
    let much = vec![1; 1 << 20];
    let taken = client.send(&much).unwrap();
    assert!(taken > 0 && taken < much.len());
    let mut wire = Vec::new();
    while client.wants_write() {
        client.write_to(&mut wire).unwrap();
    }
    let mut rest = &wire[..];
    while server.wants_read() {
        server.read_from(&mut rest).unwrap();
    }
    let left = rest.len();
    server.read_from(&mut rest).unwrap();
    assert!(left > 0 && rest.len() == left);
    let (mut all, mut buffer) = (0, [0; 4096]);
    loop {
        while let Some(count) = server.receive(&mut buffer).unwrap() {
            all += count;
        }
        if rest.is_empty() {
            break;
        }
        server.read_from(&mut rest).unwrap();
    }
    assert_eq!(all, taken);
}
