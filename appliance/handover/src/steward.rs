//! What the executor asks of `steward`, the root helper of a machine that is all ours, and its answers.
//! There are two of them: one for twins' rooms and counters, one for the slots of the disk.
//!
//! Fixed verbs: nothing here names a path, a command or a device.

use serde::{Deserialize, Serialize};

use crate::{Connection, Number};

/// From the executor to steward.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ToSteward {
    /// Read the processor's counters of energy.
    ReadEnergy,
    /// Let a twin's folder hold so much and no more.
    SetQuota {
        /// Whose.
        twin: Number,
        /// Bytes; 0 takes the limit away.
        bytes: u64,
    },
    /// What is in the disk's slots.
    Slots,
    /// Write a new system to the slot that doesn't run, and say how far it is meanwhile. +fd the
    /// bundle, or none: the first stick that has one.
    WriteSlot,
    /// The running system has proved itself.
    Bless,
    /// From the next start on the other slot's system runs.
    RollBack,
    /// Start the machine again.
    Reboot,
    /// Connect the machine like this from now on.
    SetNetwork {
        /// How.
        connection: Connection,
    },
}

/// From steward to the executor: one for each request, in order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum FromSteward {
    /// It is done.
    Done,
    /// The counters, [`COUNTERS_MAX`] at most; none where the machine has none.
    Energy(Vec<EnergyCounter>),
    /// It went wrong.
    Failed {
        /// Why, for an operator.
        text: String,
    },
    /// This machine or its file system can't.
    Unsupported,
    /// What is in the slots.
    Slots(Slots),
    /// How far a new system is; more answers follow.
    Progress(Progress),
    /// A new system won't be used, or the slots won't be changed. Nothing that runs was touched.
    Refused {
        /// The reason's name in message files.
        why: String,
        /// The reason, for an operator.
        text: String,
    },
    /// This version runs from the next start on.
    Next {
        /// Which.
        version: String,
    },
}

/// What is in the two slots of a disk.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Slots {
    /// The running system's version.
    pub running: String,
    /// Whether it has still to prove itself.
    pub on_trial: bool,
    /// The version in the other slot, and whether it may be started: it may not when it failed.
    pub other: Option<(String, bool)>,
    /// The version that runs from the next start on.
    pub next: String,
}

/// How far a new system is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Of this step.
    pub percent: u8,
}

/// What is done with a new system, one after the other.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// It comes over the network.
    Fetch,
    /// It is compared with what was signed.
    Check,
    /// It is written to the disk.
    Write,
    /// It is read back from there.
    ReadBack,
}

/// One counter: it only grows, until it starts again at 0.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnergyCounter {
    /// The part of the machine, as its driver calls it: `package-0`, `dram`.
    pub name: String,
    /// Microjoules since some moment.
    pub microjoules: u64,
    /// The largest number before it starts again.
    pub wraps_after: u64,
}

/// The most counters of one answer.
pub const COUNTERS_MAX: usize = 32;
