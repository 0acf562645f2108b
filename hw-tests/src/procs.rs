//! What `/proc` tells about the product's processes, and signals to them.
//!
//! Only ever touches processes that descend from one the harness started.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::{Error, Result, until};

/// One process, known by its number and its start time, so that a reused number is no match.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Process {
    pid: i32,
    started: u64,
}

/// What a process of the product is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// `hometwin run`.
    Executor,
    /// `hometwin gateway-process`.
    Gateway,
    /// Something else, such as a browser's helper.
    Other,
    /// `hometwin twin-process`.
    Twin,
}

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Proportional: shared pages are divided by their users.
    pub pss: u64,
    /// Unique: pages that nobody else maps.
    pub uss: u64,
}

impl Process {
    /// The process with this number.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(pid: u32) -> Result<Self> {
        let pid = i32::try_from(pid)?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let started = field(&stat, 22)?.parse()?;
        Ok(Self { pid, started })
    }

    /// Its number.
    #[must_use]
    pub fn pid(self) -> i32 {
        self.pid
    }

    /// Whether it runs; one that has exited and is not reaped yet doesn't.
    #[must_use]
    pub fn alive(self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        let same = field(&stat, 22).is_ok_and(|text| text.parse() == Ok(self.started));
        same && !matches!(field(&stat, 3), Ok("Z" | "X"))
    }

    /// What the kernel says of it under `key` in `/proc/PID/status` (proc(5)); empty when it is gone.
    #[must_use]
    pub fn status(self, key: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_start_matches(':').trim().to_owned()
    }

    /// What it is, by its first argument.
    #[must_use]
    pub fn role(self) -> Role {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        match line.split(|byte| *byte == 0).nth(1) {
            Some(b"run") => Role::Executor,
            Some(b"gateway-process") => Role::Gateway,
            Some(b"twin-process") => Role::Twin,
            _ => Role::Other,
        }
    }

    /// Processes that it started, and what these started.
    #[must_use]
    pub fn descendants(self) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut parents = vec![self.pid];
        let all: Vec<(i32, Self)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid: u32| Some((parent(pid)?, Self::of(pid).ok()?)))
            .collect();
        while let Some(parent) = parents.pop() {
            for (_, child) in all.iter().filter(|(of, _)| *of == parent) {
                found.push(*child);
                parents.push(child.pid);
            }
        }
        found
    }

    /// Sends a signal; a process that is gone is no error.
    pub fn signal(self, signal: Signal) {
        if self.alive()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            let _ = kill_process(pid, signal);
        }
    }

    /// `kill -9`, and waits until it's gone.
    ///
    /// # Errors
    /// If it's still there after some seconds.
    pub fn kill(self) -> Result<()> {
        self.signal(Signal::KILL);
        until("a killed process to be gone", Duration::from_secs(10), || {
            Ok((!self.alive()).then_some(()))
        })
    }

    /// How often it went to sleep by itself so far: every one of them needed a wake-up.
    ///
    /// # Errors
    /// If it's gone.
    pub fn wake_ups(self) -> Result<u64> {
        let counts = self.of_threads("status")?;
        counts.iter().map(|status| number(status, "voluntary_ctxt_switches:")).sum()
    }

    /// Processor time it used so far, over all its threads that still run.
    ///
    /// # Errors
    /// If it's gone.
    pub fn cpu(self) -> Result<Duration> {
        let mut sum = 0;
        for stat in self.of_threads("schedstat")? {
            sum += stat.split_whitespace().next().unwrap_or("0").parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// What the kernel says of each of its threads; one that ends meanwhile is left out.
    fn of_threads(self, file: &str) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            match fs::read_to_string(task?.path().join(file)) {
                Ok(text) => found.push(text),
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if found.is_empty() { Err("the process is gone".into()) } else { Ok(found) }
    }

    /// Memory in use.
    ///
    /// # Errors
    /// If it's gone.
    pub fn memory(self) -> Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid))?;
        let kib = |key: &str| number(&text, key);
        Ok(Memory {
            pss: kib("Pss:")? * 1024,
            uss: (kib("Private_Clean:")? + kib("Private_Dirty:")?) * 1024,
        })
    }

    /// Bytes it made the kernel write to storage so far.
    ///
    /// # Errors
    /// If it's gone.
    pub fn written(self) -> Result<u64> {
        number(&fs::read_to_string(format!("/proc/{}/io", self.pid))?, "write_bytes:")
    }

    /// Where its open descriptors lead.
    ///
    /// # Errors
    /// If it's gone.
    pub fn open_files(self) -> Result<Vec<String>> {
        let mut open = Vec::new();
        for entry in fs::read_dir(format!("/proc/{}/fd", self.pid))? {
            // A descriptor may be closed between the listing and the look.
            if let Ok(target) = fs::read_link(entry?.path()) {
                open.push(target.to_string_lossy().into_owned());
            }
        }
        Ok(open)
    }

    /// Whether these bytes stand anywhere in its writable memory.
    ///
    /// # Errors
    /// If its memory can't be read at all.
    pub fn remembers(self, needle: &[u8]) -> Result<bool> {
        use std::os::unix::fs::FileExt;
        let memory = fs::File::open(format!("/proc/{}/mem", self.pid))?;
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.pid))?;
        let mut read = 0;
        for (from, to) in maps.lines().filter_map(writable) {
            let mut bytes = vec![0; usize::try_from(to - from)?];
            // Guard pages and device maps can't be read; nobody can keep text there either.
            let Ok(()) = memory.read_exact_at(&mut bytes, from) else {
                continue;
            };
            read += bytes.len();
            if bytes.windows(needle.len()).any(|window| window == needle) {
                return Ok(true);
            }
        }
        if read == 0 {
            return Err("no memory of the process could be read".into());
        }
        Ok(false)
    }
}

/// Which of the two it is depends on when the thread ended.
fn is_gone(error: &std::io::Error) -> bool {
    let code = error.raw_os_error();
    [rustix::io::Errno::NOENT, rustix::io::Errno::SRCH]
        .iter()
        .any(|e| Some(e.raw_os_error()) == code)
}

/// Address range of a map that can be written to.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut parts = line.split_whitespace();
    let (from, to) = parts.next()?.split_once('-')?;
    let rights = parts.next()?;
    let range = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
    (rights.starts_with("rw") && range.1 - range.0 < 1 << 30).then_some(range)
}

fn parent(pid: u32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    field(&stat, 4).ok()?.parse().ok()
}

/// Counted from 1 as in proc(5); the second may hold spaces and stands in brackets.
fn field(stat: &str, number: usize) -> Result<&str> {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let found = rest.split_whitespace().nth(number - 3);
    found.ok_or_else(|| Error::from("a process's stat line is too short"))
}

fn number(text: &str, key: &str) -> Result<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(key));
    let rest = lines.next().ok_or_else(|| format!("no {key} in /proc"))?;
    Ok(rest.split_whitespace().next().unwrap_or_default().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_has_memory() {
        let me = Process::of(std::process::id()).unwrap();
        assert!(me.alive());
        assert!(me.memory().unwrap().pss > 0);
        assert!(me.open_files().unwrap().len() >= 3);
        me.wake_ups().unwrap();
        me.cpu().unwrap();
    }

    #[test]
    fn threads_that_end_meanwhile_are_no_failure() {
        let me = Process::of(std::process::id()).unwrap();
        let ending = std::thread::spawn(|| {
            (0..2_000).for_each(|_| std::thread::spawn(|| {}).join().unwrap());
        });
        while !ending.is_finished() {
            me.wake_ups().unwrap();
            me.cpu().unwrap();
        }
    }

    #[test]
    fn a_child_is_found_and_a_killed_one_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let me = Process::of(std::process::id()).unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(me.descendants().contains(&process));
        process.kill().unwrap();
        assert!(!process.alive());
        child.wait().unwrap();
    }

    #[test]
    fn a_text_in_memory_is_found() {
        let mut mark = b"a mark that stands in memory ".to_vec();
        mark.extend(std::process::id().to_string().bytes());
        let me = Process::of(std::process::id()).unwrap();
        match me.remembers(&mark) {
            Ok(found) => assert!(found),
            Err(error) => crate::skip("a_text_in_memory_is_found", &error.to_string()),
        }
    }
}
