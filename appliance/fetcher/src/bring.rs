//! A bundle into a file, piece by piece, each compared before it is kept; goes on where it was cut off,
//! in this process or an earlier one.
//!
//! The file is a beginning of the bundle at every moment: what an earlier try left is compared too.

use std::fs::File;
use std::os::unix::fs::FileExt;

use update::{Contents, Error as Refused, Part, Piece};

use crate::Error;
use crate::http::{From, Server};
use crate::look::Newest;

/// Brings it. All of it is read back at the end.
pub(crate) async fn bring(
    server: &Server,
    newest: Newest,
    mut file: File,
    heard: impl Fn(u8),
) -> Result<(), Error> {
    let Newest { head, contents } = newest;
    let mut kept = Kept::open(&file, &head, &contents)?;
    kept.has_room()?;
    let (name, mut same) = (contents.manifest.file_name(), None);
    let mut tries = 0_u32;
    kept.tell(&heard);
    while kept.left() {
        let before = kept.pieces;
        let Err(error) = some(server, &name, &mut same, &mut kept, &heard).await else { continue };
        // Somebody who sends nothing has few tries; a line that is cut often still comes to its end.
        tries = if kept.pieces > before { 1 } else { tries + 1 };
        if tries >= TRIES || !error.may_pass() {
            return Err(error);
        }
        tracing::info!(text = error.chain(), tries, "cut off");
        tokio::time::sleep(server.patience.between * tries).await;
    }
    file.set_len(contents.length()).map_err(Error::Keep)?;
    file.sync_data().map_err(Error::Keep)?;
    contents.check(&mut file, |_| ())?;
    Ok(())
}

/// As many pieces as one connection brings.
async fn some(
    server: &Server,
    name: &str,
    same: &mut Option<String>,
    kept: &mut Kept<'_>,
    heard: &impl Fn(u8),
) -> Result<(), Error> {
    let mut coming = server.get(name, From { at: kept.at(), same: same.as_deref() }).await?;
    let piece = server.patience.piece;
    if coming.all.is_some_and(|all| all != kept.contents.length()) {
        return Err(Error::Mixed("the file has another length"));
    }
    same.clone_from(&coming.same);
    // A server that doesn't know parts sends all: what is here already goes by.
    let mut by = kept.at() - coming.at;
    let mut bytes = Vec::new();
    while by > 0 {
        let length = usize::try_from(by).unwrap_or(usize::MAX).min(update::PIECE);
        bytes.clear();
        coming.fill(&mut bytes, length, piece).await?;
        by -= length as u64;
    }
    while let Some((part, next)) = kept.next() {
        bytes.clear();
        coming.fill(&mut bytes, next.length, piece).await?;
        kept.keep(part, next, &bytes)?;
        kept.tell(heard);
    }
    // Of a file whose length nobody said the end has to be seen.
    let after = tokio::time::timeout(piece, coming.some(1)).await.map_err(|_| Error::Slow)?;
    match coming.all {
        Some(_) => Ok(()),
        None if after?.is_empty() => Ok(()),
        None => Err(Error::Mixed("the file has another length")),
    }
}

/// What is in the file already, compared.
struct Kept<'a> {
    file: &'a File,
    contents: &'a Contents,
    /// All pieces of all parts, in their order.
    all: Vec<(Part, Piece)>,
    /// How many of them are there.
    pieces: usize,
    /// How many bytes these have.
    bytes: u64,
}

impl<'a> Kept<'a> {
    fn open(file: &'a File, head: &[u8], contents: &'a Contents) -> Result<Self, Error> {
        let of = |part: Part| contents.manifest.part(part).iter().map(move |piece| (part, piece));
        let all = Part::ALL.into_iter().flat_map(of).collect();
        let mut kept = Self { file, contents, all, pieces: 0, bytes: 0 };
        let mut begins = vec![0; head.len()];
        if read(file, &mut begins, 0)? < head.len() || begins != head {
            // Of another bundle, or nothing.
            file.set_len(0).map_err(Error::Keep)?;
            file.write_all_at(head, 0).map_err(Error::Keep)?;
            return Ok(kept);
        }
        let mut bytes = Vec::new();
        while let Some((_, next)) = kept.next() {
            bytes.resize(next.length, 0);
            if read(file, &mut bytes, kept.at())? < next.length || !next.is(&bytes) {
                break;
            }
            kept.count(next);
        }
        Ok(kept)
    }

    fn next(&self) -> Option<(Part, Piece)> {
        self.all.get(self.pieces).copied()
    }

    fn left(&self) -> bool {
        self.pieces < self.all.len()
    }

    /// Where the next piece begins, in the bundle.
    fn at(&self) -> u64 {
        self.contents.head() + self.bytes
    }

    fn keep(&mut self, part: Part, piece: Piece, bytes: &[u8]) -> Result<(), Error> {
        if !piece.is(bytes) {
            return Err(Refused::Damaged { part, at: piece.at }.into());
        }
        self.file.write_all_at(bytes, self.at()).map_err(Error::Keep)?;
        self.count(piece);
        Ok(())
    }

    fn count(&mut self, piece: Piece) {
        self.pieces += 1;
        self.bytes += piece.length as u64;
    }

    fn tell(&self, heard: impl Fn(u8)) {
        let percent = self.bytes.saturating_mul(100) / self.contents.manifest.length().max(1);
        heard(u8::try_from(percent).unwrap_or(100));
    }

    /// Whether the rest fits, and leaves something to others.
    fn has_room(&self) -> Result<(), Error> {
        let system = rustix::fs::fstatvfs(self.file).map_err(|errno| Error::Keep(errno.into()))?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        let needs = (self.contents.length() - self.at()).saturating_add(LEAVE);
        if free < needs { Err(Error::Room { bytes: needs - free }) } else { Ok(()) }
    }
}

/// As much as there is.
fn read(file: &File, into: &mut [u8], at: u64) -> Result<usize, Error> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + done as u64).map_err(Error::Keep)? {
            0 => break,
            some => done += some,
        }
    }
    Ok(done)
}

const TRIES: u32 = 4;
/// Twins go on while it comes.
const LEAVE: u64 = 64 << 20;
