//! What first bytes mean, as data; never opens a socket but in the two tests about segments.

use std::sync::Arc;

use proptest::prelude::*;
use tokio::io::AsyncWriteExt;

use super::*;

fn plain(host: &str) -> Option<Seen> {
    Some(Seen::Plain(Some(host.to_owned())))
}

fn hello(name: &str) -> Vec<u8> {
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_root_certificates(rustls::RootCertStore::empty())
    .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn plain_heads() {
    let two = "GET / HTTP/1.1\r\nHost: a.localhost\r\nhost: b.localhost\r\n\r\n";
    let cases: [(&str, Result<Option<Seen>, Refused>); 8] = [
        ("", Ok(None)),
        ("GE", Ok(None)),
        ("GET / HTTP/1.1\r\nHost: ann.localhost:8080\r\n", Ok(None)),
        ("GET / HTTP/1.1\r\nHost: ann.localhost:8080\r\n\r\n", Ok(plain("ann.localhost:8080"))),
        ("GET / HTTP/1.0\r\n\r\n", Ok(Some(Seen::Plain(None)))),
        (two, Err(Refused::NeitherTlsNorHttp)),
        ("SSH-2.0-OpenSSH_9.2\r\n", Err(Refused::NeitherTlsNorHttp)),
        ("\0\0\0", Err(Refused::NeitherTlsNorHttp)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(read(bytes.as_bytes()), expected, "{bytes:?}");
    }
}

#[test]
fn a_hello_names_its_server_only_once_it_is_whole() {
    let bytes = hello("ann.localhost");
    let expected = Some(Seen::Tls(Some("ann.localhost".to_owned())));
    assert_eq!(read(&bytes), Ok(expected.clone()));
    for cut in 1..bytes.len() {
        assert_eq!(read(&bytes[..cut]), Ok(None), "cut at {cut}");
    }
}

#[test]
fn hosts_and_names() {
    let name = |name: &str| Wanted::Name(name.to_owned());
    let cases = [
        ("ann.localhost", "localhost", name("ann")),
        ("ANN.LocalHost.:8080", "localhost", name("ann")),
        ("localhost:8080", "localhost", Wanted::Elsewhere),
        ("127.0.0.1:8080", "localhost", Wanted::Elsewhere),
        ("[::1]:8080", "localhost", Wanted::Elsewhere),
        ("a.b.localhost", "localhost", Wanted::Elsewhere),
        ("annlocalhost", "localhost", Wanted::Elsewhere),
        ("ann.home.example", "home.example", name("ann")),
        ("ann.evil.example", "home.example", Wanted::Elsewhere),
        (".localhost", "localhost", Wanted::Elsewhere),
    ];
    for (host, zone, expected) in cases {
        assert_eq!(Wanted::of(Some(host), zone), expected, "{host} in {zone}");
    }
    assert_eq!(Wanted::of(None, "localhost"), Wanted::Elsewhere);
}

/// Feeds a connection piece by piece and tells what was seen.
fn over_a_socket(pieces: Vec<Vec<u8>>) -> Result<Seen, Refused> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let writer = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            for piece in pieces {
                stream.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            stream
        });
        let (stream, _) = listener.accept().await.unwrap();
        let seen = look(&stream).await;
        let _open = writer.await.unwrap();
        seen
    })
}

#[test]
fn a_hello_in_single_bytes_is_waited_for() {
    let pieces = hello("ann.localhost").chunks(1).map(<[u8]>::to_vec).collect();
    assert_eq!(over_a_socket(pieces), Ok(Seen::Tls(Some("ann.localhost".to_owned()))));
}

#[test]
fn an_endless_head_is_refused_at_the_limit() {
    let head = format!("GET / HTTP/1.1\r\nX: {}\r\n", "x".repeat(MAX_PEEK));
    assert_eq!(over_a_socket(vec![head.into_bytes()]), Err(Refused::TooLong));
}

#[test]
fn the_corpus_is_read_without_harm() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/peek");
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let _ = read(&std::fs::read(file.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 4, "the corpus is there");
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in proptest::collection::vec(0_u8.., 0..600)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_damaged_hello_is_judged(at in 0_usize..200, byte: u8) {
        let mut bytes = hello("ann.localhost");
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = read(&bytes);
    }
}
