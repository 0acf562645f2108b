//! Who a shut-in process is and how much it may use: uid, capabilities, limits, its parent.
//!
//! Only ever gives rights up.

use rustix::process::{
    DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::Error;

/// What the executor gives one child, in the words of its command line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Given {
    /// Its own uid and gid; `None` where the node's user has no other.
    pub uid: Option<u32>,
    /// Bytes of memory it may fill with its own things; what it maps of its files is not among them.
    pub memory: u64,
    /// Threads and processes its uid may have; counts only with a uid of its own.
    pub processes: u64,
    /// What ends with one job may use no more than this.
    pub job: Option<ForJob>,
}

/// What one job may use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ForJob {
    /// Seconds of the processor.
    pub cpu_s: u64,
    /// Bytes of the file that it writes.
    pub output: u64,
}

impl Given {
    /// The words that [`Given::read`] reads.
    #[must_use]
    pub fn words(self) -> Vec<String> {
        let mut words =
            vec![format!("memory={}", self.memory), format!("processes={}", self.processes)];
        words.extend(self.uid.map(|uid| format!("uid={uid}")));
        if let Some(job) = self.job {
            words.extend([format!("cpu_s={}", job.cpu_s), format!("output={}", job.output)]);
        }
        words
    }

    /// Reads what an executor wrote; `None` for anything else.
    #[must_use]
    pub fn read<'a>(words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let (mut uid, mut memory, mut processes) = (None, None, None);
        let (mut cpu_s, mut output) = (None, None);
        for word in words {
            let (key, value) = word.split_once('=')?;
            match key {
                "memory" => memory = Some(value.parse().ok()?),
                "processes" => processes = Some(value.parse().ok()?),
                "cpu_s" => cpu_s = Some(value.parse().ok()?),
                "output" => output = Some(value.parse().ok()?),
                "uid" => uid = Some(value.parse().ok().filter(|uid| *uid > 0)?),
                _ => return None,
            }
        }
        let job = match (cpu_s, output) {
            (Some(cpu_s), Some(output)) => Some(ForJob { cpu_s, output }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return None,
        };
        Some(Self { uid, memory: memory?, processes: processes?, job })
    }
}

/// Takes its own uid and gives up every capability, also those that a change of uid would leave.
pub(super) fn become_own(given: Given) -> Result<(), Error> {
    if let Some(uid) = given.uid {
        // Nothing of the host is below this root, and no path leads past it. What is open stays open.
        rustix::process::chroot(".").map_err(Error::at("the own folder as root"))?;
        rustix::process::chdir("/").map_err(Error::at("the own folder as root"))?;
        bound(CapabilitySet::empty());
        let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
        set_thread_groups(&[]).map_err(Error::at("no groups"))?;
        set_thread_res_gid(group, group, group).map_err(Error::at("the own group"))?;
        set_thread_res_uid(user, user, user).map_err(Error::at("the own user"))?;
    }
    keep(CapabilitySet::empty())
}

/// What systemd started for one conversation, with one thread: of its capabilities it keeps these, and
/// it gains nothing any more.
pub(super) fn of_system(kept: CapabilitySet, memory: u64, descriptors: u64) -> Result<(), Error> {
    bound(kept);
    keep(kept)?;
    limit(Given { uid: None, memory, processes: 1, job: None }, descriptors)?;
    set_no_new_privs(true).map_err(Error::at("no new privileges"))
}

/// Gives up every capability but these.
fn keep(kept: CapabilitySet) -> Result<(), Error> {
    let has = capabilities(None).map_err(Error::at("capabilities"))?;
    clear_ambient_capability_set().map_err(Error::at("no ambient capabilities"))?;
    let sets = CapabilitySets {
        effective: has.effective & kept,
        permitted: has.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(Error::at("no capabilities"))
}

/// Takes all but these from what this process and its children can ever have.
pub(super) fn bound(kept: CapabilitySet) {
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        // Ends at the first that this kernel doesn't know; without the right to, they stay, and
        // no_new_privs keeps them from ever being gained.
        if !kept.contains(one) && remove_capability_from_bounding_set(one).is_err() {
            break;
        }
    }
}

/// Sets what it may use at most, without a way to raise it again.
pub(super) fn limit(given: Given, descriptors: u64) -> Result<(), Error> {
    let limits = [
        // Secrets are in its memory: never on the disk.
        (Resource::Core, 0),
        (Resource::Data, given.memory),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
        (Resource::Nofile, descriptors),
        (Resource::Sigpending, 256),
    ];
    // Counted per uid: with the node's own it would count everything that its person runs.
    let own = given.uid.map(|_| (Resource::Nproc, given.processes));
    for (resource, most) in limits.into_iter().chain(own) {
        set_limit(resource, most, most)?;
    }
    if let Some(job) = given.job {
        // The first ends it by a signal that says why, the second in any case.
        set_limit(Resource::Cpu, job.cpu_s, job.cpu_s + 1)?;
        set_limit(Resource::Fsize, job.output, job.output)?;
        // A picture can wait; what people wait for goes first. Where it can't be set it isn't needed.
        let _ = rustix::process::nice(NICE);
    }
    Ok(())
}

fn set_limit(resource: Resource, current: u64, maximum: u64) -> Result<(), Error> {
    let before = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Rlimit { current: Some(current.min(before)), maximum: Some(maximum.min(before)) };
    setrlimit(resource, limit).map_err(Error::at("limits"))
}

/// How far a job stands back when there is not enough of the processor for all.
const NICE: i32 = 10;

/// Can gain nothing by starting a program, can't be looked into, and dies with the executor. After
/// the change of uid, which would undo the last. Had the executor died before this, its end of the
/// channel would be closed and the process would end by itself.
pub(super) fn bind_to_parent() -> Result<(), Error> {
    set_no_new_privs(true).map_err(Error::at("no new privileges"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(Error::at("not dumpable"))?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(Error::at("parent's death"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_written() {
        let job = Some(ForJob { cpu_s: 9, output: 1 << 20 });
        for (uid, job) in [(None, None), (Some(3_000_007), None), (None, job)] {
            let given = Given { uid, memory: 1 << 28, processes: 64, job };
            let words = given.words();
            assert_eq!(Given::read(words.iter().map(String::as_str)), Some(given));
        }
        for wrong in [
            "",
            "uid=0",
            "memory=1",
            "memory=1 processes=1 uid=0",
            "memory=1 processes=-1",
            "memory=1 processes=1 cpu_s=1",
        ] {
            assert_eq!(Given::read(wrong.split_whitespace()), None, "{wrong}");
        }
    }
}
