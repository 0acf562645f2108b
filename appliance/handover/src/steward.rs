//! What the executor asks of `steward`, the root helper of a machine that is all ours, and its answers.
//!
//! Fixed verbs: nothing here names a path, a command or a device.

use serde::{Deserialize, Serialize};

use crate::Number;

/// From the executor to steward.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
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
