//! One job with one foreign file: a small picture of it, or the words in it.
//!
//! The process has one file to read, one to write, and nothing else; the executor starts it for the
//! job and ends it after. Everything here is a function from bytes to bytes: no file is opened by
//! name, no thread started, no state kept. It finds out by itself what the file is, and its result is
//! worth no more trust than the file, because a mistake in a parser is what its walls are for.

mod film;
pub mod fuzz;
mod html;
mod kind;
mod office;
mod pdf;
mod picture;
mod plain;
mod words;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use handover::{Bounds, Cannot, Channel, FromWorker, Kind, Made, Task, ToWorker};

use crate::words::Words;

/// Does the one job that comes over the channel, and answers.
///
/// # Errors
/// When the channel fails: the executor is gone, or has ended this process's time.
pub async fn run(channel: Channel) -> Result<(), handover::Error> {
    let Some((ToWorker::Do { task, bounds }, files)) = channel.recv().await? else {
        return Ok(());
    };
    let said = match <[OwnedFd; 2]>::try_from(files) {
        Ok([input, output]) => work(task, bounds, File::from(input), File::from(output)),
        Err(_) => Err(Cannot::Unreadable),
    };
    let said = said.map_or_else(FromWorker::Failed, FromWorker::Done);
    channel.send(&said, &[]).await
}

fn work(task: Task, bounds: Bounds, input: File, mut output: File) -> Result<Made, Cannot> {
    let mut bytes = Vec::new();
    input.take(bounds.input + 1).read_to_end(&mut bytes).map_err(|_| Cannot::Unreadable)?;
    // Of a film the beginning is enough.
    if bytes.len() as u64 > bounds.input && film::kind(&bytes).is_none() {
        return Err(Cannot::TooLarge);
    }
    let product = make(task, bounds, &bytes)?;
    output.write_all(&product.bytes).map_err(|_| Cannot::Unwritable)?;
    let Product { of, kind, bytes, size, cut } = product;
    Ok(Made { of, kind, bytes: bytes.len() as u64, size, cut })
}

/// What was made of a file.
struct Product {
    of: Kind,
    kind: Kind,
    bytes: Vec<u8>,
    size: Option<(u16, u16)>,
    cut: bool,
}

fn make(task: Task, bounds: Bounds, bytes: &[u8]) -> Result<Product, Cannot> {
    let of = kind::of(bytes).ok_or(Cannot::NotKnown)?;
    let product = match (task, of) {
        (Task::Preview { side }, Kind::Gif | Kind::Jpeg | Kind::Png | Kind::Webp) => {
            picture::preview(of, bytes, side, bounds)?
        }
        (Task::Preview { side }, Kind::Mp4 | Kind::Webm) => film::preview(bytes, side, bounds)?,
        (Task::Preview { side }, Kind::Pdf) => pdf::preview(bytes, side, bounds)?,
        (Task::Text, Kind::Docx | Kind::Html | Kind::Odt | Kind::Pdf | Kind::Text) => {
            words(of, bytes, bounds)?
        }
        (Task::Preview { .. } | Task::Text, _) => return Err(Cannot::NotKnown),
    };
    if product.bytes.len() as u64 > bounds.output {
        return Err(Cannot::TooLarge);
    }
    Ok(product)
}

fn words(of: Kind, bytes: &[u8], bounds: Bounds) -> Result<Product, Cannot> {
    let mut words = Words::new(bounds.output);
    match of {
        Kind::Docx | Kind::Odt => office::read(of, bytes, bounds, &mut words)?,
        Kind::Html => html::read(bytes, &mut words),
        Kind::Pdf => pdf::read(bytes, &mut words)?,
        Kind::Gif | Kind::Jpeg | Kind::Mp4 | Kind::Png | Kind::Text | Kind::Webm | Kind::Webp => {
            plain::read(bytes, &mut words);
        }
    }
    Ok(words.product(of))
}
