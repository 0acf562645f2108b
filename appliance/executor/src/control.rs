//! The verbs of `hometwin twin ...`, over a Unix socket that only the node's own user may open; some of
//! them also over one for the machine's own screen ([`Verb::at_console`]).
//!
//! One request line of JSON, one answer line. Both ends come from the same program file. A request
//! is bounded in size and time; it never carries a secret, an answer only the one-time code that
//! was asked for. Files that a verb is about come as open descriptors with its line: the asker opens
//! them, as who they are, and the node only passes them on.

mod verbs;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use handover::Refusal;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_local;

pub use verbs::{Answer, Known, Listed, Update, Verb};

use crate::folder::control_socket;
use crate::{Error, file_error};

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
    use handover::Task;

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
