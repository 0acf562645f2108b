//! One child process: started from the main thread, spoken to over its standard input, reaped.
//!
//! A child gets no environment but how to log, no descriptor but the channel, the data folder's lock (as
//! its standard output) and standard error, and it dies with its parent. It is told nothing on its
//! command line but what it is and its number.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Instant;

use handover::Channel;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::spawn_local;

use crate::DataFolder;

/// A running child that understands headers of type `H`.
pub(crate) struct Process<H> {
    pub(crate) pid: u32,
    /// Tells this process from those before and after it.
    pub(crate) instance: u64,
    pub(crate) since: Instant,
    queue: UnboundedSender<(H, Vec<OwnedFd>)>,
    kill: Option<oneshot::Sender<()>>,
}

/// What becomes of a child: its headers, then its end, each exactly once and in this order.
pub(crate) struct Ears<R, E> {
    pub(crate) heard: fn(u64, R) -> E,
    pub(crate) ended: fn(u64, bool) -> E,
    pub(crate) events: UnboundedSender<E>,
}

impl<H: Serialize + 'static> Process<H> {
    /// Starts a child with these arguments.
    pub(crate) fn start<R, E>(
        folder: &DataFolder,
        arguments: &[&str],
        environment: &[(String, String)],
        instance: u64,
        ears: Ears<R, E>,
    ) -> io::Result<Self>
    where
        R: DeserializeOwned + 'static,
        E: 'static,
    {
        let (ours, theirs) = Channel::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("hometwin")
            .args(arguments)
            .env_clear()
            .env(ALLOCATOR.0, ALLOCATOR.1)
            .envs(environment.iter().cloned())
            // Ctrl-C is for the executor: it ends its children in order.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(folder.lock_for_child()?)
            .stderr(Stdio::inherit())
            .current_dir(folder.path())
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        // The command still holds our copy of the child's end.
        drop(command);
        let pid = child.id().unwrap_or_default();
        let channel = std::rc::Rc::new(Channel::from_fd(ours)?);
        let (queue, queued) = mpsc::unbounded_channel();
        let (kill, killed) = oneshot::channel();
        spawn_local(send(channel.clone(), queued));
        spawn_local(async move {
            let listening = spawn_local(listen(channel, instance, ears.heard, ears.events.clone()));
            let status = tokio::select! {
                status = child.wait() => status,
                Ok(()) = killed => {
                    let _ = child.start_kill();
                    child.wait().await
                }
            };
            let clean = status.is_ok_and(|status| {
                if let Some(signal) = status.signal() {
                    tracing::warn!(pid, signal, "a process was killed");
                }
                status.success()
            });
            // Everything it said before its end is heard first.
            let _ = listening.await;
            let _ = ears.events.send((ears.ended)(instance, clean));
        });
        Ok(Self { pid, instance, since: Instant::now(), queue, kill: Some(kill) })
    }

    /// Queues a header; what a dead child does not get is lost, its end tells so.
    pub(crate) fn tell(&self, header: H, descriptors: Vec<OwnedFd>) {
        let _ = self.queue.send((header, descriptors));
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(kill) = self.kill.take() {
            let _ = kill.send(());
        }
    }
}

async fn send<H: Serialize>(
    channel: std::rc::Rc<Channel>,
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
    channel: std::rc::Rc<Channel>,
    instance: u64,
    heard: fn(u64, R) -> E,
    events: UnboundedSender<E>,
) {
    loop {
        match channel.recv::<R>().await {
            Ok(Some((header, _))) => {
                let _ = events.send(heard(instance, header));
            }
            Ok(None) => return,
            Err(error) => {
                return tracing::error!(%error, instance, "a process can't be understood");
            }
        }
    }
}

/// LMDB allocates lists of 2 MiB of which it touches a few bytes. With the C library's usual growing
/// threshold they end up on the heap, are zeroed and stay resident in every awake twin (measured on
/// 2026-11-22: 3.1 MiB of private memory with it, 0.9 MiB without). A fixed threshold keeps them in
/// maps of their own, one arena spares the writer's thread its own heap (mallopt(3)).
const ALLOCATOR: (&str, &str) = (
    "GLIBC_TUNABLES",
    "glibc.malloc.mmap_threshold=131072:glibc.malloc.trim_threshold=131072:glibc.malloc.arena_max=1",
);
