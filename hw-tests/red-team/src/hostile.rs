//! A process of a running node that somebody has taken over, behind its real wall.
//!
//! What it does stands in the file `orders` of the data folder, read before the wall is entered: a
//! line such as `twin 2: garbage`. Without a line for it the process is what it should be.

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use executor::walls::{self, Given, Program};
use handover::{
    ADDRESSES_MAX, Cannot, Channel, FromGateway, FromTwin, FromTwinExecutor, FromWorker, HandOver,
    Id, Kind, Made, Number, ToGateway, ToTwin, ToTwinExecutor, ToWorker,
};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// What this process is to do, if anybody took it over.
pub(crate) fn order(who: &str) -> Option<String> {
    // All programs start in a folder two levels below the data folder.
    let orders = std::fs::read_to_string("../../orders").ok()?;
    let mine = |line: &str| Some(line.strip_prefix(who)?.strip_prefix(": ")?.to_owned());
    orders.lines().find_map(mine)
}

/// Enters the wall as the program does, and then does what it was ordered to.
pub(crate) fn process(program: Program, order: &str, given: &[&str]) -> ExitCode {
    let Some(given) = Given::read(given.iter().copied()) else { return ExitCode::from(2) };
    let Ok(end) = Channel::take_stdin() else { return ExitCode::from(2) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::from(2) };
    if walls::enter(program, given).is_err() {
        return ExitCode::from(3);
    }
    say(&format!("the red team has orders: {order}"));
    runtime.block_on(async {
        let Ok(raw) = end.try_clone() else { return };
        let Ok(channel) = Channel::from_fd(end) else { return };
        match program {
            Program::Gateway => gateway(&channel, &raw, order).await,
            Program::Twin => twin(&channel, &raw, order).await,
            Program::Worker => worker(&channel, &raw, order).await,
        }
    });
    ExitCode::SUCCESS
}

async fn gateway(channel: &Channel, raw: &OwnedFd, order: &str) {
    let _listener = channel.recv::<ToGateway>().await;
    let _ = channel.send(&FromGateway::Ready, &[]).await;
    match order {
        "crosses" => cross(channel).await,
        "garbage" => garbage(raw),
        // Says again and again that the node's names are another machine's.
        "names" => {
            for n in 0..100_000_u32 {
                let zone = if n.is_multiple_of(2) { "localhost" } else { "hometwin.local" };
                let taken = FromGateway::NameTaken { zone: zone.to_owned() };
                let _ = channel.send(&taken, &[]).await;
                let addresses = vec![std::net::IpAddr::from(n.to_be_bytes()); ADDRESSES_MAX];
                let _ = channel.send(&FromGateway::Addresses { addresses }, &[]).await;
            }
        }
        "wakes" => {
            for n in 0..100_000 {
                let _ = channel
                    .send(&FromGateway::Wake { twin: Number(n % 50), after: u64::MAX }, &[])
                    .await;
                let _ = channel.send(&FromGateway::Stuck { twin: Number(99) }, &[]).await;
            }
        }
        other => either(other),
    }
    for_ever().await;
}

/// Asks for Ann's twin as if the question had crossed its start, and then for Bob's as if that one
/// were ending.
async fn cross(channel: &Channel) {
    let (mut awake, mut kept) = (Vec::new(), Vec::new());
    while let Ok(Some((header, descriptors))) = channel.recv::<ToGateway>().await {
        kept.extend(descriptors);
        if header == ToGateway::Accept {
            break;
        }
        if let ToGateway::Awake { twin, instance } = header {
            awake.push((twin, instance));
        }
    }
    awake.sort_unstable_by_key(|(twin, _)| *twin);
    for (before, (twin, instance)) in [1, 0].into_iter().zip(awake) {
        let _ = channel.send(&FromGateway::Wake { twin, after: instance - before }, &[]).await;
    }
    // The twins' ends of these stay open.
    for_ever().await;
    drop(kept);
}

async fn twin(channel: &Channel, raw: &OwnedFd, order: &str) {
    let Ok(Some((ToTwinExecutor::Start { .. }, mut descriptors))) = channel.recv().await else {
        return;
    };
    let Some(Ok(gateway)) = descriptors.pop().map(Channel::from_fd) else { return };
    let (what, about) = order.split_once(' ').unwrap_or((order, ""));
    match what {
        "garbage" => garbage(raw),
        "claims" => claim(channel, id(about)).await,
        "answers" => answer_all(channel).await,
        "floods" => loop {
            let _ = channel.send(&FromTwinExecutor::Paired, &[]).await;
        },
        "opens" => open_all(&gateway, id(about)).await,
        "smuggles" => {
            smuggle(&gateway, channel).await;
            many(raw);
        }
        // Takes connections and never says anything on them.
        "takes" => loop {
            let Ok(Some((header, _kept))) = gateway.recv::<ToTwin>().await else { return };
            if let ToTwin::Connection { hand_over, .. } | ToTwin::Link { hand_over, .. } = header {
                let _ = gateway.send(&FromTwin::Taken { hand_over }, &[]).await;
            }
        },
        // Takes what others were handed.
        "takes-all" => {
            for n in 0..10_000 {
                let _ = gateway.send(&FromTwin::Taken { hand_over: HandOver(n) }, &[]).await;
                let _ = gateway.send(&FromTwin::Known { hand_over: HandOver(n) }, &[]).await;
            }
        }
        other => either(other),
    }
    for_ever().await;
}

async fn worker(channel: &Channel, raw: &OwnedFd, order: &str) {
    let Ok(Some((ToWorker::Do { .. }, files))) = channel.recv().await else { return };
    let done = |bytes| {
        let (of, kind) = (Kind::Png, Kind::Jpeg);
        FromWorker::Done(Made { of, kind, bytes, size: None, cut: false })
    };
    match order {
        "garbage" => garbage(raw),
        "smuggles" => {
            let out = std::io::stdout();
            let all = [out.as_fd(), files[0].as_fd(), files[1].as_fd(), out.as_fd()];
            let _ = channel.send(&done(1), &all).await;
            many(raw);
        }
        // Answers for everybody, for ever, and would like another job.
        "answers" => loop {
            let _ = channel.send(&done(7), &[]).await;
            let _ = channel.send(&FromWorker::Failed(Cannot::Damaged), &[]).await;
        },
        "spins" => spin(),
        "writes" => {
            let Some(output) = files.into_iter().nth(1) else { return };
            let mut output = std::fs::File::from(output);
            while output.write_all(&[b'x'; 1 << 16]).is_ok() {}
            let _ = channel.send(&done(1 << 40), &[]).await;
        }
        other => either(other),
    }
    for_ever().await;
}

/// What all programs could be made to do.
fn either(order: &str) {
    match order {
        "logs" => loop {
            say("a lie that fills the disk \u{1b}[2J and steers the terminal");
        },
        "memory" => {
            let mut held: Vec<Vec<u8>> = Vec::new();
            loop {
                held.push(vec![1; 8 << 20]);
            }
        }
        "threads" => {
            let mut started = 0;
            loop {
                // Some are busy as well; all would only hurt the machine that tests this.
                let work = if started < 4 { spin } else { wait };
                if std::thread::Builder::new().stack_size(64 << 10).spawn(work).is_err() {
                    break;
                }
                started += 1;
                if started == 2_000 {
                    break;
                }
            }
            say(&format!("threads: {started}"));
        }
        "unlocks" => {
            let _ = rustix::fs::flock(std::io::stdout(), rustix::fs::FlockOperation::Unlock);
            let _ = std::io::stdout().write_all(b"filled");
        }
        "disk" => {
            for n in 0..16 {
                let written = std::fs::write(format!("filler-{n}"), vec![1; 16 << 20]);
                say(&format!("disk: {n} {written:?}"));
            }
        }
        // Something that its wall ends it for.
        "mounts" => drop(crate::attempts::run("machine_mount")),
        _silent => {}
    }
}

/// No header, headers of nothing, and far too much of it.
fn garbage(raw: &OwnedFd) {
    for bytes in [&b"\xff\xff\xff\xff\xff"[..], &[0; 4096], &[0x80; 100_000], b"{}"] {
        let (mut none, flags) = (SendAncillaryBuffer::default(), SendFlags::DONTWAIT);
        let _ = rustix::net::sendmsg(raw, &[std::io::IoSlice::new(bytes)], &mut none, flags);
    }
}

async fn claim(channel: &Channel, id: Option<Id>) {
    for _ in 0..10 {
        let ready = FromTwinExecutor::Ready { id, fingerprint: Some([0; 32]), paired: true };
        let _ = channel.send(&ready, &[]).await;
    }
}

/// Answers whatever anybody is asked, at once and all the time.
async fn answer_all(channel: &Channel) {
    loop {
        for request in 0..200 {
            let answers = [
                FromTwinExecutor::Exported { request, outcome: Ok(0) },
                FromTwinExecutor::Verified { request, outcome: Ok(1) },
                FromTwinExecutor::Experience { request, outcome: Ok(String::new()) },
                FromTwinExecutor::Code { request, outcome: Ok("THE-RED-TEAM".to_owned()) },
                FromTwinExecutor::Claim {
                    request,
                    code: "THE-RED-TEAM".to_owned(),
                    name: format!("mallory{request}"),
                },
            ];
            for answer in answers {
                let _ = channel.send(&answer, &[]).await;
            }
        }
    }
}

async fn open_all(gateway: &Channel, to: Option<Id>) {
    let Some(to) = to else { return };
    for request in 0.. {
        let _ = gateway.send(&FromTwin::Open { request, to }, &[]).await;
    }
}

/// Every descriptor it has, to whoever it can talk to.
async fn smuggle(gateway: &Channel, executor: &Channel) {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let (out, err) = (out.as_fd(), err.as_fd());
    for n in 0..1_000 {
        let header = FromTwin::Taken { hand_over: HandOver(n) };
        let _ = gateway.send(&header, &[out, err, out, err]).await;
        let _ = executor.send(&FromTwinExecutor::Paired, &[out, err, out, err]).await;
    }
}

/// Many descriptors in one message, past the codec.
fn many(raw: &OwnedFd) {
    let out = std::io::stdout();
    let all = [out.as_fd(); 100];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
    let mut more = SendAncillaryBuffer::new(&mut space);
    more.push(SendAncillaryMessage::ScmRights(&all));
    let part = [std::io::IoSlice::new(b"x")];
    let _ = rustix::net::sendmsg(raw, &part, &mut more, SendFlags::DONTWAIT);
}

fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

fn wait() {
    loop {
        std::thread::park();
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn id(hex: &str) -> Option<Id> {
    let bytes: Vec<u8> = (0..hex.len() / 2)
        .filter_map(|n| u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok())
        .collect();
    bytes.try_into().ok()
}

async fn for_ever() {
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}
