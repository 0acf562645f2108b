//! One child process: started from the main thread, spoken to over its standard input, reaped.
//!
//! A child gets no environment but how to log, no descriptor but the channel, the data folder's lock (as
//! its standard output) and a pipe for its log, and it dies with its parent. It is told nothing on its
//! command line but what it is, its number and its limits. It shuts itself in before it reads its
//! first header, and does nothing before that: so it is also in its control group in time.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use handover::{Channel, Pace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinHandle, spawn_local};

use crate::groups::{Group, Groups};
use crate::walls::Given;
use crate::{Config, DataFolder, log};

/// A running child that understands headers of type `H`.
pub(crate) struct Process<H> {
    pub(crate) pid: u32,
    /// Tells this process from those before and after it.
    pub(crate) instance: u64,
    pub(crate) since: Instant,
    /// How often it may still say how it opened: once, and after a change of its name.
    pub(crate) may_say: u32,
    queue: UnboundedSender<(H, Vec<OwnedFd>)>,
    kill: Rc<Notify>,
}

/// What a child is born with.
pub(crate) struct Birth<'a> {
    /// What it is, as its control group and its log lines are named.
    pub(crate) name: String,
    /// The words that say so on its command line.
    pub(crate) arguments: Vec<String>,
    pub(crate) given: Given,
    /// The folder that is its whole world.
    pub(crate) home: &'a Path,
    pub(crate) config: &'a Config,
    pub(crate) groups: Option<&'a Groups>,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// As agreed.
    Clean,
    /// By itself or by somebody's signal.
    Failed,
    /// It had used up its memory.
    Memory,
    /// By the kernel: it used up its time of the processor.
    Spent,
    /// By its wall: it did what no program of the node ever does.
    Walled,
}

/// What becomes of a child: its headers, then its end, each exactly once and in this order.
pub(crate) struct Ears<R, E> {
    pub(crate) heard: fn(u64, R) -> E,
    pub(crate) ended: fn(u64, End) -> E,
    pub(crate) events: UnboundedSender<E>,
}

impl<H: Serialize + 'static> Process<H> {
    /// Starts a child with these arguments.
    pub(crate) fn start<R, E>(
        folder: &DataFolder,
        birth: Birth<'_>,
        instance: u64,
        ears: Ears<R, E>,
    ) -> io::Result<Self>
    where
        R: DeserializeOwned + 'static,
        E: 'static,
    {
        let (ours, theirs) = Channel::pair()?;
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("hometwin")
            .args(&birth.arguments)
            .args(birth.given.words())
            .env_clear()
            .env(ALLOCATOR.0, ALLOCATOR.1)
            .envs(birth.config.environment.iter().cloned())
            // Ctrl-C is for the executor: it ends its children in order.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(folder.lock_for_child()?)
            .stderr(Stdio::from(write))
            .current_dir(birth.home)
            .kill_on_drop(true);
        let child = command.spawn()?;
        // The command still holds our copies of the child's ends.
        drop(command);
        let pid = child.id().unwrap_or_default();
        let mut group = None;
        if let Some(groups) = birth.groups {
            let usual = birth.config.limits.cpu_weight;
            // What people wait for goes before a job.
            let weight = if birth.given.job.is_some() { usual.div_ceil(JOB) } else { usual };
            group = Some(groups.take_in(&birth.name, pid, birth.given, weight)?);
        }
        let log = spawn_local(log::follow(read, birth.name, birth.config.json_log));
        let channel = Rc::new(Channel::from_fd(ours)?);
        let (queue, queued) = mpsc::unbounded_channel();
        let kill = Rc::new(Notify::new());
        spawn_local(send(channel.clone(), queued));
        let life = Life { child, channel, kill: kill.clone(), log, group };
        spawn_local(follow(life, instance, ears));
        Ok(Self { pid, instance, since: Instant::now(), may_say: SAYS, queue, kill })
    }

    /// Queues a header; what a dead child does not get is lost, its end tells so.
    pub(crate) fn tell(&self, header: H, descriptors: Vec<OwnedFd>) {
        let _ = self.queue.send((header, descriptors));
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        self.kill.notify_one();
    }
}

/// What is followed to a child's end.
struct Life {
    child: Child,
    channel: Rc<Channel>,
    kill: Rc<Notify>,
    /// Answers whether the child's last words were that it got no memory.
    log: JoinHandle<bool>,
    group: Option<Group>,
}

/// Waits for its end, and hears everything it said before that.
async fn follow<R: DeserializeOwned + 'static, E: 'static>(
    life: Life,
    instance: u64,
    ears: Ears<R, E>,
) {
    let Life { mut child, channel, kill, log, group } = life;
    let events = ears.events.clone();
    let mut listening = spawn_local(listen(channel, kill.clone(), instance, ears.heard, events));
    let mut killed = false;
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.notified() => {
            killed = true;
            let _ = child.start_kill();
            child.wait().await
        }
    };
    // Its end of the channel may live on where it was passed to: nobody waits for that.
    if tokio::time::timeout(HEARD_WITHIN, &mut listening).await.is_err() {
        listening.abort();
    }
    let end = match status {
        Ok(status) if status.success() => End::Clean,
        Ok(status) if status.signal() == Some(libc::SIGSYS) => End::Walled,
        Ok(status) if status.signal() == Some(libc::SIGXCPU) => End::Spent,
        // Its own allocator gives up at its limit, and the kernel at that of its group.
        Ok(status) if status.signal() == Some(libc::SIGABRT) && got_no_memory(log).await => {
            End::Memory
        }
        Ok(_) if !killed && group.is_some_and(|group| group.ran_out()) => End::Memory,
        Ok(status) => {
            // Who has it ended says why.
            if let Some(signal) = status.signal().filter(|_| !killed) {
                tracing::warn!(instance, signal, "a process was killed");
            }
            End::Failed
        }
        Err(_) => End::Failed,
    };
    let _ = ears.events.send((ears.ended)(instance, end));
}

/// Its log may live on where its end was passed to: nobody waits for that either.
async fn got_no_memory(log: JoinHandle<bool>) -> bool {
    matches!(tokio::time::timeout(HEARD_WITHIN, log).await, Ok(Ok(true)))
}

async fn send<H: Serialize>(
    channel: Rc<Channel>,
    mut queued: UnboundedReceiver<(H, Vec<OwnedFd>)>,
) {
    while let Some((header, descriptors)) = queued.recv().await {
        let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
        if channel.send(&header, &borrowed).await.is_err() {
            return;
        }
    }
}

async fn listen<R: DeserializeOwned, E>(
    channel: Rc<Channel>,
    kill: Rc<Notify>,
    instance: u64,
    heard: fn(u64, R) -> E,
    events: UnboundedSender<E>,
) {
    let mut pace = Pace::new(HEADERS_A_SECOND);
    loop {
        match channel.recv::<R>().await {
            Ok(Some((header, _))) => {
                let _ = events.send(heard(instance, header));
            }
            Ok(None) => return,
            Err(error) => {
                // It would go on without anybody hearing it.
                tracing::error!(%error, instance, "a process can't be understood and is ended");
                return kill.notify_one();
            }
        }
        // Who says too much waits, in its own queue, and keeps nobody else waiting.
        pace.keep().await;
    }
}

/// A job's share of the processor is so many times smaller than a twin's, when there is not enough.
const JOB: u64 = 5;
/// How many headers of one process are heard in a second.
const HEADERS_A_SECOND: u32 = 500;
/// How often a process may say how it opened; nobody is renamed more often while awake.
const SAYS: u32 = 100;
/// How long the last words of a dead process may take.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// LMDB allocates lists of 2 MiB of which it touches a few bytes. With the C library's usual growing
/// threshold they end up on the heap, are zeroed and stay resident in every awake twin (measured on
/// 2026-11-22: 3.1 MiB of private memory with it, 0.9 MiB without). A fixed threshold keeps them in
/// maps of their own, one arena spares the writer's thread its own heap (mallopt(3)).
const ALLOCATOR: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072:glibc.malloc.arena_max=1",
);
