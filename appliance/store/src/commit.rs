//! The one writer: takes every queued change, makes them in one transaction, commits once, then
//! answers. Never answers `Ok` before the disk has the change.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use heed::RwTxn;

use crate::error::engine_ref;
use crate::store::Core;
use crate::write::Writer;
use crate::{Error, Head, env};

/// Changes in one commit at most, so that the first of them does not wait without end.
const GROUP: usize = 256;

/// A change in the queue.
pub(crate) struct Queued {
    pub(crate) job: Box<dyn Job>,
    /// Until then it may wait for another to share a commit with.
    pub(crate) until: Option<Instant>,
}

/// A change, whatever its result is.
pub(crate) trait Job: Send {
    /// Makes the change. `false`: roll it back.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// Whether it can be made again after it was rolled back.
    fn repeats(&self) -> bool;
    /// Whether it was made, or has yet to be: `run` never said `false`.
    fn stands(&self) -> bool;
    /// Tells the caller; `failed` is why the commit of the whole group failed.
    fn answer(self: Box<Self>, failed: Option<&heed::Error>);
    /// Tells the caller that the change was not even tried.
    fn refuse(self: Box<Self>, error: Error);
}

/// A change as a caller's closure, and where its result goes.
pub(crate) struct Change<F, R, T, E> {
    make: F,
    result: Option<Result<T, E>>,
    reply: R,
}

impl<F, R, T, E> Change<F, R, T, E> {
    pub(crate) fn new(make: F, reply: R) -> Self {
        Self { make, result: None, reply }
    }
}

/// Makes a change, as often as it can be made.
pub(crate) trait Make<T, E>: Send {
    /// `None`: it can't be made any more.
    fn make(&mut self, writer: &mut Writer<'_>) -> Option<Result<T, E>>;
    fn repeats(&self) -> bool;
}

/// Made once, and then gone.
pub(crate) struct Once<F>(pub(crate) Option<F>);

/// Made as often as it takes.
pub(crate) struct Again<F>(pub(crate) F);

impl<F, T, E> Make<T, E> for Once<F>
where
    F: FnOnce(&mut Writer<'_>) -> Result<T, E> + Send,
{
    fn make(&mut self, writer: &mut Writer<'_>) -> Option<Result<T, E>> {
        self.0.take().map(|make| make(writer))
    }

    fn repeats(&self) -> bool {
        false
    }
}

impl<F, T, E> Make<T, E> for Again<F>
where
    F: Fn(&mut Writer<'_>) -> Result<T, E> + Send,
{
    fn make(&mut self, writer: &mut Writer<'_>) -> Option<Result<T, E>> {
        Some((self.0)(writer))
    }

    fn repeats(&self) -> bool {
        true
    }
}

impl<F, R, T, E> Job for Change<F, R, T, E>
where
    F: Make<T, E>,
    R: FnOnce(Result<T, E>) + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        // A panic unwinds only in tests and development; the transaction is dropped by our
        // caller, so nothing half-made is seen by anyone.
        let result = match catch_unwind(AssertUnwindSafe(|| self.make.make(writer))) {
            Ok(Some(Ok(_))) if writer.spoiled() => Err(Error::Spoiled.into()),
            Ok(Some(result)) => result,
            Ok(None) => return false,
            Err(panic) => Err(Error::Panicked { what: panic_text(panic.as_ref()) }.into()),
        };
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn repeats(&self) -> bool {
        self.make.repeats()
    }

    fn stands(&self) -> bool {
        !matches!(self.result, Some(Err(_)))
    }

    fn answer(self: Box<Self>, failed: Option<&heed::Error>) {
        let result = match (self.result, failed) {
            (Some(Err(own)), _) => Err(own),
            (Some(Ok(_)) | None, Some(error)) => Err(engine_ref(error).into()),
            (Some(Ok(value)), None) => Ok(value),
            (None, None) => Err(Error::Closed.into()),
        };
        (self.reply)(result);
    }

    fn refuse(self: Box<Self>, error: Error) {
        (self.reply)(Err(error.into()));
    }
}

/// The writer thread: until every handle of the store is gone.
pub(crate) fn serve(core: &Core, queue: &Receiver<Queued>) {
    while let Some(mut jobs) = gather(queue) {
        if let Some(stopped) = core.stopped.borrow().clone() {
            for job in jobs {
                job.refuse(Error::Stopped { found: stopped.found.clone() });
            }
            continue;
        }
        core.make_room();
        let failed = commit(core, &mut jobs).err();
        if let Some(error) = &failed {
            tracing::error!(%error, jobs = jobs.len(), "commit failed, nothing was written");
        }
        for job in jobs {
            job.answer(failed.as_ref());
        }
    }
}

/// The changes of the next commit, in the order they came: once there is one that does not wait,
/// one has waited long enough, or there will be no more. Nothing wakes up while none is queued.
fn gather(queue: &Receiver<Queued>) -> Option<Vec<Box<dyn Job>>> {
    let mut jobs = Vec::new();
    let mut end: Option<Instant> = None;
    loop {
        let next = match end {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(end) => queue.recv_timeout(end.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(Queued { job, until: Some(until) }) if jobs.len() + 1 < GROUP => {
                jobs.push(job);
                end = Some(end.map_or(until, |end| end.min(until)));
            }
            Ok(Queued { job, .. }) => {
                jobs.push(job);
                let room = GROUP.saturating_sub(jobs.len());
                jobs.extend(queue.try_iter().take(room).map(|queued| queued.job));
                return Some(jobs);
            }
            Err(RecvTimeoutError::Timeout) => return Some(jobs),
            Err(RecvTimeoutError::Disconnected) => return (!jobs.is_empty()).then_some(jobs),
        }
    }
}

fn commit(core: &Core, jobs: &mut [Box<dyn Job>]) -> heed::Result<()> {
    let mut made: Option<RwTxn<'_>> = None;
    // Whether everything that was made so far could be made again.
    let mut repeats = true;
    for index in 0..jobs.len() {
        let (before, rest) = jobs.split_at_mut(index);
        let Some(job) = rest.first_mut() else { break };
        if let Some(txn) = made.as_mut().filter(|_| !repeats) {
            // A transaction inside the group's: a change that fails is rolled back alone.
            let nested = core.env.nested_write_txn(txn)?;
            let mut writer = Writer::new(&core.handles, core.fold.as_ref(), nested);
            if job.run(&mut writer) {
                writer.into_txn().commit()?;
            }
            continue;
        }
        // An inner transaction costs more than most changes. Without one a failure undoes what
        // came before as well, which can be made again.
        let txn = made.take().map_or_else(|| core.env.write_txn(), Ok)?;
        let mut writer = Writer::new(&core.handles, core.fold.as_ref(), txn);
        if job.run(&mut writer) {
            repeats = job.repeats();
            made = Some(writer.into_txn());
        } else {
            drop(writer);
            made = again(core, before)?;
        }
    }
    made.map_or(Ok(()), |txn| finish(core, txn))
}

/// Makes the changes that stand once more, in a new transaction.
fn again<'c>(core: &'c Core, jobs: &mut [Box<dyn Job>]) -> heed::Result<Option<RwTxn<'c>>> {
    'anew: loop {
        let mut made = None;
        for job in jobs.iter_mut().filter(|job| job.stands()) {
            let txn = made.take().map_or_else(|| core.env.write_txn(), Ok)?;
            let mut writer = Writer::new(&core.handles, core.fold.as_ref(), txn);
            if !job.run(&mut writer) {
                // One less stands.
                continue 'anew;
            }
            made = Some(writer.into_txn());
        }
        return Ok(made);
    }
}

fn finish(core: &Core, txn: RwTxn<'_>) -> heed::Result<()> {
    let head: Result<Head, Error> = core.handles.head(&txn);
    if let Err(error) = env::commit(txn, &core.files.data()) {
        core.handles.note(&error);
        return Err(error);
    }
    match head {
        Ok(head) => core.publish(head),
        Err(error) => tracing::error!(%error, "the end of the journal cannot be read"),
    }
    Ok(())
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}
