//! The verbs of `hometwin twin ...`, over a Unix socket that only the node's own user may open; some of
//! them also over one for the machine's own screen ([`Verb::at_console`]).
//!
//! One request line of JSON, one answer line. Both ends come from the same program file. A request
//! is bounded in size and time; it never carries a secret, an answer only the one-time code that
//! was asked for. Files that a verb is about come as open descriptors with its line: the asker opens
//! them, as who they are, and the node only passes them on.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use handover::{Cannot, Connection, Made, NoConnection, PackageAct, Refusal, Task};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_local;

use crate::folder::control_socket;
use crate::lan::Network;
use crate::node::Quotas;
use crate::screen::{Screen, Style};
use crate::service::Started;
use crate::{Error, file_error};

/// What may be asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Give the node another name in the home's network.
    CallNode {
        /// The name.
        name: String,
    },
    /// Connect the machine to the home's network like this.
    Connect {
        /// How.
        connection: Connection,
    },
    /// Make a twin.
    Create {
        /// Its name.
        name: String,
    },
    /// What the processor counted of energy.
    Energy,
    /// Do something with the package of an experience. +fd the package, open to read and to write.
    Experience {
        /// The twin's name.
        name: String,
        /// What to do.
        act: PackageAct,
    },
    /// What is wrong with the node.
    Health,
    /// All twins.
    List,
    /// A new token for the node's metrics.
    MetricsToken,
    /// How the node is found in the home's network.
    Network,
    /// Who has a twin, and where.
    People,
    /// A one-time pairing address for a twin without devices.
    Pair {
        /// Its name.
        name: String,
    },
    /// Write an export, then remove the twin and its data.
    Remove {
        /// Its name; the asker has made sure that this is meant.
        name: String,
    },
    /// Do what was offered for a problem of the node.
    Repair {
        /// The problem's name.
        problem: String,
        /// Which of several.
        about: String,
        /// What was offered.
        repair: String,
    },
    /// Give a twin another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// What the machine's own screen shows; answered as soon as that is another than this.
    Screen {
        /// The number of what is shown already; 0: nothing.
        known: u64,
    },
    /// How the machine's own screen shows it.
    SetScreen {
        /// Language and keyboard.
        style: Style,
    },
    /// The processes and the address.
    Status,
    /// Something about the machine's own system, where it came from an image. To apply one: +fd the
    /// bundle, or none for the one on a stick.
    Update {
        /// What.
        what: Update,
    },
    /// Replay a twin's journal and compare.
    Verify {
        /// Its name.
        name: String,
    },
    /// A new one-time address for the first person, while there is none.
    Welcome,
    /// Make something of a foreign file, in a worker. +fd the file, open to read; +fd an empty one,
    /// open to write.
    Work {
        /// What to make.
        task: Task,
    },
}

/// What can be done about the machine's own system.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// Say what is there.
    Status,
    /// Say how far it is, without asking who holds the disk.
    Progress,
    /// Write a new one to the slot that doesn't run.
    Apply,
    /// Look which one the mirror has.
    Check,
    /// Bring that, and write it to the slot that doesn't run.
    Get,
    /// Go back to the one in the other slot.
    RollBack,
    /// Start the machine again.
    Restart,
}

impl Verb {
    /// Whether who stands before the machine may ask this, without being anybody.
    #[must_use]
    pub fn at_console(&self) -> bool {
        match self {
            Self::CallNode { .. }
            | Self::Connect { .. }
            | Self::Health
            | Self::People
            | Self::Screen { .. }
            | Self::SetScreen { .. }
            | Self::Update { what: Update::Restart }
            | Self::Welcome => true,
            Self::Create { .. }
            | Self::Energy
            | Self::Experience { .. }
            | Self::List
            | Self::MetricsToken
            | Self::Network
            | Self::Pair { .. }
            | Self::Remove { .. }
            | Self::Repair { .. }
            | Self::Rename { .. }
            | Self::Status
            | Self::Update {
                what:
                    Update::Apply
                    | Update::Check
                    | Update::Get
                    | Update::Progress
                    | Update::RollBack
                    | Update::Status,
            }
            | Self::Verify { .. }
            | Self::Work { .. } => false,
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is done, and there is nothing more to say.
    Done,
    /// The twin is made.
    Created {
        /// Where it is served.
        address: String,
    },
    /// The journal and the tables differ.
    Differs {
        /// Where.
        text: String,
    },
    /// What the processor counted of energy. The class is `measured-cpu`; its error is not known.
    Energy {
        /// None where the machine has none.
        counters: Vec<handover::EnergyCounter>,
    },
    /// It was done with the package of an experience.
    Experience {
        /// Its name and version.
        text: String,
    },
    /// It went wrong inside; the text is for the operator.
    Failed {
        /// What happened.
        text: String,
    },
    /// What is wrong with the node.
    Health {
        /// The most pressing first.
        troubles: Vec<handover::Trouble>,
    },
    /// All twins.
    List {
        /// In the order in which they were made.
        twins: Vec<Listed>,
    },
    /// Who has a twin.
    People {
        /// In the order in which they were made.
        people: Vec<Known>,
    },
    /// It is made and in its file. Whoever uses it believes it no more than what it was made of.
    Made {
        /// What.
        made: Made,
    },
    /// The new token for the node's metrics.
    MetricsToken {
        /// Shown once.
        token: String,
    },
    /// This version runs when the machine is started the next time.
    Next {
        /// Which.
        version: String,
    },
    /// A new system won't be used, or the slots stay as they are.
    NotUpdated {
        /// The reason's name in message files.
        why: String,
        /// The reason, for an operator.
        text: String,
    },
    /// How the node is found in the home's network.
    Network {
        /// All of it.
        network: Network,
    },
    /// A machine can't be connected like this.
    NotConnected {
        /// Why.
        why: NoConnection,
    },
    /// Nothing was made of a foreign file.
    NotMade {
        /// Why.
        why: Cannot,
    },
    /// A twin did not take the package of an experience.
    NotTaken {
        /// The code of why, and a line `name=value` for each thing that fills its sentences.
        code: String,
    },
    /// This machine has no helper for what only root may do.
    NoSteward,
    /// The one-time address.
    Pair {
        /// With the code in its fragment.
        url: String,
        /// Whether it can be opened from another device.
        elsewhere: bool,
    },
    /// No, for this reason.
    Refused {
        /// Which.
        refusal: Refusal,
    },
    /// The twin is gone.
    Removed {
        /// What it kept, in plain text.
        export: PathBuf,
    },
    /// What was offered is done.
    Repaired,
    /// The machine ends everything and starts again.
    Restarting,
    /// This is on the mirror.
    There {
        /// The newest system there.
        there: handover::There,
    },
    /// What is in the disk's slots.
    Slots {
        /// The two systems.
        slots: handover::Slots,
        /// How far a new one is that is just being written.
        progress: Option<handover::Progress>,
    },
    /// How far a new system is that is just being brought or written, if one is.
    Progress {
        /// That.
        progress: Option<handover::Progress>,
    },
    /// The twin has its new name.
    Renamed {
        /// Where it is served now.
        address: String,
    },
    /// What the machine's own screen shows.
    Screen {
        /// All of it.
        screen: Screen,
    },
    /// The node's processes.
    Status {
        /// Process id of the executor.
        executor: u32,
        /// Process id of the gateway.
        gateway: Option<u32>,
        /// Where the node listens.
        listen: std::net::SocketAddr,
        /// Who started it, and how.
        started: Started,
        /// Process ids of workers that are at a job.
        workers: Vec<u32>,
        /// Whether the kernel keeps twins within their room.
        quotas: Quotas,
    },
    /// The journal and the tables agree.
    Verified {
        /// How many entries were replayed.
        entries: u64,
    },
}

/// A twin as everybody in the room may know it: not whether its person uses it just now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Where it is served.
    pub address: String,
    /// SHA-256 of its certificate, where TLS is spoken and it has run before.
    pub fingerprint: Option<String>,
}

/// One twin in a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Listed {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its twin id in hex, known after its first start.
    pub id: Option<String>,
    /// Where it is served.
    pub address: String,
    /// SHA-256 of its certificate, where TLS is spoken and it has run before.
    pub fingerprint: Option<String>,
    /// Whether its person may change the node.
    pub owner: bool,
    /// Whether it runs now.
    pub awake: bool,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// How often it was started since the node was.
    pub starts: u32,
    /// How often its wall ended it since the node was started.
    pub walled: u32,
    /// Its folder.
    pub folder: PathBuf,
}

/// Asks the node that runs on this data folder; `None` when none does.
///
/// # Errors
/// When the node runs and its answer can't be had.
pub fn ask(folder: &Path, verb: &Verb) -> Result<Option<Answer>, Error> {
    ask_with(folder, verb, &[])
}

/// The same, with files that the verb is about.
///
/// # Errors
/// When the node runs and its answer can't be had.
pub fn ask_with(
    folder: &Path,
    verb: &Verb,
    files: &[BorrowedFd<'_>],
) -> Result<Option<Answer>, Error> {
    let path = control_socket(folder);
    let asked = begin(&path, verb, files)?;
    asked.map(|asked| asked.answer().map_err(file_error(path))).transpose()
}

/// Asks whoever listens on this socket, and does not wait for the answer; `None` when nobody listens.
///
/// # Errors
/// When somebody does and can't be asked.
pub fn begin(path: &Path, verb: &Verb, files: &[BorrowedFd<'_>]) -> Result<Option<Begun>, Error> {
    let stream = match short(path).and_then(|(_open, path)| StdStream::connect(path)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(file_error(path)(error)),
    };
    let mut line = serde_json::to_vec(verb).map_err(|error| file_error(path)(error.into()))?;
    line.push(b'\n');
    send(&stream, &line, files).map_err(file_error(path))?;
    Ok(Some(Begun(stream)))
}

/// A verb that was asked and not answered yet. Dropped, nobody wants the answer any more.
#[derive(Debug)]
pub struct Begun(StdStream);

impl Begun {
    /// Waits for the answer.
    ///
    /// # Errors
    /// When it doesn't come, or can't be read.
    pub fn answer(self) -> io::Result<Answer> {
        let mut answer = String::new();
        BufReader::new(self.0).read_line(&mut answer)?;
        Ok(serde_json::from_str(&answer)?)
    }
}

impl AsFd for Begun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends all of it, the files with its first byte.
fn send(stream: &StdStream, mut bytes: &[u8], mut files: &[BorrowedFd<'_>]) -> io::Result<()> {
    while !bytes.is_empty() {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let parts = [IoSlice::new(bytes)];
        let sent = rustix::net::sendmsg(stream, &parts, &mut control, SendFlags::NOSIGNAL)?;
        (bytes, files) = (bytes.get(sent..).unwrap_or_default(), &[]);
    }
    Ok(())
}

/// A verb on its way to the node's loop.
pub(crate) struct Asked {
    pub(crate) verb: Verb,
    pub(crate) files: Vec<OwnedFd>,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// Listens for verbs until the process ends.
pub(crate) fn serve(folder: &Path, hear: impl Fn(Asked) + Clone + 'static) -> Result<(), Error> {
    let path = control_socket(folder);
    // The data folder's lock is ours, so whatever lies there is a dead node's.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(file_error(path)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let bound = short(&path).and_then(|(_open, path)| UnixListener::bind(path));
    let listener = bound.map_err(file_error(&path))?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(file_error(&path))?;
    spawn_local(listen(listener, AT_ONCE, |_| true, hear));
    Ok(())
}

/// Listens for what the machine's own screen may ask.
pub(crate) fn serve_console(
    listener: StdListener,
    hear: impl Fn(Asked) + Clone + 'static,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    spawn_local(listen(listener, AT_CONSOLE, Verb::at_console, hear));
    Ok(())
}

/// Of so many askers at once; the next wait until one has gone, without a descriptor of the node.
async fn listen(
    listener: UnixListener,
    most: usize,
    may: fn(&Verb) -> bool,
    hear: impl Fn(Asked) + Clone + 'static,
) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        // It is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answered = answer(stream, may, hear.clone());
                spawn_local(async move {
                    answered.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket can't accept");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn answer(mut stream: UnixStream, may: fn(&Verb) -> bool, hear: impl Fn(Asked)) {
    let read = tokio::time::timeout(READ_WITHIN, read(&stream)).await;
    let Ok(Ok((line, files))) = read else { return };
    let answer = match serde_json::from_slice(&line) {
        Ok(verb) if !may(&verb) => Answer::Refused { refusal: Refusal::NotOwner },
        Ok(verb) => {
            let (answer, answered) = oneshot::channel();
            hear(Asked { verb, files, answer });
            let stopping = || Answer::Failed { text: "the node is stopping".to_owned() };
            tokio::select! {
                answer = answered => answer.unwrap_or_else(|_| stopping()),
                // Who asked has gone; what has begun goes on, what waits for a place does not.
                () = gone(&stream) => return,
            }
        }
        Err(error) => Answer::Failed { text: format!("not a verb: {error}") },
    };
    if let Ok(mut line) = serde_json::to_vec(&answer) {
        line.push(b'\n');
        let _ = stream.write_all(&line).await;
    }
}

/// Reads a line, and the files that come with it.
async fn read(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let (mut line, mut files) = (Vec::new(), Vec::new());
    while !line.ends_with(b"\n") {
        let more = stream
            .async_io(Interest::READABLE, || receive(stream.as_fd(), &mut line, &mut files))
            .await?;
        if more == 0 || line.len() > MAX_REQUEST || files.len() > FILES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok((line, files))
}

fn receive(from: BorrowedFd<'_>, to: &mut Vec<u8>, files: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut bytes = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let message = rustix::net::recvmsg(from, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = item {
            files.extend(rights);
        }
    }
    if message.flags.intersects(ReturnFlags::CTRUNC) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    to.extend_from_slice(bytes.get(..message.bytes).unwrap_or_default());
    Ok(message.bytes)
}

/// Resolves when the other end is closed; what it still says is nothing that was asked for.
async fn gone(stream: &UnixStream) {
    let mut bytes = [0; 256];
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut bytes) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// A socket's path may have 107 bytes (unix(7)); through an open folder any path is short.
fn short(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) if path.as_os_str().len() > 100 => {
            let folder = File::open(folder)?;
            let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
            Ok((Some(folder), path))
        }
        _ => Ok((None, path.to_owned())),
    }
}

/// Verbs of the node's own user that are under way: most wait for a worker or a twin.
const AT_ONCE: usize = 256;
/// The screen has one that waits for news, and one that somebody asked for with a key.
const AT_CONSOLE: usize = 8;
const MAX_REQUEST: usize = 64 * 1024;
/// The most files that come with a verb.
const FILES: usize = 2;
const READ_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_node_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ask(folder.path(), &Verb::List).unwrap(), None);
        drop(std::os::unix::net::UnixListener::bind(control_socket(folder.path())));
        assert_eq!(ask(folder.path(), &Verb::List).unwrap(), None, "a dead node's socket");
    }

    #[test]
    fn files_come_with_their_verb_and_no_more_than_two() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            serve(&path, |asked: Asked| {
                let [from, to] = asked.files.try_into().unwrap();
                let text = io::read_to_string(File::from(from)).unwrap();
                io::Write::write_all(&mut File::from(to), text.as_bytes()).unwrap();
                asked.answer.send(Answer::Repaired).unwrap();
            })
            .unwrap();
            let asking = tokio::task::spawn_blocking(move || {
                std::fs::write(path.join("from"), "foreign").unwrap();
                let from = File::open(path.join("from")).unwrap();
                let to = File::create(path.join("to")).unwrap();
                let verb = Verb::Work { task: Task::Text };
                let answer = ask_with(&path, &verb, &[from.as_fd(), to.as_fd()]).unwrap();
                assert_eq!(answer, Some(Answer::Repaired));
                assert_eq!(std::fs::read_to_string(path.join("to")).unwrap(), "foreign");
                // Past what our own sender would send: nobody hears it.
                let stream = StdStream::connect(control_socket(&path)).unwrap();
                let three = [from.as_fd(); 3];
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                assert!(control.push(SendAncillaryMessage::ScmRights(&three)));
                let line = [IoSlice::new(b"{\"verb\":\"list\"}\n")];
                rustix::net::sendmsg(&stream, &line, &mut control, SendFlags::empty()).unwrap();
                let mut answer = String::new();
                assert!(BufReader::new(stream).read_line(&mut answer).is_ok_and(|read| read == 0));
            });
            asking.await.unwrap();
        });
    }

    #[test]
    fn the_screen_of_the_machine_may_ask_little() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            serve_console(StdListener::bind(&path).unwrap(), |asked: Asked| {
                asked.answer.send(Answer::Done).unwrap();
            })
            .unwrap();
            let asking = tokio::task::spawn_blocking(move || {
                let ask = |verb| begin(&path, &verb, &[]).unwrap().unwrap().answer().unwrap();
                assert_eq!(ask(Verb::Welcome), Answer::Done);
                let status = Verb::Update { what: Update::Status };
                let pair = Verb::Pair { name: "ann".to_owned() };
                for verb in [Verb::MetricsToken, pair, Verb::List, Verb::Status, status] {
                    assert_eq!(ask(verb), Answer::Refused { refusal: Refusal::NotOwner });
                }
            });
            asking.await.unwrap();
        });
    }

    #[test]
    fn asks_and_is_answered_even_on_a_long_path() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("x".repeat(120));
        std::fs::create_dir(&folder).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            serve(&folder, |asked: Asked| {
                assert_eq!(asked.verb, Verb::Verify { name: "ann".to_owned() });
                asked.answer.send(Answer::Verified { entries: 7 }).unwrap();
            })
            .unwrap();
            let asking = tokio::task::spawn_blocking(move || {
                let answer = ask(&folder, &Verb::Verify { name: "ann".to_owned() }).unwrap();
                assert_eq!(answer, Some(Answer::Verified { entries: 7 }));
                let (_open, path) = short(&control_socket(&folder)).unwrap();
                let mut stream = StdStream::connect(path).unwrap();
                io::Write::write_all(&mut stream, b"{\"verb\":\"destroy\"}\n").unwrap();
                let mut line = String::new();
                BufReader::new(stream).read_line(&mut line).unwrap();
                assert!(line.contains("not a verb"), "{line}");
            });
            asking.await.unwrap();
        });
    }
}
