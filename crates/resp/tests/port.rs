//! The port before its node serves: what connections answer by themselves, and what they do not put up with.
#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // A test with sockets.

use isegoria_client::LocalPort;
use isegoria_resp::{RespOptions, RespServer};
use isegoria_transport::{Endpoint, Listener, Stream, dial};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn serve(options: RespOptions) -> (RespServer, Endpoint) {
    let listener = Listener::bind(&Endpoint::loopback()).await.expect("it works");
    let endpoint = listener.endpoint().expect("it works");
    (RespServer::spawn(listener, LocalPort::default(), options), endpoint)
}

/// What is said until the connection ends.
async fn until_the_end(mut stream: Stream) -> String {
    let mut said = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).expect("it works")
}

async fn ask(endpoint: &Endpoint, bytes: &[u8]) -> Stream {
    let mut stream = dial(endpoint).await.expect("it works");
    stream.write_all(bytes).await.expect("it works");
    stream
}

#[tokio::test]
async fn what_is_no_request_is_an_error_and_the_end() {
    let (_server, endpoint) = serve(RespOptions::default()).await;
    for (bytes, said) in [
        (&b"*1\r\n$536870912\r\n"[..], "-ERR Protocol error: invalid bulk length\r\n"),
        (b"*99999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*2\r\n*1\r\n$1\r\na\r\n", "-ERR Protocol error: expected '$', got '*'\r\n"),
        (b"PING\r\n*1\r\n:1\r\n", "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n"),
        (b"PING\r\nQUIT\r\nPING\r\n", "+PONG\r\n+OK\r\n"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\nDBSIZE\r\n",
            "-ERR wrong number of arguments for 'get' command\r\n-ERR this port does not speak HTTP\r\n",
        ),
        (b"POST / HTTP/1.1\r\n\r\nDBSIZE\r\n", "-ERR this port does not speak HTTP\r\n"),
    ] {
        assert_eq!(until_the_end(ask(&endpoint, bytes).await).await, said);
    }
}

#[tokio::test]
async fn half_a_request_and_silence_is_the_end() {
    let (_server, endpoint) = serve(RespOptions { stalled_ms: 50, ..RespOptions::default() }).await;
    for bytes in [&b"*2\r\n$3\r\nGET\r\n$10\r\nabc"[..], b"*", b"PIN"] {
        assert_eq!(until_the_end(ask(&endpoint, bytes).await).await, "");
    }
    // Between requests one may be silent as long as one likes.
    let mut stream = ask(&endpoint, b"PING\r\n").await;
    let mut said = [0; 7];
    stream.read_exact(&mut said).await.expect("it works");
    let _ = until_the_end(ask(&endpoint, b"*").await).await;
    stream.write_all(b"PING\r\n").await.expect("it works");
    stream.read_exact(&mut said).await.expect("it works");
    assert_eq!(&said, b"+PONG\r\n");
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_connection() {
    let (_server, endpoint) = serve(RespOptions { stalled_ms: 50, ..RespOptions::default() }).await;
    let mut stream = dial(&endpoint).await.expect("it works");
    let echo = [b"*2\r\n$4\r\nECHO\r\n$65536\r\n", &[b'x'; 65536][..], b"\r\n"].concat();
    stream.write_all(&echo).await.expect("it works");
    let mut said = vec![0; 65536 + 10];
    stream.read_exact(&mut said).await.expect("it works");
    assert_eq!(said[..8], *b"$65536\r\n");
    // Until the port has closed it: replies that nobody takes fill the sockets' buffers.
    while stream.write_all(&echo).await.is_ok() {}
}

/// All is sent before anything is read, many times what sockets hold.
#[tokio::test]
async fn a_client_may_send_before_it_reads() {
    let (_server, endpoint) = serve(RespOptions { stalled_ms: 5_000, ..RespOptions::default() }).await;
    let mut stream = dial(&endpoint).await.expect("it works");
    let echo = [b"*2\r\n$4\r\nECHO\r\n$1024\r\n", &[b'x'; 1024][..], b"\r\n"].concat();
    let count = 6_000;
    stream.write_all(&echo.repeat(count)).await.expect("it is read all the same");
    let mut said = vec![0; count * (1024 + 9)];
    stream.read_exact(&mut said).await.expect("every answer");
}

/// Byte after byte, for longer than a request may take.
#[tokio::test]
async fn a_request_may_not_take_for_ever() {
    let (_server, endpoint) = serve(RespOptions { stalled_ms: 200, ..RespOptions::default() }).await;
    let mut stream = dial(&endpoint).await.expect("it works");
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(20));
    for sent in 0.. {
        ticks.tick().await;
        if stream.write_all(b"a").await.is_err() {
            break;
        }
        assert!(sent < 500, "it is still open");
    }
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let (_server, endpoint) = serve(RespOptions { connection_count_max: 1, ..RespOptions::default() }).await;
    let mut first = ask(&endpoint, b"PING\r\n").await;
    let mut said = [0; 7];
    first.read_exact(&mut said).await.expect("it works");
    let refused = until_the_end(dial(&endpoint).await.expect("it works")).await;
    assert_eq!(refused, "-ERR max number of clients reached\r\n");
    first.write_all(b"PING\r\n").await.expect("it works");
    first.read_exact(&mut said).await.expect("it works");
}
