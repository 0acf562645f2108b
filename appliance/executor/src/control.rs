//! The verbs of `hometwin twin ...`, over a Unix socket that only the node's own user may open.
//!
//! One request line of JSON, one answer line. Both ends come from the same program file. A request
//! is bounded in size and time; it never carries a secret, an answer only the one-time code that
//! was asked for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handover::Refusal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use crate::folder::control_socket;
use crate::service::Started;
use crate::{Error, file_error};

/// What may be asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Make a twin.
    Create {
        /// Its name.
        name: String,
    },
    /// What is wrong with the node.
    Health,
    /// All twins.
    List,
    /// A new token for the node's metrics.
    MetricsToken,
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
    /// The processes and the address.
    Status,
    /// Replay a twin's journal and compare.
    Verify {
        /// Its name.
        name: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
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
    /// The new token for the node's metrics.
    MetricsToken {
        /// Shown once.
        token: String,
    },
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
    /// The twin has its new name.
    Renamed {
        /// Where it is served now.
        address: String,
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
    },
    /// The journal and the tables agree.
    Verified {
        /// How many entries were replayed.
        entries: u64,
    },
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
    let path = control_socket(folder);
    let stream = match short(&path).and_then(|(_open, path)| StdStream::connect(path)) {
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
    exchange(stream, verb).map(Some).map_err(file_error(path))
}

fn exchange(mut stream: StdStream, verb: &Verb) -> io::Result<Answer> {
    let mut line = serde_json::to_vec(verb)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

/// A verb on its way to the node's loop.
pub(crate) struct Asked {
    pub(crate) verb: Verb,
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
    spawn_local(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    spawn_local(answer(stream, hear.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket can't accept");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
    });
    Ok(())
}

async fn answer(mut stream: UnixStream, hear: impl Fn(Asked)) {
    let mut line = String::new();
    let (reader, mut writer) = stream.split();
    let mut reader = tokio::io::BufReader::new(reader.take(MAX_REQUEST));
    let read = tokio::time::timeout(READ_WITHIN, reader.read_line(&mut line)).await;
    if !matches!(read, Ok(Ok(_))) {
        return;
    }
    let answer = match serde_json::from_str(&line) {
        Ok(verb) => {
            let (answer, answered) = oneshot::channel();
            hear(Asked { verb, answer });
            let stopping = || Answer::Failed { text: "the node is stopping".to_owned() };
            answered.await.unwrap_or_else(|_| stopping())
        }
        Err(error) => Answer::Failed { text: format!("not a verb: {error}") },
    };
    if let Ok(mut line) = serde_json::to_vec(&answer) {
        line.push(b'\n');
        let _ = writer.write_all(&line).await;
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

const MAX_REQUEST: u64 = 64 * 1024;
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
                stream.write_all(b"{\"verb\":\"destroy\"}\n").unwrap();
                let mut line = String::new();
                BufReader::new(stream).read_line(&mut line).unwrap();
                assert!(line.contains("not a verb"), "{line}");
            });
            asking.await.unwrap();
        });
    }
}
