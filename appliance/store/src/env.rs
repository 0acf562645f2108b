//! Opening and making LMDB environments: the only place that needs `unsafe`. Never lets two
//! processes into one folder and never leaves a half-made data file under its final name.
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions, MdbError, RwTxn, WithoutTls};

use crate::Error;
use crate::error::{copy_of, engine, io_error};
use crate::length;
use crate::rows::Rows;

pub(crate) type Env = heed::Env<WithoutTls>;

/// Read transactions at a time.
const READERS: u32 = 126;
/// Bytes of LMDB's reader table: more than that many readers need.
const READER_TABLE: u64 = 16 << 10;
/// Below this the address space is too small to work with, so opening fails instead.
const SMALLEST_MAP: usize = 16 << 20;
/// Linux's code for an I/O error.
const EIO: i32 = 5;
/// Bytes of a trial write: more than the largest write LMDB does at once for our rows.
const PROBE: usize = 1 << 20;
const FORMAT_KEY: &[u8] = b"format";
/// The data file's layout. Raised when a release lays it out differently.
pub(crate) const FORMAT: u32 = 2;

/// How an environment is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Durable reading and writing.
    Write,
    /// Reading only; nothing in the folder changes.
    Read,
    /// Reading and writing without waiting for the disk, for files that are synced at the end or
    /// thrown away.
    Scratch,
}

/// The files of one environment in a folder: `<stem>.mdb` and its companions.
#[derive(Clone)]
pub(crate) struct Files {
    folder: PathBuf,
    stem: &'static str,
}

/// An open environment; dropping it closes the data file first and lets go of the folder last.
pub(crate) struct Opened<const N: usize> {
    pub(crate) env: Env,
    pub(crate) rows: [Rows; N],
    pub(crate) lock: Lock,
}

/// The mark that this process has the folder. `None` on a read-only file system without a mark.
pub(crate) struct Lock(Option<File>);

impl Drop for Lock {
    fn drop(&mut self) {
        // Said, not left to closing: a child just forked elsewhere may hold a copy of the
        // descriptor until it runs its own program.
        if let Some(Err(error)) = self.0.as_ref().map(File::unlock) {
            tracing::warn!(%error, "the folder's lock is left to the system");
        }
    }
}

impl Files {
    pub(crate) fn new(folder: &Path, stem: &'static str) -> Self {
        Self { folder: folder.to_owned(), stem }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.named("mdb")
    }

    /// A data file in the making, renamed when it is complete.
    pub(crate) fn fresh(&self) -> PathBuf {
        self.named("new")
    }

    /// A data file for one check, removed afterwards.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.named("check")
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The note that nothing may be written.
    pub(crate) fn mark(&self) -> PathBuf {
        self.named("stopped")
    }

    /// A copy in the making.
    pub(crate) fn copying(&self) -> PathBuf {
        self.named("copying")
    }

    /// Makes what was done to names in the folder durable.
    pub(crate) fn sync_folder(&self) -> Result<(), Error> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| at_path(&self.folder, source))
    }

    pub(crate) fn named(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.stem))
    }

    /// Takes the folder for this process, without waiting.
    pub(crate) fn lock(&self, mode: Mode) -> Result<Lock, Error> {
        let path = self.named("lock");
        let opened = match mode {
            Mode::Read => File::open(&path).or_else(|_| new_file(&path)),
            Mode::Write | Mode::Scratch => new_file(&path),
        };
        let file = match opened {
            Ok(file) => file,
            Err(e) if mode == Mode::Read && e.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                return Ok(Lock(None));
            }
            Err(source) => return Err(at_path(&path, source)),
        };
        match file.try_lock() {
            Ok(()) => Ok(Lock(Some(file))),
            Err(TryLockError::WouldBlock) => Err(Error::Busy { folder: self.folder.clone() }),
            Err(TryLockError::Error(source)) => Err(at_path(&path, source)),
        }
    }

    /// Removes what a killed process left unfinished. Only with the lock held.
    pub(crate) fn sweep(&self) -> Result<(), Error> {
        remove_env(&self.named("probe"))?;
        remove_env(&self.fresh())?;
        remove_env(&self.copying())?;
        remove_env(&self.scratch())
    }

    /// Puts the finished fresh file in place of the data file, durably.
    pub(crate) fn promote(&self) -> Result<(), Error> {
        let (fresh, data) = (self.fresh(), self.data());
        let synced = File::open(&fresh).and_then(|file| file.sync_all());
        synced.map_err(|source| at_path(&fresh, source))?;
        fs::rename(&fresh, &data).map_err(|source| at_path(&data, source))?;
        remove_env(&fresh)?;
        self.sync_folder()
    }

    /// Opens the environment, making it first when it is missing and `create` is on. `names` are
    /// its databases; the first holds the format mark of `owner`.
    pub(crate) fn open<const N: usize>(
        &self,
        owner: &str,
        names: [&str; N],
        map_size: usize,
        create: bool,
        mode: Mode,
    ) -> Result<Opened<N>, Error> {
        let data = self.data();
        if create && mode == Mode::Write {
            fs::create_dir_all(&self.folder).map_err(|e| at_path(&self.folder, e))?;
        } else if !self.folder.is_dir() {
            return Err(Error::Missing { path: data });
        }
        let lock = self.lock(mode)?;
        if mode == Mode::Write {
            self.sweep()?;
        }
        if !data.try_exists().map_err(|source| at_path(&data, source))? {
            if !create || mode != Mode::Write {
                return Err(Error::Missing { path: data });
            }
            drop(make(&self.fresh(), owner, names, map_size)?);
            self.promote()?;
        }
        let length = length::check(&data)?;
        if mode == Mode::Write {
            reserve_reader_table(&data)?;
        }
        let env = open_env(&data, map_size, length, mode)?;
        if mode != Mode::Read {
            env.clear_stale_readers().map_err(engine)?;
        }
        let rows = open_rows(&env, names).map_err(|e| at_open(&data, e))?;
        let Some(rows) = rows else {
            return Err(Error::Foreign { path: data });
        };
        check_format(&env, rows[0], owner, &data)?;
        Ok(Opened { env, rows, lock })
    }
}

/// Makes an environment with empty databases and the format mark, not yet synced.
pub(crate) fn make<const N: usize>(
    path: &Path,
    owner: &str,
    names: [&str; N],
    map_size: usize,
) -> Result<(Env, [Rows; N]), Error> {
    let env = open_env(path, map_size, 0, Mode::Scratch)?;
    let txn = env.write_txn().map_err(engine)?;
    let made = env.create_databases_and_commit(txn, |opener, txn| {
        let mut rows = Vec::with_capacity(N);
        for name in names {
            rows.push(opener.create_database(txn, Some(name))?);
        }
        let rows: [_; N] = rows.try_into().map_err(|_| heed::Error::Mdb(MdbError::DbsFull))?;
        rows[0].put(txn, FORMAT_KEY, format_mark(owner, FORMAT).as_slice())?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(rows))
    });
    let rows = made.map_err(|e| engine(tell_full(e, path)))?.commit().ok_or(Error::Closed)?;
    env.force_sync().map_err(engine)?;
    Ok((env, rows))
}

/// Gives LMDB's own lock file its blocks on the disk. LMDB maps it sparse, so on a full disk the
/// first touch would kill the process instead of failing.
fn reserve_reader_table(data: &Path) -> Result<(), Error> {
    let path = reader_table(data);
    let reserve = |mut file: File| -> io::Result<()> {
        if file.metadata()?.len() < READER_TABLE {
            file.write_all(&vec![0; READER_TABLE as usize])?;
            file.sync_all()?;
        }
        Ok(())
    };
    new_file(&path).and_then(reserve).map_err(|source| at_path(&path, source))
}

/// LMDB's name for the lock file of a data file.
fn reader_table(data: &Path) -> PathBuf {
    let mut path = data.as_os_str().to_owned();
    path.push("-lock");
    path.into()
}

/// Removes a data file and LMDB's own lock file beside it, if they exist.
pub(crate) fn remove_env(path: &Path) -> Result<(), Error> {
    let beside = reader_table(path);
    for path in [path, &beside] {
        match fs::remove_file(path) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(at_path(path, source)),
        }
    }
    Ok(())
}

/// Commits. LMDB reports a write that the full disk cut short as a plain I/O error: told apart here
/// by trying to write something else.
pub(crate) fn commit(txn: RwTxn<'_>, data: &Path) -> heed::Result<()> {
    txn.commit().map_err(|error| tell_full(error, data))
}

fn tell_full(error: heed::Error, data: &Path) -> heed::Error {
    if !matches!(&error, heed::Error::Io(e) if e.raw_os_error() == Some(EIO)) {
        return error;
    }
    let probe = data.with_extension("probe");
    let tried = File::create(&probe).and_then(|mut file| {
        file.write_all(&vec![0; PROBE])?;
        file.sync_all()
    });
    if let Err(error) = fs::remove_file(&probe) {
        tracing::debug!(%error, "no probe to remove");
    }
    match tried {
        Err(full) if matches!(io_error(copy_of(&full)), Error::Full { .. }) => full.into(),
        Err(_) | Ok(()) => error,
    }
}

fn new_file(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// Opens with the map asked for, or the largest half, quarter, .. of it that the system grants.
fn open_env(path: &Path, map_size: usize, length: u64, mode: Mode) -> Result<Env, Error> {
    let needed = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(SMALLEST_MAP / 2);
    let mut size = page_multiple(map_size);
    loop {
        match open_once(path, size, mode) {
            Err(heed::Error::Io(e)) if e.kind() == io::ErrorKind::OutOfMemory => {
                let smaller = page_multiple(size / 2);
                if smaller < needed.max(SMALLEST_MAP) {
                    return Err(at_path(path, e));
                }
                tracing::info!(from = size, to = smaller, "map refused, trying a smaller one");
                size = smaller;
            }
            other => return other.map_err(|e| at_open(path, e)),
        }
    }
}

#[expect(unsafe_code, reason = "LMDB maps the file; see the SAFETY note")]
fn open_once(path: &Path, map_size: usize, mode: Mode) -> heed::Result<Env> {
    let flags = EnvFlags::NO_SUB_DIR
        | match mode {
            Mode::Write => EnvFlags::empty(),
            Mode::Read => EnvFlags::READ_ONLY | EnvFlags::NO_LOCK,
            Mode::Scratch => EnvFlags::NO_SYNC | EnvFlags::NO_LOCK,
        };
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_size).max_dbs(8).max_readers(READERS);
    // SAFETY: the file is only ever changed through this environment, because the caller holds
    // the folder's lock (one process) and heed refuses to open a path twice in a process. It was
    // checked not to be shorter than its pages. NO_LOCK comes only where nothing writes (READ_ONLY
    // under the same lock) or one thread does all (scratch files), NO_SYNC only for files that
    // no one relies on before they are synced; WRITE_MAP and a fixed address are never used.
    unsafe {
        options.flags(flags);
        options.open(path)
    }
}

/// Gives an open environment a larger map.
#[expect(unsafe_code, reason = "LMDB cannot see its own read transactions here; see SAFETY")]
pub(crate) fn enlarge(env: &Env, size: usize, _alone: &AloneProof<'_>) -> heed::Result<()> {
    // SAFETY: the caller shows that no transaction is open: every read holds the shared side of
    // the gate whose exclusive side it presents, and the only writer is the caller itself.
    unsafe { env.resize(page_multiple(size)) }
}

/// Shows that no transaction is open.
pub(crate) struct AloneProof<'g>(
    #[expect(dead_code, reason = "held, not read")] pub(crate) std::sync::RwLockWriteGuard<'g, ()>,
);

fn page_multiple(size: usize) -> usize {
    // 64 KiB is a multiple of every page size Linux uses.
    (size >> 16 << 16).max(1 << 16)
}

fn open_rows<const N: usize>(env: &Env, names: [&str; N]) -> heed::Result<Option<[Rows; N]>> {
    let txn = env.read_txn()?;
    let opened = env.open_databases_and_commit(txn, |opener, txn| {
        let mut rows = Vec::with_capacity(N);
        for name in names {
            match opener.open_database(txn, Some(name))? {
                Some(found) => rows.push(found),
                None => return Ok::<_, heed::Error>(CommitOrAbort::<[_; N], ()>::Abort(())),
            }
        }
        Ok(rows.try_into().map_or(CommitOrAbort::Abort(()), CommitOrAbort::Commit))
    });
    match opened {
        Ok(rows) => Ok(rows.commit()),
        // The names exist but are something else: not ours.
        Err(heed::Error::Mdb(MdbError::Incompatible)) => Ok(None),
        Err(e) => Err(e),
    }
}

fn format_mark(owner: &str, format: u32) -> Vec<u8> {
    [b"hometwin ", owner.as_bytes(), b"\0", &format.to_be_bytes()].concat()
}

fn check_format(env: &Env, meta: Rows, owner: &str, path: &Path) -> Result<(), Error> {
    let txn = env.read_txn().map_err(engine)?;
    // Everything else is named as ours are: the mark was lost, it is not another's.
    let lost = || Error::Damaged { at: "the format mark".to_owned() };
    let mark = meta.get(&txn, FORMAT_KEY).map_err(engine)?.ok_or_else(lost)?;
    let ours = format_mark(owner, FORMAT);
    let found = mark
        .split_last_chunk::<4>()
        .filter(|(name, _)| ours.strip_suffix(&FORMAT.to_be_bytes()) == Some(*name));
    match found {
        Some((_, format)) => match u32::from_be_bytes(*format) {
            FORMAT => Ok(()),
            found @ 0..FORMAT => Err(Error::OlderFormat { path: path.to_owned(), found }),
            found => Err(Error::NewerFormat { path: path.to_owned(), found, known: FORMAT }),
        },
        None => Err(Error::Foreign { path: path.to_owned() }),
    }
}

fn at_open(path: &Path, error: heed::Error) -> Error {
    use heed::Error as E;
    match error {
        E::Mdb(MdbError::Invalid | MdbError::VersionMismatch) => {
            Error::Foreign { path: path.to_owned() }
        }
        E::EnvAlreadyOpened => Error::Busy { folder: path.parent().unwrap_or(path).to_owned() },
        E::Io(source) => at_path(path, source),
        E::Mdb(_) | E::Encoding(_) | E::Decoding(_) => engine(error),
    }
}

/// As [`io_error`], naming the path where the cases leave it open.
pub(crate) fn at_path(path: &Path, source: io::Error) -> Error {
    let sorted = io_error(source);
    if let Error::Io { source } = sorted {
        Error::File { path: path.to_owned(), source }
    } else {
        sorted
    }
}
