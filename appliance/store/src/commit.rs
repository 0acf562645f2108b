//! The one writer: takes every queued change, makes them in one transaction, commits once, then
//! answers. Never answers `Ok` before the disk has the change.
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use crate::error::engine_ref;
use crate::store::Core;
use crate::write::{After, Made, Writer};
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
    /// Whether a thread does nothing until it is answered.
    fn blocks(&self) -> bool;
}

/// A change as a caller's closure, and where its result goes.
pub(crate) struct Change<F, R, T, E> {
    make: F,
    result: Option<Result<T, E>>,
    reply: R,
    blocks: bool,
}

impl<F, R, T, E> Change<F, R, T, E> {
    pub(crate) fn new(make: F, reply: R, blocks: bool) -> Self {
        Self { make, result: None, reply, blocks }
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

    fn blocks(&self) -> bool {
        self.blocks
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
        let committed = commit(core, &mut jobs);
        if let Err(error) = &committed {
            tracing::error!(%error, jobs = jobs.len(), "commit failed, nothing was written");
        }
        let blocks = jobs.iter().any(|job| job.blocks());
        let ends = Arc::clone(&core.ends);
        let tell = move || {
            let failed = match committed {
                Ok(Committed { head, after }) => {
                    if let Some(head) = head {
                        ends.publish(head);
                    }
                    after.into_iter().for_each(|tell| tell());
                    None
                }
                Err(error) => Some(error),
            };
            for job in jobs {
                job.answer(failed.as_ref());
            }
        };
        // The courier may run on the very thread that waits.
        if blocks { tell() } else { core.courier.tell(Box::new(tell)) }
    }
}

/// What is to be told of a commit.
#[derive(Default)]
struct Committed {
    head: Option<Head>,
    after: Vec<After>,
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

fn commit(core: &Core, jobs: &mut [Box<dyn Job>]) -> heed::Result<Committed> {
    let mut made: Option<Made<'_>> = None;
    // Whether everything that was made so far could be made again.
    let mut repeats = true;
    for index in 0..jobs.len() {
        let (before, rest) = jobs.split_at_mut(index);
        let Some(job) = rest.first_mut() else { break };
        if let Some(made) = made.as_mut().filter(|_| !repeats) {
            // A transaction inside the group's: a change that fails is rolled back alone.
            let nested = core.env.nested_write_txn(&mut made.txn)?;
            let mut writer = Writer::new(&core.handles, core.fold.as_ref(), nested);
            if job.run(&mut writer) {
                let Made { txn, after } = writer.made();
                txn.commit()?;
                made.after.extend(after);
            }
            continue;
        }
        // An inner transaction costs more than most changes. Without one a failure undoes what
        // came before as well, which can be made again.
        let mut writer = go_on(core, made.take())?;
        if job.run(&mut writer) {
            repeats = job.repeats();
            made = Some(writer.made());
        } else {
            drop(writer);
            made = again(core, before)?;
        }
    }
    made.map_or_else(|| Ok(Committed::default()), |made| finish(core, made))
}

fn go_on<'c>(core: &'c Core, made: Option<Made<'c>>) -> heed::Result<Writer<'c>> {
    Ok(match made {
        Some(made) => Writer::onto(&core.handles, core.fold.as_ref(), made),
        None => Writer::new(&core.handles, core.fold.as_ref(), core.env.write_txn()?),
    })
}

/// Makes the changes that stand once more, in a new transaction.
fn again<'c>(core: &'c Core, jobs: &mut [Box<dyn Job>]) -> heed::Result<Option<Made<'c>>> {
    'anew: loop {
        let mut made = None;
        for job in jobs.iter_mut().filter(|job| job.stands()) {
            let mut writer = go_on(core, made.take())?;
            if !job.run(&mut writer) {
                // One less stands.
                continue 'anew;
            }
            made = Some(writer.made());
        }
        return Ok(made);
    }
}

fn finish(core: &Core, made: Made<'_>) -> heed::Result<Committed> {
    let Made { txn, after } = made;
    let head: Result<Head, Error> = core.handles.head(&txn);
    if let Err(error) = env::commit(txn, &core.files.data()) {
        core.handles.note(&error);
        return Err(error);
    }
    if let Err(error) = &head {
        tracing::error!(%error, "the end of the journal cannot be read");
    }
    Ok(Committed { head: head.ok(), after })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .to_owned()
}
