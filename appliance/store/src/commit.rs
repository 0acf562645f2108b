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
    /// Tells the caller; `failed` is why the commit of the whole group failed.
    fn answer(self: Box<Self>, failed: Option<&heed::Error>);
    /// Tells the caller that the change was not even tried.
    fn refuse(self: Box<Self>, error: Error);
}

/// A change as a caller's closure, and where its result goes.
pub(crate) struct Change<F, R, T, E> {
    make: Option<F>,
    result: Option<Result<T, E>>,
    reply: R,
}

impl<F, R, T, E> Change<F, R, T, E> {
    pub(crate) fn new(make: F, reply: R) -> Self {
        Self { make: Some(make), result: None, reply }
    }
}

impl<F, R, T, E> Job for Change<F, R, T, E>
where
    F: FnOnce(&mut Writer<'_>) -> Result<T, E> + Send,
    R: FnOnce(Result<T, E>) + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        let Some(make) = self.make.take() else {
            return false;
        };
        // A panic unwinds only in tests and development; the transaction is dropped by our
        // caller, so nothing half-made is seen by anyone.
        let result = match catch_unwind(AssertUnwindSafe(|| make(writer))) {
            Ok(Ok(_)) if writer.spoiled() => Err(Error::Spoiled.into()),
            Ok(result) => result,
            Err(panic) => Err(Error::Panicked { what: panic_text(panic.as_ref()) }.into()),
        };
        let keep = result.is_ok();
        self.result = Some(result);
        keep
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
    for job in jobs {
        let Some(txn) = &mut made else {
            // Nothing is lost when this one fails: the next begins anew.
            let mut writer = Writer::new(&core.handles, core.fold.as_ref(), core.env.write_txn()?);
            made = job.run(&mut writer).then(|| writer.into_txn());
            continue;
        };
        // A transaction inside the group's: a change that fails is rolled back alone.
        let nested = core.env.nested_write_txn(txn)?;
        let mut writer = Writer::new(&core.handles, core.fold.as_ref(), nested);
        if job.run(&mut writer) {
            writer.into_txn().commit()?;
        }
    }
    made.map_or(Ok(()), |txn| finish(core, txn))
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
