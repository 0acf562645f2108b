//! The node's side of its workers: one process a job, with two files and an end.
//!
//! What a job reads was made by strangers, so a worker is never believed and never kept: it is ended
//! when it answered, when its time is over, or by its wall, and never does a second job. Nothing here
//! reads or writes the files; nobody waits for a worker but who asked.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Duration;

use handover::{Bounds, Cannot, FromWorker, Task, ToWorker};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, spawn_local};

use super::{Event, Node};
use crate::config::WorkerLimits;
use crate::control::Answer;
use crate::process::{Birth, Ears, End, Process};
use crate::walls::{ForJob, Given};

/// Jobs that run and jobs that wait.
#[derive(Default)]
pub(crate) struct Workers {
    running: Vec<Worker>,
    waiting: VecDeque<Job>,
    /// Jobs since the node was started, which give workers their users.
    jobs: u64,
    pub(crate) counts: Counts,
}

/// What became of jobs since the node was started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Something was made.
    done: u64,
    /// Nothing could be made of the file, as its worker said.
    failed: u64,
    /// Too much waited.
    refused: u64,
    /// The worker was ended: by the clock, by its limits or by its wall.
    killed: u64,
}

impl Counts {
    /// Each with its stable name.
    pub(crate) fn each(self) -> [(&'static str, u64); 4] {
        let Self { done, failed, refused, killed } = self;
        [("done", done), ("failed", failed), ("refused", refused), ("killed", killed)]
    }
}

/// A job that was asked for.
pub(crate) struct Job {
    pub(crate) task: Task,
    /// Open to read.
    pub(crate) input: OwnedFd,
    /// Empty, open to write.
    pub(crate) output: OwnedFd,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// A worker at its job.
struct Worker {
    process: Process<ToWorker>,
    /// Which of those that run at once: names its control group.
    place: usize,
    /// Taken with the first answer: a second one is nobody's.
    answer: Option<oneshot::Sender<Answer>>,
    late: bool,
    clock: AbortHandle,
}

impl Node {
    /// Does a job as soon as there is a place for it.
    pub(crate) fn work(&mut self, job: Job) {
        if self.workers.waiting.len() >= WAITING {
            self.workers.counts.refused += 1;
            let _ = job.answer.send(Answer::NotMade { why: Cannot::Busy });
            return;
        }
        self.workers.waiting.push_back(job);
        self.start_workers();
    }

    /// The processes that are at work now.
    pub(crate) fn working(&self) -> Vec<u32> {
        self.workers.running.iter().map(|worker| worker.process.pid).collect()
    }

    fn start_workers(&mut self) {
        while self.workers.running.len() < self.config.workers.at_once && !self.stopping {
            let Some(job) = self.workers.waiting.pop_front() else { return };
            // Nobody waits for it any more.
            if job.answer.is_closed() {
                continue;
            }
            self.start_worker(job);
        }
    }

    fn start_worker(&mut self, job: Job) {
        self.next += 1;
        self.workers.jobs += 1;
        let instance = self.next;
        let limits = self.config.workers;
        let taken = |place: &usize| self.workers.running.iter().any(|w| w.place == *place);
        let place = (0..limits.at_once).find(|place| !taken(place)).unwrap_or_default();
        let home = self.folder.empty();
        let birth = Birth {
            name: format!("worker-{place}"),
            arguments: vec!["worker-process".to_owned()],
            given: Given {
                uid: self.folder.uids().map(|uids| uids.worker(self.workers.jobs)),
                memory: limits.memory,
                processes: 1,
                job: Some(ForJob { cpu_s: limits.cpu_s, output: OUTPUT }),
            },
            home: &home,
            config: &self.config,
            groups: self.groups.as_ref(),
        };
        let ears =
            Ears { heard: Event::Worker, ended: Event::WorkerEnded, events: self.events.clone() };
        let process = match Process::start(&self.folder, birth, instance, ears) {
            Ok(process) => process,
            Err(error) => {
                tracing::error!(%error, "a worker can't be started");
                self.workers.counts.killed += 1;
                return drop(job.answer.send(Answer::NotMade { why: Cannot::Stopped }));
            }
        };
        let header = ToWorker::Do { task: job.task, bounds: bounds(limits) };
        process.tell(header, vec![job.input, job.output]);
        let events = self.events.clone();
        let time = Duration::from_secs(limits.cpu_s.saturating_mul(WALL_CLOCK));
        let clock = spawn_local(async move {
            tokio::time::sleep(time).await;
            let _ = events.send(Event::WorkerLate(instance));
        });
        let (clock, answer) = (clock.abort_handle(), Some(job.answer));
        self.workers.running.push(Worker { process, place, answer, late: false, clock });
    }

    fn worker(&mut self, instance: u64) -> Option<&mut Worker> {
        self.workers.running.iter_mut().find(|worker| worker.process.instance == instance)
    }

    pub(super) fn hear_worker(&mut self, instance: u64, said: FromWorker) {
        let Some(worker) = self.worker(instance) else { return };
        // It is of no more use, whatever it still does.
        worker.process.kill();
        let Some(answer) = worker.answer.take() else { return };
        let counts = &mut self.workers.counts;
        let said = match said {
            FromWorker::Done(made) => {
                counts.done += 1;
                Answer::Made { made }
            }
            FromWorker::Failed(why) => {
                counts.failed += 1;
                Answer::NotMade { why }
            }
        };
        let _ = answer.send(said);
    }

    /// Its time by the clock is over.
    pub(super) fn worker_late(&mut self, instance: u64) {
        let Some(worker) = self.worker(instance) else { return };
        worker.late = true;
        worker.process.kill();
    }

    pub(super) fn worker_ended(&mut self, instance: u64, end: End) {
        let ended = |worker: &Worker| worker.process.instance == instance;
        let Some(at) = self.workers.running.iter().position(ended) else { return };
        let worker = self.workers.running.swap_remove(at);
        worker.clock.abort();
        if end == End::Walled {
            self.walled("worker");
        }
        if let Some(answer) = worker.answer {
            self.workers.counts.killed += 1;
            let late = worker.late || end == End::Spent;
            let why = if late { Cannot::TooSlow } else { Cannot::Stopped };
            let _ = answer.send(Answer::NotMade { why });
        }
        self.start_workers();
    }
}

/// What one job may take and give.
fn bounds(limits: WorkerLimits) -> Bounds {
    // A picture takes three or four bytes a pixel, and as much again while it is read and turned.
    Bounds { input: limits.memory / 4, output: OUTPUT, pixels: limits.memory / 8 }
}

/// Jobs that may wait; whoever comes then is told so at once.
const WAITING: usize = 32;
/// Bytes that a job may write.
const OUTPUT: u64 = 16 << 20;
/// How much longer a job may take than it may use of the processor: others use that too.
const WALL_CLOCK: u64 = 3;
