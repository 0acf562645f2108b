//! The handle to one twin's store: opening, reading, writing. Never holds a key of the twin and
//! never starts a thread before the first write.
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::blobs::Chunks;
use crate::commit::{self, Again, Change, Make, Once, Queued};
use crate::entry::Head;
use crate::env::{self, AloneProof, Env, Files, Lock, Mode, Opened};
use crate::error::engine;
use crate::fold::Fold;
use crate::handles::{Handles, NAMES};
use crate::meta;
use crate::read::{ReadAll as _, Reader};
use crate::stop::{self, Stopped};
use crate::tell::{Courier, Ends};
use crate::verify::VerifyError;
use crate::write::Writer;
use crate::{Difference, Error, glance};

/// Whose data file this is, in the format mark.
pub(crate) const OWNER: &str = "store";
/// The stem of its file names.
pub(crate) const STEM: &str = "store";

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address space for the data file in bytes. It costs nothing until used; when the system
    /// refuses it, half of it is tried, and so on. Default 64 GiB.
    pub map_size: usize,
    /// When the map runs full it is doubled up to this many bytes. Default 1 TiB.
    pub map_limit: usize,
    /// Make the store when the folder has none. Default on; off tells a lost data file
    /// ([`Error::Missing`]) from a first start.
    pub create: bool,
    /// Bytes that the data may take before changes that ask
    /// ([`Writer::check_room`](crate::Writer::check_room)) are refused. `None`, the default: as many
    /// as there is room for. Opening, reading and erasing work however much is there.
    pub quota: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        let bytes = |shift| 1_usize.checked_shl(shift).unwrap_or(1 << 30);
        Self { map_size: bytes(36), map_limit: bytes(40), create: true, quota: None }
    }
}

/// One twin's journal, tables and vault. Cheap to clone; the data file is closed and the folder
/// free again when the last clone is dropped (which waits for queued writes).
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    core: Arc<Core>,
    writer: Mutex<Option<WriterThread>>,
}

struct WriterThread {
    queue: Sender<Queued>,
    thread: JoinHandle<()>,
}

/// What the writer thread and the handles share. Dropped field by field: the data file is closed
/// before the lock is let go.
pub(crate) struct Core {
    pub(crate) handles: Handles,
    pub(crate) env: Env,
    _lock: Lock,
    pub(crate) fold: Box<dyn Fold>,
    pub(crate) files: Files,
    pub(crate) chunks: Chunks,
    /// Shared by every read transaction; exclusive while the map is moved.
    gate: RwLock<()>,
    map_limit: usize,
    pub(crate) ends: Arc<Ends>,
    pub(crate) courier: Courier,
    /// Why nothing is written any more.
    pub(crate) stopped: watch::Sender<Option<Stopped>>,
    /// One repair at a time.
    pub(crate) repairing: Mutex<()>,
}

impl Store {
    /// Opens the store in `folder`, making it if need be. Rebuilds the tables from the journal
    /// when they were made by another version of the fold; that can take seconds and survives
    /// being killed.
    ///
    /// # Errors
    /// [`Error::Busy`], [`Error::Missing`], [`Error::Foreign`], [`Error::Truncated`],
    /// [`Error::NewerFormat`], [`Error::ReadOnly`], [`Error::Full`], or the disk failed. While
    /// rebuilding also [`Error::NewerEntry`], [`Error::Damaged`] and [`Error::Fold`].
    #[expect(clippy::needless_pass_by_value, reason = "options may come to own more than numbers")]
    pub fn open(folder: &Path, options: Options, fold: Box<dyn Fold>) -> Result<Self, Error> {
        let files = Files::new(folder, STEM);
        let opened = files.open(OWNER, NAMES, options.map_size, options.create, Mode::Write)?;
        let core = Core::new(files, opened, fold, &options)?;
        core.stopped.send_replace(stop::read_mark(&core.files)?);
        core.rebuild_if_due()?;
        core.look_at_the_end()?;
        core.ends.publish(core.read(|r| r.head())?);
        Ok(Self { shared: Arc::new(Shared { core: Arc::new(core), writer: Mutex::new(None) }) })
    }

    /// Reads one consistent state. Keep it short: while it runs, no space that writes give up can
    /// be used again.
    ///
    /// # Errors
    /// What `read` returns, or the state cannot be opened ([`Error::Broken`], the disk failed).
    pub fn read<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.shared.core.read(read)
    }

    /// Makes a change; resolves after it is durable. Changes queued meanwhile share one commit,
    /// but an error rolls back only the change it came from. A change that was queued happens
    /// even when the future is dropped.
    ///
    /// # Errors
    /// What `change` returns; [`Error::Full`] and others when the commit failed;
    /// [`Error::Panicked`], [`Error::Spoiled`], [`Error::Closed`].
    pub async fn write<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static,
    {
        self.ask(None, Once(Some(change)))?.await.map_err(|_| Error::Closed)?
    }

    /// As [`Store::write`], for a change that need not be durable at once: it waits until another
    /// one commits, so that both share what a commit costs, but no longer than `wait`. It is
    /// queued by the call itself and keeps its place there; closing the store makes it, only a
    /// killed process loses it. It may be made more than once before one of them is kept.
    ///
    /// # Errors
    /// As there.
    pub fn write_within<T, E, F>(
        &self,
        wait: Duration,
        change: F,
    ) -> impl Future<Output = Result<T, E>> + use<T, E, F>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Fn(&mut Writer<'_>) -> Result<T, E> + Send + 'static,
    {
        let answer = self.ask(Instant::now().checked_add(wait), Again(change));
        async move { answer?.await.map_err(|_| Error::Closed)? }
    }

    /// As [`Store::write`], for callers without a runtime: blocks the thread.
    ///
    /// # Errors
    /// As there, and [`Error::Nested`] from inside a change.
    pub fn write_blocking<T, E, F>(&self, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Writer<'_>) -> Result<T, E> + Send + 'static,
    {
        if self.writer_thread() == Some(thread::current().id()) {
            return Err(Error::Nested.into());
        }
        let (reply, answer) = mpsc::sync_channel(1);
        self.queue(None, Once(Some(change)), move |result| drop(reply.send(result)), true)?;
        answer.recv().map_err(|_| Error::Closed)?
    }

    /// Tells of commits on the thread that polls this: everybody whom one commit concerns, at
    /// once. As long as nobody does, the writer's thread tells them one by one, and a sleeping
    /// runtime is woken up for each. Ends when the store is closed; the last one made counts.
    pub fn courier(&self) -> impl Future<Output = ()> + use<> {
        self.shared.core.courier.hire()
    }

    /// The newest durable entry that was told of. For a moment a reading may see a newer one.
    pub fn head(&self) -> Head {
        self.shared.core.ends.head()
    }

    /// Tells the seq of the newest durable entry whenever it changes.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.core.ends.watch()
    }

    /// When the bytes of the oldest pending erase have to leave the disk, ms since 1970: at the
    /// first [`maintain`](crate::maintain()) at or after it. `None` when no erase is pending.
    ///
    /// # Errors
    /// The disk failed.
    pub fn erase_pending(&self) -> Result<Option<i64>, Error> {
        self.read(|r| meta::erase_due(r.handles, r.txn))
    }

    pub(crate) fn core(&self) -> &Core {
        &self.shared.core
    }

    /// Queues a change; its result arrives where this says.
    fn ask<T, E, F>(
        &self,
        until: Option<Instant>,
        change: F,
    ) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Make<T, E> + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(until, change, move |result| drop(reply.send(result)), false)?;
        Ok(answer)
    }

    fn queue<T, E, F, R>(
        &self,
        until: Option<Instant>,
        change: F,
        reply: R,
        blocks: bool,
    ) -> Result<(), Error>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: Make<T, E> + 'static,
        R: FnOnce(Result<T, E>) + Send + 'static,
    {
        let mut writer = self.shared.writer();
        let writer = match &mut *writer {
            Some(writer) => writer,
            none => none.insert(self.start_writer()?),
        };
        let job = Box::new(Change::new(change, reply, blocks));
        writer.queue.send(Queued { job, until }).map_err(|_| Error::Closed)
    }

    fn start_writer(&self) -> Result<WriterThread, Error> {
        let (queue, jobs) = mpsc::channel();
        let core = Arc::clone(&self.shared.core);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || commit::serve(&core, &jobs))
            .map_err(|source| Error::Io { source })?;
        Ok(WriterThread { queue, thread })
    }

    fn writer_thread(&self) -> Option<ThreadId> {
        self.shared.writer().as_ref().map(|writer| writer.thread.thread().id())
    }
}

impl Shared {
    fn writer(&self) -> MutexGuard<'_, Option<WriterThread>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let writer = self.writer().take();
        if let Some(WriterThread { queue, thread }) = writer {
            drop(queue);
            // The last handle may go away inside a change, on the writer thread itself.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("the writer thread ended by a panic");
            }
        }
    }
}

impl Core {
    pub(crate) fn new(
        files: Files,
        opened: Opened<4>,
        fold: Box<dyn Fold>,
        options: &Options,
    ) -> Result<Self, Error> {
        let Opened { env, rows, lock } = opened;
        let Options { map_limit, quota, .. } = *options;
        let handles = Handles::new(rows, quota);
        let chunks = Chunks::open(&files, &env, &handles)?;
        Ok(Self {
            handles,
            chunks,
            env,
            _lock: lock,
            fold,
            files,
            gate: RwLock::new(()),
            map_limit,
            ends: Arc::default(),
            courier: Courier::default(),
            stopped: watch::Sender::new(None),
            repairing: Mutex::new(()),
        })
    }

    pub(crate) fn read<T, E: From<Error>>(
        &self,
        read: impl FnOnce(&Reader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _open: RwLockReadGuard<'_, ()> =
            self.gate.read().unwrap_or_else(PoisonError::into_inner);
        let txn = self.env.read_txn().map_err(engine)?;
        read(&Reader { handles: &self.handles, txn: &txn })
    }

    /// Doubles the map when the last change found it full or little of it is left. Only called
    /// where no write transaction is open.
    pub(crate) fn make_room(&self) {
        let full = self.handles.map_was_full.swap(false, std::sync::atomic::Ordering::Relaxed);
        let info = self.env.info();
        let page = self.env.unnamed_database_stat().page_size as usize;
        let left = info.map_size.saturating_sub((info.last_page_number + 1) * page);
        let size = info.map_size.saturating_mul(2).min(self.map_limit);
        if (!full && left > info.map_size / 8) || size <= info.map_size {
            return;
        }
        let Some(alone) = self.alone() else {
            tracing::warn!("long reads keep the map from growing");
            self.handles.map_was_full.store(true, std::sync::atomic::Ordering::Relaxed);
            return;
        };
        match env::enlarge(&self.env, size, &alone) {
            Ok(()) => tracing::info!(from = info.map_size, to = size, "map enlarged"),
            Err(error) => tracing::warn!(%error, "the map cannot be enlarged"),
        }
    }

    /// Waits a second at most for the reads that are under way. Asks again and again instead of
    /// queueing, so that a read inside a read cannot wait for itself.
    fn alone(&self) -> Option<AloneProof<'_>> {
        for _ in 0..1000 {
            if let Ok(guard) = self.gate.try_write() {
                return Some(AloneProof(guard));
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    /// A short look for a journal that lost its end or its links; what is found stops the writing,
    /// not the opening.
    fn look_at_the_end(&self) -> Result<(), Error> {
        if self.stopped.borrow().is_some() {
            return Ok(());
        }
        match self.read(glance::glance) {
            Ok(()) => Ok(()),
            Err(VerifyError::Store(error)) => Err(error),
            Err(VerifyError::Difference(difference)) => {
                self.found(&difference);
                Ok(())
            }
        }
    }

    /// Stops writing because of a difference, unless it is none of ours to judge.
    pub(crate) fn found(&self, difference: &Difference) {
        if let Some(stopped) = Stopped::of(difference) {
            self.stop(&stopped);
        }
    }

    /// A change that is no caller's, made while the store may be stopped.
    pub(crate) fn write_alone(
        &self,
        change: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let txn = self.env.write_txn().map_err(engine)?;
        let mut writer = Writer::new(&self.handles, self.fold.as_ref(), txn);
        change(&mut writer)?;
        env::commit(writer.made().txn, &self.files.data()).map_err(engine)
    }
}
