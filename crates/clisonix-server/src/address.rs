//! From an address to a connected socket, directly or through an HTTP proxy.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::error::Ending;

/// Longest wait for a connection and for a proxy's answer, in milliseconds.
pub const CONNECT_MS: u64 = 10_000;
/// Most bytes of a proxy's answer (RFC 9110 section 9.3.6).
pub const MAX_PROXY_HEAD_BYTES: usize = 8 << 10;
/// Most addresses of one name that are tried.
const MAX_TRIED: usize = 4;

/// Connects to `host:port`, through the proxy if there is one.
pub(crate) fn connect(address: &str, proxy: Option<&str>) -> Result<TcpStream, Ending> {
    let Some(proxy) = proxy else { return direct(address) };
    let mut stream = direct(proxy)?;
    let limit = Some(Duration::from_millis(CONNECT_MS));
    let set = stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit));
    set.map_err(|error| Ending::Connect(error.kind()))?;
    tunnel(&mut stream, address)?;
    Ok(stream)
}

fn direct(address: &str) -> Result<TcpStream, Ending> {
    let failed = |error: io::Error| Ending::Connect(error.kind());
    let mut last = Ending::Connect(io::ErrorKind::NotFound);
    let found: Vec<SocketAddr> = address.to_socket_addrs().map_err(failed)?.collect();
    for place in found.iter().take(MAX_TRIED) {
        match TcpStream::connect_timeout(place, Duration::from_millis(CONNECT_MS)) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = failed(error),
        }
    }
    Err(last)
}

/// Asks the proxy for a tunnel.
fn tunnel(stream: &mut TcpStream, address: &str) -> Result<(), Ending> {
    let failed = |error: io::Error| Ending::Connect(error.kind());
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut head = Vec::new();
    let mut byte = [0];
    // Byte by byte: what follows the head belongs to the link.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_PROXY_HEAD_BYTES {
            return Err(Ending::ProxyAnswer);
        }
        stream.read_exact(&mut byte).map_err(failed)?;
        head.extend_from_slice(&byte);
    }
    match status(&head) {
        Some(200..=299) => Ok(()),
        Some(other) => Err(Ending::Proxy(other)),
        None => Err(Ending::ProxyAnswer),
    }
}

/// The status of an HTTP answer.
fn status(head: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(head).ok()?;
    let rest = text.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.trim_end().get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn the_status_of_a_proxys_answer_is_read() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 Proxy Authentication Required\r\n\r\n"), Some(407));
        assert_eq!(status(b"HTTP/1.1 200\r\n\r\n"), Some(200));
        for other in
            [&b""[..], b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 \r\n\r\n", b"HTTP/1.1 2x0 \r\n\r\n"]
        {
            assert_eq!(status(other), None);
        }
    }
}
