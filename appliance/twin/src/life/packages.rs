//! Packages of experiences in a life: reading them from where they are, installing, and finding the
//! bytes of a release. A package is verified each time before anything is made of it; what it wants is
//! not given here.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use capability::{experiences::latest::Source, manifest::Version};
use data_encoding::HEXLOWER;
use link::TwinId;
use store::{Actor, Content, Direction, Error, ReadAll as _, ReadTables as _, Writer};

use super::{
    Bytes, Caller, Fault, Life,
    api::known_name,
    aside_fault,
    kinds::{
        self, By,
        attachment::Small,
        experience::{INSTALLED_KIND, Shape},
        file, put,
    },
    tables::{self, INSTALLED, Installed, RELEASE, Release, Rows as _},
};
use crate::package::{self, BYTES_MAX, NoPackage, Package};

/// Whose the uploads are that packages are made from.
const OWNER: &str = "/package";
/// Most bytes of a package: its files, and what is said about them.
const PACKAGE_MAX: u64 = BYTES_MAX as u64 + 512 * 1024;

/// A release in use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct InUse {
    pub(crate) name: String,
    /// The entry that installed it.
    pub(crate) seq: u64,
    pub(crate) release: Release,
}

impl Life {
    /// The experiences that are installed, each with the release in use; by name.
    pub(crate) fn installed(&self) -> Result<Vec<InUse>, Fault> {
        self.0.store.read(|r| {
            let mut all = Vec::new();
            for (key, row) in r.prefix(INSTALLED, b"", usize::MAX, Direction::Forward)? {
                let row: Installed = tables::parsed(INSTALLED, &row)?;
                let Ok(name) = String::from_utf8(key) else { continue };
                let Some(seq) = row.release else { continue };
                let release = r.row(RELEASE, &tables::release(&name, seq))?;
                all.extend(release.map(|release| InUse { name, seq, release }));
            }
            Ok(all)
        })
    }

    /// A release of an experience that is still installed, in use or not.
    pub(crate) fn release(&self, name: &str, seq: u64) -> Result<Option<InUse>, Fault> {
        self.0.store.read(|r| {
            let installed: Option<Installed> = r.row(INSTALLED, name.as_bytes())?;
            if installed.is_none_or(|row| row.release.is_none()) {
                return Ok(None);
            }
            let release: Option<Release> = r.row(RELEASE, &tables::release(name, seq))?;
            Ok(release.map(|release| InUse { name: name.to_owned(), seq, release }))
        })
    }

    /// What our person calls a contact, whoever of them it is.
    pub(crate) fn contact_name(&self, contact: &TwinId) -> Result<Option<String>, Fault> {
        self.0.store.read(|r| {
            let known = r.contact(contact)?;
            if known.is_none_or(|known| known.standing != tables::Standing::Accepted) {
                return Ok(None);
            }
            known_name(r, &r.me()?, contact, true)
        })
    }

    /// Whether an experience of this name was ever here, and whether this release of it is.
    pub(crate) fn knows(&self, name: &str, hash: &[u8; 32]) -> Result<(bool, bool), Fault> {
        self.0.store.read(|r| {
            let known = r.get(INSTALLED, name.as_bytes())?.is_some();
            let hash = HEXLOWER.encode(hash);
            let this = releases(r, name)?.iter().any(|(_, release)| release.hash == hash);
            Ok((known, this))
        })
    }

    /// The package of a release.
    pub(crate) async fn release_bytes(&self, used: &InUse) -> Result<Vec<u8>, Fault> {
        self.all_of(self.release_contents(used).await?).await
    }

    /// The same, to be read piece by piece.
    pub(crate) async fn release_contents(&self, used: &InUse) -> Result<Bytes, Fault> {
        let content = self.0.store.read(|r| r.content(used.seq))?;
        let small: Option<Small> = kinds::content(content.as_deref());
        self.bytes(used.release.blob, small.as_ref().map(|small| &*small.bytes)).await
    }

    /// The bytes of a package that a person names.
    pub(crate) async fn package_bytes(
        &self,
        caller: &Caller,
        source: &Source,
    ) -> Result<Vec<u8>, Fault> {
        let bytes = match (&source.upload, &source.link) {
            (Some(upload), None) => {
                let content = self.0.store.uploaded(upload.bytes(), caller.owner())?;
                match content.ok_or_else(Fault::no_upload)? {
                    Content::Inline(bytes) => Bytes::Inline(bytes),
                    Content::Blob(blob) => self.bytes(Some(blob), None).await?,
                }
            }
            (None, Some(link)) => self.linked(caller, link).await?.bytes,
            (Some(_), Some(_)) | (None, None) => {
                return Err(Fault::malformed().field("upload", "an upload or a link"));
            }
        };
        self.all_of(bytes).await
    }

    async fn all_of(&self, bytes: Bytes) -> Result<Vec<u8>, Fault> {
        match bytes {
            Bytes::Inline(bytes) => Ok(bytes),
            Bytes::Blob(contents) if contents.size() > PACKAGE_MAX => Err(Fault::too_large()),
            Bytes::Blob(contents) => {
                aside_fault(move || {
                    let mut all = Vec::new();
                    let chunks = contents.size().div_ceil(store::CHUNK as u64);
                    for index in 0..chunks {
                        all.extend_from_slice(&contents.chunk(index)?);
                    }
                    Ok(all)
                })
                .await
            }
        }
    }

    /// Signs a package as this twin.
    pub(crate) fn sign_package(&self, unsigned: &[u8]) -> Result<Vec<u8>, NoPackage> {
        package::sign(unsigned, self.0.peers.chain(), &self.0.shared.key)
    }

    /// Installs a package, or uses a release that is there already again. Everything is checked here,
    /// whoever brings it.
    pub(crate) async fn install(&self, actor: Actor, bytes: Vec<u8>) -> Result<Package, Fault> {
        let (bytes, package) = judged(bytes).await?;
        if self.0.store.read(|r| judge(r, &package))?.is_none() {
            return Ok(package);
        }
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Fault::failed())?;
        let now_ms = crate::clock_ms();
        let store = self.0.store.clone();
        store.begin_upload(id, OWNER, bytes.len() as u64, now_ms).await?;
        let mut append = store.append(id, OWNER)?.ok_or_else(Fault::failed)?;
        aside_fault(move || {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let taken = append.take(rest);
                if append.is_full() {
                    append.flush()?;
                }
                rest = rest.get(taken..).unwrap_or_default();
            }
            Ok(append.commit()?)
        })
        .await?;
        let by = By { actor, now_ms };
        let write = move |w: &mut Writer<'_>| {
            // Another one may have come meanwhile.
            let Some(shape) = judge(&w.reader(), &package)? else { return Ok((package, false)) };
            let content = w.take_upload(id, OWNER)?.ok_or_else(Fault::no_upload)?;
            let (bytes, small) = match content {
                Content::Blob(blob) => (file::Bytes { size: blob.size, blob: Some(blob) }, None),
                Content::Inline(bytes) => {
                    let size = bytes.len() as u64;
                    (file::Bytes { size, blob: None }, Some(Small::of(&bytes)))
                }
            };
            let shape = Shape { bytes, ..shape };
            put(w, &by, INSTALLED_KIND, &shape, small.as_ref())?;
            Ok::<_, Fault>((package, true))
        };
        match self.0.store.write(write).await {
            Ok((package, true)) => Ok(package),
            Ok((package, false)) => {
                self.0.store.drop_upload(id, now_ms).await?;
                Ok(package)
            }
            Err(fault) => {
                self.0.store.drop_upload(id, now_ms).await?;
                Err(fault)
            }
        }
    }
}

/// Reads and verifies a package beside everything else: a large one takes a while.
pub(crate) async fn judged(bytes: Vec<u8>) -> Result<(Vec<u8>, Package), Fault> {
    aside_fault(move || {
        let package = Package::read(&bytes).map_err(refused)?;
        Ok((bytes, package))
    })
    .await
}

/// The releases of an experience, the oldest first.
pub(super) fn releases(r: &store::Reader<'_>, name: &str) -> Result<Vec<(u64, Release)>, Error> {
    let rows = r.prefix(RELEASE, &tables::releases(name), usize::MAX, Direction::Forward)?;
    let one = |(key, row): (Vec<u8>, Vec<u8>)| {
        let seq = key.last_chunk().map_or(0, |seq| u64::from_be_bytes(*seq));
        Ok((seq, tables::parsed(RELEASE, &row)?))
    };
    rows.into_iter().map(one).collect()
}

/// What installing would write; nothing if it is what is used already.
fn judge(r: &store::Reader<'_>, package: &Package) -> Result<Option<Shape>, Fault> {
    let (name, hash) = (package.manifest.name.as_str(), HEXLOWER.encode(&package.hash));
    let all = releases(r, name)?;
    let used: Option<Installed> = r.row(INSTALLED, name.as_bytes())?;
    let used = used.and_then(|used| used.release);
    let current = all.iter().find(|(seq, _)| Some(*seq) == used).map(|(_, release)| release);
    if current.is_some_and(|current| current.hash == hash) {
        return Ok(None);
    }
    if let Some((_, first)) = all.first()
        && first.author != package.author
    {
        return Err(Fault::other_author().with("experience", name));
    }
    let newest = all.iter().filter_map(|(_, one)| one.version.parse::<Version>().ok()).max();
    if let Some(newest) = newest.filter(|newest| *newest >= package.manifest.version) {
        let same = newest == package.manifest.version;
        let fault = if same { Fault::same_version() } else { Fault::older_version() };
        return Err(fault.with("experience", name).with("version", newest.to_string()));
    }
    Ok(Some(Shape {
        experience: name.to_owned(),
        version: package.manifest.version.to_string(),
        hash,
        author: package.author,
        previous: current.map(|current| current.version.clone()),
        bytes: file::Bytes { size: 0, blob: None },
    }))
}

/// How a person is told that a package is none.
pub(crate) fn refused(why: NoPackage) -> Fault {
    tracing::info!(%why, "a package was refused");
    match why {
        NoPackage::Signature => Fault::bad_signature(),
        NoPackage::TooLarge => Fault::too_large(),
        NoPackage::Kind => Fault::no_package(),
        NoPackage::Cut | NoPackage::Changed | NoPackage::Flawed | NoPackage::Index => {
            Fault::bad_package()
        }
    }
}

/// The bytes of a package that the node was given open. Blocks the thread.
pub(crate) fn read(file: &File) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    if size > PACKAGE_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Writes a package, which only gets longer by its signature, in the place of what was there.
pub(crate) fn write(file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, 0)
}
