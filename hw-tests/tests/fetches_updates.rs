//! Promise: a newer system comes from a web server by a process that has nothing else and believes
//! nobody; cut off, it goes on where it was.
//!
//! It is started here as systemd starts it, on a machine that says of itself what an image would; and in
//! an image that was told where its mirror is. What servers do wrong is tested where it is written: `appliance/fetcher/src/tests.rs`.

use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hw_tests::{
    Firmware, Image, Machine, Mirror, Process, Publisher, Result, program, skip, until,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
    SocketType, recv, sendmsg, socketpair,
};

/// The head of version 0.2.0 of something that is 5 in every byte, and whom a system has to trust for it;
/// signed with keys that anybody can know, until 2096.
const HEAD: &[u8] = include_bytes!("fetches_updates/head");
const KEYS: &[u8] = include_bytes!("fetches_updates/keys");
const PARTS: usize = (3 << 20) + 77 + 5000 + (1 << 20) + 9;
const NEWEST: &str = "GET /x/headless_x86_64.newest ";
const BUNDLE: &str = "GET /x/headless_x86_64_0.2.0.bundle ";

fn bundle() -> Vec<u8> {
    [HEAD, &vec![5; PARTS]].concat()
}

/// One conversation.
struct Fetcher {
    child: Child,
    connection: OwnedFd,
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LOOK: u8 = 0;
const BRING: u8 = 1;
const THERE: u8 = 0;
const BROUGHT: u8 = 2;
const REFUSED: u8 = 3;

impl Fetcher {
    /// On a machine that says it runs version 0.1.0 and trusts these keys.
    fn start(folder: &Path) -> Result<Self> {
        let pair =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let (connection, theirs) = pair;
        let here = folder.display();
        let script = format!(
            "mount -t overlay -o lowerdir=/usr/lib,upperdir={here}/over,workdir={here}/work \
             overlay /usr/lib && mount --bind {here}/os-release /etc/os-release && \
             exec {} fetcher",
            program()?.display()
        );
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("log"))?)
            .spawn()?;
        Ok(Self { child, connection })
    }

    fn ask(&self, verb: u8, server: &Mirror, file: Option<&File>) -> Result<()> {
        let address = format!("https://localhost:{}/x", server.port());
        let mut bytes = vec![verb];
        let text = |text: &str, bytes: &mut Vec<u8>| {
            bytes.extend([(text.len() & 127 | 128) as u8, (text.len() >> 7) as u8]);
            bytes.extend(text.as_bytes());
        };
        text(&address, &mut bytes);
        bytes.push(1);
        text(server.certificate(), &mut bytes);
        let files: Vec<_> = file.iter().map(|file| file.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err("no room for a file".into());
        }
        let parts = [std::io::IoSlice::new(&bytes)];
        sendmsg(&self.connection, &parts, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next answer; nothing once it is gone.
    fn answer(&self) -> Result<Vec<u8>> {
        let mut answer = vec![0; 4096];
        let (length, _) = recv(&self.connection, &mut answer, RecvFlags::empty())?;
        answer.truncate(length);
        Ok(answer)
    }

    /// The last answer before its end.
    fn end(&self) -> Result<Vec<u8>> {
        let mut last = Vec::new();
        loop {
            match self.answer()? {
                answer if answer.is_empty() => return Ok(last),
                answer => last = answer,
            }
        }
    }
}

fn machine() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    fs::create_dir_all(folder.path().join("over/hometwin"))?;
    fs::create_dir(folder.path().join("work"))?;
    fs::write(folder.path().join("over/hometwin/update-keys"), KEYS)?;
    let about = "VERSION_ID=0.1.0\nVARIANT_ID=headless\n";
    fs::write(folder.path().join("os-release"), about)?;
    Ok(folder)
}

/// Why it can't be tried here.
fn not_here() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can say what a machine is");
    }
    if std::env::consts::ARCH != "x86_64" {
        return Some("what is fetched here is for x86-64");
    }
    let folder = tempfile::tempdir().ok()?;
    let here = folder.path().display();
    let script = format!(
        "mkdir {here}/a {here}/b && \
         mount -t overlay -o lowerdir=/usr/lib,upperdir={here}/a,workdir={here}/b overlay /usr/lib"
    );
    let mut tried = Command::new("unshare");
    let tried = tried.args(["--mount", "sh", "-c", &script]).stderr(Stdio::null()).status();
    (!tried.is_ok_and(|status| status.success())).then_some("nothing can be laid over /usr/lib")
}

#[test]
fn a_newer_system_comes_piece_by_piece_and_goes_on_where_it_was() {
    const TEST: &str = "a newer system from a web server";
    if let Some(reason) = not_here() {
        return skip(TEST, reason);
    }
    let machine = machine().unwrap();
    let server = Mirror::new("localhost").unwrap();
    let path = machine.path().join("file");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();

    let fetcher = Fetcher::start(machine.path()).unwrap();
    fetcher.ask(LOOK, &server, None).unwrap();
    server.give(NEWEST, HEAD, usize::MAX).unwrap();
    let there = fetcher.end().unwrap();
    let log = fs::read_to_string(machine.path().join("log")).unwrap();
    assert_eq!(there[..14], *b"\x00\x050.2.0\x050.1.0\x01", "{log}");
    assert_eq!(there[0], THERE);

    // Its power is cut, or it is killed, when two pieces and a half are there.
    let fetcher = Fetcher::start(machine.path()).unwrap();
    fetcher.ask(BRING, &server, Some(&file)).unwrap();
    server.give(NEWEST, HEAD, usize::MAX).unwrap();
    let bundle = bundle();
    server.give(BUNDLE, &bundle, (2 << 20) + (1 << 19)).unwrap();
    until("two pieces", Duration::from_secs(60), || {
        let length = fs::metadata(&path)?.len();
        Ok((length == (HEAD.len() + (2 << 20)) as u64).then_some(()))
    })
    .unwrap();
    drop(fetcher);

    // The next goes on there, behind its wall.
    let fetcher = Fetcher::start(machine.path()).unwrap();
    fetcher.ask(BRING, &server, Some(&file)).unwrap();
    server.give(NEWEST, HEAD, usize::MAX).unwrap();
    let process = Process::of(fetcher.child.id()).unwrap();
    assert_eq!(process.status("Seccomp"), "2");
    assert_eq!(process.status("NoNewPrivs"), "1");
    assert_eq!(u64::from_str_radix(&process.status("CapEff"), 16).unwrap(), 0);
    assert_eq!(process.status("Threads"), "1");
    let from = server.give(BUNDLE, &bundle, usize::MAX).unwrap();
    assert_eq!(from, HEAD.len() + (2 << 20));
    let brought = fetcher.end().unwrap();
    assert_eq!((brought[0], &brought[1..]), (BROUGHT, &b"\x050.2.0"[..]));
    assert!(fs::read(&path).unwrap() == bundle);
}

#[test]
fn what_a_server_changes_is_not_kept() {
    if let Some(reason) = not_here() {
        return skip("a web server that changes an update", reason);
    }
    let machine = machine().unwrap();
    let server = Mirror::new("localhost").unwrap();
    let bring = |head: &[u8], bundle: Option<&[u8]>| -> Result<(Vec<u8>, Vec<u8>)> {
        let path = machine.path().join("file");
        let _ = fs::remove_file(&path);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let fetcher = Fetcher::start(machine.path())?;
        fetcher.ask(BRING, &server, Some(&file))?;
        server.give(NEWEST, head, usize::MAX)?;
        if let Some(bundle) = bundle {
            server.give(BUNDLE, bundle, usize::MAX)?;
        }
        Ok((fetcher.end()?, fs::read(&path)?))
    };
    let mut head = HEAD.to_vec();
    head[70] ^= 1;
    let (answer, kept) = bring(&head, None).unwrap();
    assert_eq!((answer[0], &answer[2..11]), (REFUSED, &b"untrusted"[..]));
    assert!(kept.is_empty());
    let mut bundle = bundle();
    bundle[HEAD.len() + (1 << 20)] ^= 1;
    let (answer, kept) = bring(HEAD, Some(&bundle)).unwrap();
    assert_eq!((answer[0], &answer[2..9]), (REFUSED, &b"damaged"[..]));
    assert!(kept == bundle[..HEAD.len() + (1 << 20)]);
}

/// For a start, or an update, on a machine that does ten other things.
const SOON: Duration = Duration::from_secs(900);
const MEMORY_MIB: u32 = 256;

#[test]
fn an_image_brings_what_its_mirror_has_and_starts_it_the_next_time() {
    const TEST: &str = "an image with a mirror";
    if std::env::var_os("HOMETWIN_FAST").is_some() {
        return skip(TEST, "`cargo verify --fast`");
    }
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let us = Publisher::new(&keys.join("our-keys")).unwrap();
    // Nobody waits here until it is night.
    let files = tempfile::tempdir().unwrap();
    for (unit, text) in [
        ("update.timer", "[Timer]\nOnActiveSec=1s\nRandomizedDelaySec=0\n"),
        ("update.service", "[Service]\nStandardOutput=journal+console\n"),
    ] {
        let folder = files.path().join(format!("etc/systemd/system/hometwin-{unit}.d"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("test.conf"), text).unwrap();
    }
    let mut words = us.words("0.1.0");
    words.extend(["--files".to_owned(), files.path().display().to_string()]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let make = || Image::build_with(&program()?, &words);
    let Some(image) = Image::for_test(TEST, make).unwrap() else { return };
    let folder = tempfile::tempdir().unwrap();
    let www = folder.path().join("www");
    us.bundle("0.2.0", &["--publish", www.to_str().unwrap()]).unwrap();
    let head = fs::read(www.join("headless_x86_64.newest")).unwrap();
    let bundle = fs::read(www.join("headless_x86_64_0.2.0.bundle")).unwrap();

    let mirror = Mirror::new("10.0.2.2").unwrap();
    let settings = format!(
        "[update]\nmirror = \"https://10.0.2.2:{}/x\"\ncertificate = \"\"\"\n{}\"\"\"\n",
        mirror.port(),
        mirror.certificate()
    );
    let settings = settings.replace('\n', "\\n");
    let mut machine = Machine::new(&image).unwrap();
    machine.let_out();
    let line = format!("f /var/lib/hometwin/node.toml 0600 hometwin hometwin - {settings}\n");
    machine.tell("tmpfiles.extra", &line);
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    let give = |what: &str, bytes: &[u8], most: usize| {
        mirror.give(what, bytes, most).map_err(|error| console.at_end(&error)).unwrap()
    };
    // Once to look, and once to bring it; that is cut off, and goes on.
    give(NEWEST, &head, usize::MAX);
    give(NEWEST, &head, usize::MAX);
    assert_eq!(give(BUNDLE, &bundle, 10 << 20), head.len());
    let from = give(BUNDLE, &bundle, usize::MAX);
    assert!(from > head.len() && (from - head.len()).is_multiple_of(1 << 20), "{from}");
    console.wait("Version 0.2.0 runs from the next start on.", SOON).unwrap();
    machine.cut_power();
    let console = machine.start(Firmware::Uefi, MEMORY_MIB).unwrap();
    console.wait("this system has proved itself", SOON).unwrap();
    machine.cut_power();
    assert!(machine.inspect().unwrap().contains("hometwin_0.2.0.efi"));
}
