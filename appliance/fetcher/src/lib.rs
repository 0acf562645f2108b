//! Brings the bundle of a new system from a *mirror*: a folder on any web server, as
//! `image-build bundle --publish` writes it.
//!
//! ```text
//! https://HOST/FOLDER/headless_x86_64.newest        the head of the newest bundle: signed, small
//! https://HOST/FOLDER/headless_x86_64_1.2.3.bundle  the bundle itself
//! ```
//!
//! The one process of a node that speaks with the world outside, so it has nothing else: a channel to
//! whoever asks, a file to write to, and one connection. It believes no server. What a bundle is says
//! the signed head, and every piece of it is compared before it is kept; TLS only keeps others from
//! seeing and slowing what is fetched. Whoever uses the file verifies all of it once more.

mod address;
mod bring;
mod error;
pub mod fuzz;
mod http;
mod look;
mod trust;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Duration;

use handover::{Channel, FromFetcher, Mirror, Progress, Step, There, ToFetcher};
use update::{Here, Trust};

pub use crate::error::Error;
use crate::http::Server;

/// The system that wants a newer one, and how patient it is.
#[derive(Clone, Debug)]
pub struct System {
    /// Whom it believes; nobody, where its image was built without keys.
    pub trust: Option<Trust>,
    /// What it is.
    pub here: Here,
    /// With servers.
    pub patience: Patience,
}

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the connection to the head of an answer.
    pub answer: Duration,
    /// For a piece of a MiB, so that nobody can keep it waiting for ever.
    pub piece: Duration,
    /// Between two tries; the second time twice as long, and so on.
    pub between: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        // A piece may take as long as over the slowest line that anybody still has, 64 kbit/s.
        let [answer, piece, between] = [30, 180, 2].map(Duration::from_secs);
        Self { answer, piece, between }
    }
}

/// Answers the one question that comes over the channel.
///
/// # Errors
/// When the channel fails.
pub async fn run(channel: Channel, system: &System) -> Result<(), handover::Error> {
    let Some((asked, files)) = channel.recv::<ToFetcher>().await? else { return Ok(()) };
    let said = tokio::select! {
        said = answer(asked, files, system, &channel) => said,
        // Who asked doesn't want it any more.
        _ = channel.recv::<ToFetcher>() => return Ok(()),
    };
    let said = said.unwrap_or_else(|error| {
        let text = error.chain();
        tracing::warn!(text, why = error.name(), "nothing is brought");
        FromFetcher::Refused { why: error.name().to_owned(), text: shortened(text) }
    });
    channel.send(&said, &[]).await
}

async fn answer(
    asked: ToFetcher,
    files: Vec<OwnedFd>,
    system: &System,
    channel: &Channel,
) -> Result<FromFetcher, Error> {
    match asked {
        ToFetcher::Look { mirror } => Ok(FromFetcher::There(there(&mirror, system).await?)),
        ToFetcher::Bring { mirror } => {
            let file = files.into_iter().next().ok_or(Error::NoFile)?;
            let heard = |percent| {
                let progress = Progress { step: Step::Fetch, percent };
                channel.offer(&FromFetcher::Progress(progress));
            };
            let version = bring(&mirror, system, File::from(file), heard).await?;
            Ok(FromFetcher::Brought { version: version.to_string() })
        }
    }
}

/// Looks which system a mirror has.
///
/// # Errors
/// If it can't be had, or nobody should use it.
pub async fn there(mirror: &Mirror, system: &System) -> Result<There, Error> {
    let server = Server::new(mirror, system.patience)?;
    let newest = look::newest(&server, system).await?;
    let manifest = &newest.contents.manifest;
    if manifest.version > system.here.version {
        manifest.may_be_used(&system.here)?;
    }
    Ok(There {
        version: manifest.version.to_string(),
        here: system.here.version.to_string(),
        newer: manifest.version > system.here.version,
        bytes: newest.contents.length(),
    })
}

/// Brings the newest bundle of a mirror into a file, which may have a part of it already; tells how far
/// it is, in percent.
///
/// # Errors
/// If it can't be had, or nobody should use it. What came of it stays in the file.
pub async fn bring(
    mirror: &Mirror,
    system: &System,
    file: File,
    heard: impl Fn(u8),
) -> Result<update::Version, Error> {
    let server = Server::new(mirror, system.patience)?;
    let newest = look::newest(&server, system).await?;
    newest.contents.manifest.may_be_used(&system.here)?;
    let version = newest.contents.manifest.version;
    bring::bring(&server, newest, file, heard).await?;
    Ok(version)
}

/// What fits into an answer.
fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(500));
    text
}

#[cfg(test)]
mod tests;
