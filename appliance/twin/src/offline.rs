//! What can be done with a twin's life while its node is stopped. Never called by a node that runs:
//! the store would refuse.

use std::fs::File;
use std::path::Path;

use handover::Place;
use tokio::task::LocalSet;

use crate::chain;
use crate::life::Life;

/// Replays the journal in this life folder and compares; gives the number of entries.
///
/// # Errors
/// What differs, or why it could not be compared, in one line for operators.
pub fn verify(folder: &Path, name: &str, place: Place) -> Result<u64, String> {
    with_life(folder, name, place, async |life| life.verify().await)
}

/// Writes everything in this life folder as JSON lines; gives their number.
///
/// # Errors
/// Why it could not be written, in one line for operators.
pub fn export(folder: &Path, name: &str, place: Place, file: File) -> Result<u64, String> {
    with_life(folder, name, place, async |life| life.export(file).await)
}

fn with_life(
    folder: &Path,
    name: &str,
    place: Place,
    work: impl AsyncFnOnce(Life) -> Result<u64, String>,
) -> Result<u64, String> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().map_err(|error| chain(&error))?;
    LocalSet::new().block_on(&runtime, async {
        let life = Life::open(folder, name, place, None).await.map_err(|error| chain(&error))?;
        work(life).await
    })
}
