//! Starts, hands over to, counts and reaps every other process of a node.
//!
//! ```text
//!   signals ─┐                       ┌─> gateway      (one, at once)
//!   control ─┼─> node loop ─ spawn ──┼─> node twin    (0, on demand)
//!   headers ─┤   (node.rs)           └─> twin 1..n    (on demand, one process each)
//!   exits  ──┘
//! ```
//!
//! The loop handles one event at a time and never waits for another process: what it asks of one
//! comes back as an event. It parses no foreign bytes; those of the control socket are read in
//! `control`, those of `node.toml` in `config`. It never reads a twin's data and holds no keys.

pub mod config;
pub mod control;
pub mod doctor;
mod folder;
pub mod fuzz;
mod groups;
pub mod health;
pub mod lan;
mod log;
mod node;
mod process;
mod registry;
mod restart;
pub mod scrape;
pub mod screen;
pub mod service;
mod slots;
pub mod steward;
pub mod system;
pub mod uids;
mod verbs;
mod wakes;
pub mod walls;
mod welcome;
mod whole;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

pub use crate::config::Config;
pub use crate::folder::DataFolder;
pub use crate::node::Quotas;
pub use crate::registry::{Entry, Registry, check_name};
pub use crate::service::Service;
pub use crate::uids::{NoUids, Uids};
pub use handover::{Refusal, Trouble};

/// Runs a node until `shutdown` resolves or the gateway can't be kept running; gives the folder back.
///
/// Call it on the process's main thread, inside a current-thread runtime: children are told to die
/// with the *thread* that started them.
///
/// # Errors
/// When the address can't be listened on, or the data folder can't be written.
pub async fn run(
    config: Config,
    folder: DataFolder,
    service: Service,
    notify: impl Fn(&Notice) + 'static,
    shutdown: impl Future<Output = ()>,
) -> Result<DataFolder, Error> {
    tokio::task::LocalSet::new()
        .run_until(node::run(config, folder, service, Box::new(notify), shutdown))
        .await
}

/// What the person at the console is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A twin failed so often that the executor waits before it tries again.
    Crashing {
        /// Its name.
        name: String,
        /// For how long.
        wait_s: u64,
    },
    /// A twin can't open its data.
    Broken {
        /// Its name.
        name: String,
        /// What happened and what to do.
        text: String,
    },
    /// The node accepts connections.
    Listening {
        /// Where.
        address: SocketAddr,
    },
    /// Another machine in the home's network has the node's name.
    NameTaken {
        /// The name.
        taken: String,
        /// What the node is called instead.
        name: String,
    },
    /// A one-time address that pairs a browser.
    Pair {
        /// Whose twin.
        name: String,
        /// The address, with the code in its fragment.
        url: String,
        /// Whether it can be opened from another device.
        elsewhere: bool,
    },
    /// A problem that somebody has to do something about.
    Trouble {
        /// Which.
        trouble: Trouble,
    },
    /// A twin's address.
    Twin {
        /// Its name.
        name: String,
        /// Where it is served.
        address: String,
        /// SHA-256 of its certificate, where TLS is spoken and the twin has run before.
        fingerprint: Option<String>,
    },
    /// A process did what its wall forbids and was ended; it is started again.
    Walled {
        /// Whose twin it was, or `gateway`.
        name: String,
    },
    /// This machine or this user can't give all the walls that there are.
    Walls {
        /// What is missing.
        missing: Vec<doctor::Finding>,
    },
    /// The one-time address that makes the first person's twin.
    Welcome {
        /// The address, with the code in its fragment.
        url: String,
        /// Whether it can be opened from another device.
        elsewhere: bool,
        /// Whether it takes the place of one that was too old.
        again: bool,
    },
}

/// Why a node can't run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has this data folder.
    #[error("{folder} is in use by another hometwin")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The data folder is another user's, and this is root.
    #[error("{folder} belongs to user {owner}")]
    NotYours {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The walls around the node's processes can't be built.
    #[error("the node can't be shut in")]
    Walls(#[source] walls::Error),
    /// The settings can't be read as settings.
    #[error("{file}, line {line}: {reason}")]
    Settings {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The list of twins is damaged.
    #[error("{file} can't be read as a list of twins: {reason}")]
    Registry {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The address can't be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file or folder of the node can't be used.
    #[error("can't use {path}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What a service manager gave can't be used.
    #[error("what the service manager gave can't be used")]
    Service {
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// A verb was refused.
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// A process can't be started.
    #[error("can't start the {what}")]
    Start {
        /// Which.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

pub(crate) fn file_error(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    |source| Error::File { path, source }
}
