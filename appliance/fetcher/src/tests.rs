//! Drives the fetcher over real TLS connections: against a server that does everything wrong that a
//! server can do, and against nginx, which does it right.

mod nginx;
mod server;

use std::fs::File;
use std::io::Read;
use std::sync::Mutex;
use std::time::Duration;

use handover::Mirror;
use update::{About, Here, Manifest, SecretKey, Statement, Trust, Version, make};

use self::server::{Act, Asked, Server, status};
use crate::{Error, Patience, System};

const NOW: u64 = 1_800_000_000;

fn keys() -> (Vec<u8>, SecretKey) {
    let [root, update] = [1, 2].map(|n| SecretKey::from_bytes(&[n; 32]));
    let (root_key, update_key) = (root.public(), update.public());
    let statement = Statement { number: 1, root: vec![root_key], update: vec![update_key] };
    (statement.sign(&[&root]), update)
}

/// A bundle whose system has some pieces and a little more, and what stands in its head.
pub(crate) struct Release {
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: Vec<u8>,
    pub(crate) manifest: Manifest,
}

pub(crate) fn release(version: Version, change: impl FnOnce(&mut About)) -> Release {
    let (statement, key) = keys();
    signed(version, change, statement, &key)
}

fn signed(
    version: Version,
    change: impl FnOnce(&mut About),
    statement: Vec<u8>,
    key: &SecretKey,
) -> Release {
    let mut about = About {
        flavour: "headless".to_owned(),
        arch: "x86_64".to_owned(),
        version,
        from: Version::FIRST,
        expires: NOW + 1000,
        tries: 3,
        root_hash: [7; 32],
    };
    change(&mut about);
    let part = |length: usize, salt: usize| {
        let bytes: Vec<u8> = (0..length).map(|n| ((n * 31 + n / 251 + salt) % 256) as u8).collect();
        std::io::Cursor::new(bytes)
    };
    let salt = version.1 as usize;
    let mut parts = [part(3 << 20 | 77, salt), part(5000, salt), part(1 << 20 | 9, salt)];
    let mut bytes = Vec::new();
    let manifest = make(&about, &mut parts, &[statement], key, &mut bytes).unwrap();
    let head = bytes.len() - usize::try_from(manifest.length()).unwrap();
    Release { head: bytes[..head].to_vec(), bytes, manifest }
}

pub(crate) fn system() -> System {
    System {
        trust: Some(Trust::read(&keys().0).unwrap()),
        here: Here {
            flavour: "headless".to_owned(),
            arch: "x86_64".to_owned(),
            version: Version(0, 1, 0),
            now: NOW,
        },
        patience: Patience {
            answer: Duration::from_secs(20),
            piece: Duration::from_secs(20),
            between: Duration::from_millis(1),
        },
    }
}

/// What comes of bringing it to a file that has this already: an answer, and the file.
pub(crate) fn bring(
    mirror: &Mirror,
    system: &System,
    had: &[u8],
) -> (Result<Version, Error>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, had).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let done = Mutex::new(0);
    let heard = |percent| {
        let mut done = done.lock().unwrap();
        assert!(*done <= percent && percent <= 100, "{done} and then {percent}");
        *done = percent;
    };
    let brought = run(crate::bring(mirror, system, file, heard));
    assert_eq!(brought.is_ok(), *done.lock().unwrap() == 100 && brought.is_ok());
    let mut bytes = Vec::new();
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    (brought, bytes)
}

pub(crate) fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(what)
}

/// The name of the reason, and that nothing came that is no beginning of the bundle.
fn refused(server: &Server, system: &System, release: &Release) -> &'static str {
    let (brought, file) = bring(&server.mirror(), system, b"");
    assert!(release.bytes.starts_with(&file), "something else was kept");
    brought.unwrap_err().name()
}

/// Answers as a good server would.
fn good(release: &Release, asked: &Asked) -> Vec<Act> {
    if asked.path == format!("/{}", release.manifest.newest()) {
        return vec![Act::Send(status("200 OK", "", &release.head))];
    }
    if asked.path != format!("/{}", release.manifest.file_name()) {
        return vec![Act::Send(status("404 Not Found", "", b"no"))];
    }
    let all = release.bytes.len();
    match asked.from {
        Some(from) if asked.same.as_deref().is_none_or(|same| same == "\"one\"") => {
            let range =
                format!("ETag: \"one\"\r\nContent-Range: bytes {from}-{}/{all}\r\n", all - 1);
            vec![Act::Send(status("206 Partial Content", &range, &release.bytes[from..]))]
        }
        _ => vec![Act::Send(status("200 OK", "ETag: \"one\"\r\n", &release.bytes))],
    }
}

/// Whether it's the bundle that is asked for, and not its head.
fn of_bundle(asked: &Asked) -> bool {
    asked.path.contains(".bundle")
}

#[test]
fn what_is_newer_is_found_and_brought() {
    let release = release(Version(0, 2, 0), |_| ());
    let server = Server::new(move |asked| good(&self::release(Version(0, 2, 0), |_| ()), asked));
    let there = run(crate::there(&server.mirror(), &system())).unwrap();
    assert_eq!(
        (there.version.as_str(), there.here.as_str(), there.newer),
        ("0.2.0", "0.1.0", true)
    );
    assert_eq!(there.bytes, release.bytes.len() as u64);
    let (brought, file) = bring(&server.mirror(), &system(), b"");
    assert_eq!(brought.unwrap(), Version(0, 2, 0));
    assert!(file == release.bytes);
    // Where it runs already there is nothing to do, and that is no mistake of the mirror.
    let mut here = system();
    here.here.version = Version(0, 2, 0);
    assert!(!run(crate::there(&server.mirror(), &here)).unwrap().newer);
    assert_eq!(bring(&server.mirror(), &here, b"").0.unwrap_err().name(), "not_newer");
}

#[test]
fn what_was_cut_off_goes_on_where_it_was() {
    let release = release(Version(0, 2, 0), |_| ());
    // Every connection breaks off after a MiB and a half.
    let server = Server::new(|asked| {
        let mut acts = good(&self::release(Version(0, 2, 0), |_| ()), asked);
        if let [Act::Send(bytes)] = &mut acts[..] {
            bytes.truncate(3 << 19);
        }
        acts
    });
    let (brought, file) = bring(&server.mirror(), &system(), b"");
    assert_eq!(brought.unwrap(), Version(0, 2, 0));
    assert!(file == release.bytes);
    let from: Vec<_> = server.asked().iter().filter(|a| of_bundle(a)).map(|a| a.from).collect();
    assert!(from.len() >= 4 && from.windows(2).all(|two| two[0] < two[1]), "{from:?}");
    let same: Vec<_> = server.asked().into_iter().filter(of_bundle).map(|a| a.same).collect();
    assert!(same[1..].iter().all(|same| same.as_deref() == Some("\"one\"")), "{same:?}");
    // So does a process that finds what an earlier one left, but not what is no part of it.
    for (left, from) in [
        (release.head.len() + (2 << 20) + 5, release.head.len() + (2 << 20)),
        (release.bytes.len(), 0),
        (release.head.len() - 1, release.head.len()),
    ] {
        let server = Server::new(|asked| good(&self::release(Version(0, 2, 0), |_| ()), asked));
        let (brought, file) = bring(&server.mirror(), &system(), &release.bytes[..left]);
        assert_eq!(brought.unwrap(), Version(0, 2, 0));
        assert!(file == release.bytes);
        let asked: Vec<_> = server.asked().into_iter().filter(of_bundle).collect();
        assert_eq!(asked.first().and_then(|asked| asked.from), (from > 0).then_some(from));
        assert!(asked.len() == usize::from(from > 0));
    }
    let mut turned = release.bytes.clone();
    turned[release.head.len() + (1 << 20) + 3] ^= 1;
    turned.extend([0; 4000]);
    let server = Server::new(|asked| good(&self::release(Version(0, 2, 0), |_| ()), asked));
    let (brought, file) = bring(&server.mirror(), &system(), &turned);
    assert!(brought.is_ok() && file == release.bytes);
    assert_eq!(server.asked()[1].from, Some(release.head.len() + (1 << 20)));
}

#[test]
fn a_server_without_parts_sends_all_again() {
    let release = release(Version(0, 2, 0), |_| ());
    let left = &release.bytes[..release.head.len() + (1 << 20)];
    let server = Server::new(|asked| {
        good(&self::release(Version(0, 2, 0), |_| ()), &Asked { from: None, ..asked.clone() })
    });
    let (brought, file) = bring(&server.mirror(), &system(), left);
    assert!(brought.is_ok() && file == release.bytes);
}

#[test]
fn what_nobody_should_use_is_refused() {
    let usual = system();
    let name = |release: &'static Release| {
        let server = Server::new(|asked| good(release, asked));
        let (look, bring) =
            (run(crate::there(&server.mirror(), &usual)), refused(&server, &usual, release));
        assert_eq!(look.map_err(|error| error.name()), Err(bring));
        bring
    };
    let keep = |release| -> &'static Release { Box::leak(Box::new(release)) };
    let new = Version(0, 2, 0);
    assert_eq!(name(keep(release(new, |about| about.expires = NOW))), "expired");
    assert_eq!(name(keep(release(new, |about| about.from = Version(0, 1, 5)))), "needs_newer");
    assert_eq!(name(keep(release(new, |about| about.flavour = "kiosk".into()))), "mirror_missing");
    assert_eq!(name(keep(release(Version(0, 0, 9), |_| ()))), "mirror_old");
    // A mirror that is kept from everything newer: it says what runs here, for longer than it may.
    let stale = keep(release(Version(0, 1, 0), |about| about.expires = NOW));
    assert_eq!(name(stale), "mirror_stale");
    // Signed by somebody else, and changed after it was signed.
    let [root, key] = [5, 6].map(|n| SecretKey::from_bytes(&[n; 32]));
    let (of_root, of_key) = (vec![root.public()], vec![key.public()]);
    let statement = Statement { number: 1, root: of_root, update: of_key }.sign(&[&root]);
    assert_eq!(name(keep(signed(new, |_| (), statement, &key))), "untrusted");
    let mut changed = release(new, |_| ());
    changed.head[60] ^= 1;
    changed.bytes[60] ^= 1;
    assert_eq!(name(keep(changed)), "untrusted");
    // The head for another kind under this one's name.
    let mut other = release(new, |about| about.arch = "aarch64".into());
    other.manifest.arch = "x86_64".into();
    assert_eq!(name(keep(other)), "other_kind");
    let nobody = System { trust: None, ..system() };
    let server = Server::new(|_| Vec::new());
    assert_eq!(run(crate::there(&server.mirror(), &nobody)).unwrap_err().name(), "trusts_nobody");
    assert!(server.asked().is_empty());
}

/// Each of these answers for the bundle, after a good head; what is kept is a beginning of it at most.
#[test]
fn what_is_not_what_was_signed_is_not_kept() {
    let release = &*Box::leak(Box::new(release(Version(0, 2, 0), |_| ())));
    let other = &*Box::leak(Box::new(self::release(Version(0, 3, 0), |_| ())));
    let with = |answer: fn(&'static Release, &'static Release) -> Vec<u8>| {
        let server = Server::new(move |asked| {
            if of_bundle(asked) {
                vec![Act::Send(answer(release, other))]
            } else {
                good(release, asked)
            }
        });
        refused(&server, &system(), release)
    };
    let turned = |release: &'static Release, _: &'static Release| {
        let mut bytes = release.bytes.clone();
        bytes[release.head.len() + (2 << 20)] ^= 1;
        status("206 P", &range(release.head.len(), &bytes), &bytes[release.head.len()..])
    };
    assert_eq!(with(turned), "damaged");
    // Two bundles that were mixed up while a folder was copied.
    assert_eq!(with(|_, other| status("200 OK", "", &other.bytes)), "damaged");
    let shorter = |release: &'static Release, _: &'static Release| {
        status("200 OK", "", &release.bytes[..release.bytes.len() - 1])
    };
    assert_eq!(with(shorter), "mirror_mixed");
    let longer = |release: &'static Release, _: &'static Release| {
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        bytes.extend(&release.bytes);
        bytes.push(0);
        bytes
    };
    assert_eq!(with(longer), "mirror_mixed");
    assert_eq!(with(|_, _| status("416 No", "", b"")), "mirror_mixed");
    assert_eq!(
        with(|_, _| status("206 P", "Content-Range: bytes 0-1/2\r\n", b"ab")),
        "mirror_mixed"
    );
    assert_eq!(with(|_, _| status("206 P", "", b"ab")), "mirror_mixed");
    let packed = |_: &'static Release, _: &'static Release| {
        status("200 OK", "Content-Encoding: gzip\r\n", b"ab")
    };
    assert_eq!(with(packed), "mirror_mixed");
    assert_eq!(with(|_, _| b"220 hello, this is mail\r\n".to_vec()), "mirror_mixed");
    assert_eq!(with(|_, _| status("403 No", "", b"")), "mirror_missing");
    let page = |_: &'static Release, _: &'static Release| {
        status("200 OK", "Content-Type: text/html\r\n", b"<h1>Welcome to our hotel</h1>")
    };
    assert_eq!(with(page), "mirror_page");
}

fn range(from: usize, bytes: &[u8]) -> String {
    format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len())
}

#[test]
fn it_is_led_to_safe_places_only() {
    let release = &*Box::leak(Box::new(release(Version(0, 2, 0), |_| ())));
    let led = |to: &'static str| {
        Server::new(move |asked| match asked.path.strip_prefix("/there") {
            Some(path) => good(release, &Asked { path: path.to_owned(), ..asked.clone() }),
            None => {
                let to = format!("Location: {to}{}\r\n", asked.path);
                vec![Act::Send(status("302 Found", &to, b""))]
            }
        })
    };
    let server = led("/there");
    assert!(bring(&server.mirror(), &system(), b"").1 == release.bytes);
    for wrong in ["http://127.0.0.1/there", "//127.0.0.1/there", "ftp://127.0.0.1", "there", ""] {
        assert_eq!(refused(&led(wrong), &system(), release), "mirror_redirect", "{wrong}");
    }
    // Round and round.
    let server = Server::new(|asked| {
        let to = format!("Location: {}\r\n", asked.path);
        vec![Act::Send(status("301 Moved", &to, b""))]
    });
    assert_eq!(refused(&server, &system(), release), "mirror_redirect");
    assert!(server.asked().len() < 6);
}

#[test]
fn nobody_keeps_it_waiting_or_fills_it() {
    let release = &*Box::leak(Box::new(release(Version(0, 2, 0), |_| ())));
    let mut hasty = system();
    hasty.patience.answer = Duration::from_millis(300);
    hasty.patience.piece = Duration::from_millis(300);
    for head in [true, false] {
        for acts in [
            // Nothing at all; half a head; a byte now and then, for ever.
            vec![Act::Stall],
            vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), Act::Stall],
            vec![Act::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Act::Drip],
            vec![Act::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Act::Drip],
        ] {
            let server = Server::new(move |asked| {
                if of_bundle(asked) != head { acts.clone() } else { good(release, asked) }
            });
            assert_eq!(refused(&server, &hasty, release), "mirror_slow");
            assert!(server.asked().len() < 10);
        }
    }
    // Without an end, as a head, as a line of an answer's head, and as many of them.
    let endless =
        |first: &'static [u8]| Server::new(move |_| vec![Act::Send(first.to_vec()), Act::Endless]);
    let ok = endless(b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(refused(&ok, &system(), release), "no_bundle");
    assert_eq!(refused(&endless(b"HTTP/1.1 200 OK\r\nX: "), &system(), release), "mirror_mixed");
    let server = Server::new(move |asked| match of_bundle(asked) {
        true => vec![Act::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Act::Endless],
        false => good(release, asked),
    });
    assert_eq!(refused(&server, &system(), release), "damaged");
}

#[test]
fn who_is_not_there_is_not_asked_for_ever() {
    let release = release(Version(0, 2, 0), |_| ());
    let server = Server::new(|_| vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5".to_vec())]);
    assert_eq!(refused(&server, &system(), &release), "mirror_gone");
    let mut mirror = server.mirror();
    drop(server);
    assert_eq!(bring(&mirror, &system(), b"").0.unwrap_err().name(), "mirror_gone");
    mirror.address = "https://nobody.invalid/".to_owned();
    assert_eq!(bring(&mirror, &system(), b"").0.unwrap_err().name(), "mirror_gone");
    // A bundle whose connection always breaks off before a piece is whole.
    let server = Server::new(|asked| {
        let mut acts = good(&self::release(Version(0, 2, 0), |_| ()), asked);
        if let ([Act::Send(bytes)], true) = (&mut acts[..], of_bundle(asked)) {
            bytes.truncate(1 << 19);
        }
        acts
    });
    assert_eq!(refused(&server, &system(), &release), "mirror_gone");
    assert_eq!(server.asked().iter().filter(|asked| of_bundle(asked)).count(), 4);
}

#[test]
fn a_server_shows_who_it_is() {
    let release = &*Box::leak(Box::new(release(Version(0, 2, 0), |_| ())));
    let (server, other) = (Server::new(|asked| good(release, asked)), Server::new(|_| Vec::new()));
    // Nobody vouches for it; and another certificate than the one that was given.
    for certificate in [None, other.mirror().certificate] {
        let mirror = Mirror { certificate, ..server.mirror() };
        let error = bring(&mirror, &system(), b"").0.unwrap_err();
        assert_eq!(error.name(), "mirror_certificate");
    }
    for (address, certificate) in
        [("http://127.0.0.1/", None), ("", None), ("https://127.0.0.1/", Some("no PEM"))]
    {
        let certificate = certificate.map(str::to_owned);
        let mirror = Mirror { address: address.to_owned(), certificate };
        let error = bring(&mirror, &system(), b"").0.unwrap_err();
        assert_eq!(error.name(), "mirror_address", "{address}");
    }
    assert!(server.asked().is_empty());
}

#[test]
fn it_answers_over_its_channel_and_ends_when_nobody_wants_it() {
    use handover::{Channel, FromFetcher, ToFetcher};
    use std::os::fd::AsFd;
    let release = &*Box::leak(Box::new(release(Version(0, 2, 0), |_| ())));
    let server = Server::new(|asked| good(release, asked));
    let file = tempfile::tempfile().unwrap();
    run(async {
        let ask = |asked: ToFetcher, file: Option<File>| async move {
            let (ours, theirs) = Channel::pair().unwrap();
            let (ours, theirs) =
                (Channel::from_fd(ours).unwrap(), Channel::from_fd(theirs).unwrap());
            let files: Vec<_> = file.iter().map(AsFd::as_fd).collect();
            ours.send(&asked, &files).await.unwrap();
            let answers = async {
                let mut answers = Vec::new();
                while let Some((answer, _)) = ours.recv::<FromFetcher>().await.unwrap() {
                    answers.push(answer);
                }
                answers
            };
            let system = system();
            let (ran, answers) = tokio::join!(crate::run(theirs, &system), answers);
            ran.unwrap();
            answers
        };
        let mirror = server.mirror();
        let there = ask(ToFetcher::Look { mirror: mirror.clone() }, None).await;
        assert!(matches!(&there[..], [FromFetcher::There(there)] if there.newer), "{there:?}");
        let bring = ToFetcher::Bring { mirror: mirror.clone() };
        let brought = ask(bring.clone(), Some(file)).await;
        let version = "0.2.0".to_owned();
        assert_eq!(brought.last(), Some(&FromFetcher::Brought { version }));
        assert!(brought.len() > 3, "{brought:?}");
        let nowhere = ask(bring, None).await;
        assert!(matches!(&nowhere[..], [FromFetcher::Refused { why, .. }] if why == "unreadable"));
    });
    // A server that says nothing, and somebody who goes away.
    let server = Server::new(|_| vec![Act::Stall]);
    run(async {
        let (ours, theirs) = Channel::pair().unwrap();
        let (ours, theirs) = (Channel::from_fd(ours).unwrap(), Channel::from_fd(theirs).unwrap());
        let mirror = server.mirror();
        ours.send(&ToFetcher::Look { mirror }, &[]).await.unwrap();
        let mut system = system();
        system.patience.answer = Duration::from_secs(3600);
        let gone = async {
            while server.asked().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            drop(ours);
        };
        tokio::join!(crate::run(theirs, &system), gone).0.unwrap();
    });
}
