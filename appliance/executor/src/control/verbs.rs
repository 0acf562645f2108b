//! What may be asked of a node, and what it answers: words only. **To add a verb**: a variant here, its
//! `true` or `false` in [`Verb::at_console`], its arm in `Node::verb`.

use std::path::PathBuf;

use handover::{Cannot, Connection, Made, NoConnection, PackageAct, Refusal, Task};
use serde::{Deserialize, Serialize};

use crate::lan::Network;
use crate::node::Quotas;
use crate::screen::{Screen, Style};
use crate::service::Started;

/// What may be asked.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Give the node another name in the home's network.
    CallNode {
        /// The name.
        name: String,
    },
    /// Connect the machine to the home's network like this.
    Connect {
        /// How.
        connection: Connection,
    },
    /// Make a twin.
    Create {
        /// Its name.
        name: String,
    },
    /// What the processor counted of energy.
    Energy,
    /// Do something with the package of an experience. +fd the package, open to read and to write.
    Experience {
        /// The twin's name.
        name: String,
        /// What to do.
        act: PackageAct,
    },
    /// What is wrong with the node.
    Health,
    /// All twins.
    List,
    /// A new token for the node's metrics.
    MetricsToken,
    /// How the node is found in the home's network.
    Network,
    /// Who has a twin, and where.
    People,
    /// A one-time pairing address for a twin without devices.
    Pair {
        /// Its name.
        name: String,
    },
    /// Write an export, then remove the twin and its data.
    Remove {
        /// Its name; the asker has made sure that this is meant.
        name: String,
    },
    /// Do what was offered for a problem of the node.
    Repair {
        /// The problem's name.
        problem: String,
        /// Which of several.
        about: String,
        /// What was offered.
        repair: String,
    },
    /// Give a twin another name.
    Rename {
        /// Its name.
        name: String,
        /// Its new name.
        to: String,
    },
    /// What the machine's own screen shows; answered as soon as that is another than this.
    Screen {
        /// The number of what is shown already; 0: nothing.
        known: u64,
    },
    /// How the machine's own screen shows it.
    SetScreen {
        /// Language and keyboard.
        style: Style,
    },
    /// The processes and the address.
    Status,
    /// Something about the machine's own system, where it came from an image. To apply one: +fd the
    /// bundle, or none for the one on a stick.
    Update {
        /// What.
        what: Update,
    },
    /// Replay a twin's journal and compare.
    Verify {
        /// Its name.
        name: String,
    },
    /// A new one-time address for the first person, while there is none.
    Welcome,
    /// Make something of a foreign file, in a worker. +fd the file, open to read; +fd an empty one,
    /// open to write.
    Work {
        /// What to make.
        task: Task,
    },
}

/// What can be done about the machine's own system.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// Say what is there.
    Status,
    /// Say how far it is, without asking who holds the disk.
    Progress,
    /// Write a new one to the slot that doesn't run.
    Apply,
    /// Look which one the mirror has.
    Check,
    /// Bring that, and write it to the slot that doesn't run.
    Get,
    /// Go back to the one in the other slot.
    RollBack,
    /// Start the machine again.
    Restart,
}

impl Verb {
    /// Whether who stands before the machine may ask this, without being anybody.
    #[must_use]
    pub fn at_console(&self) -> bool {
        match self {
            Self::CallNode { .. }
            | Self::Connect { .. }
            | Self::Health
            | Self::People
            | Self::Screen { .. }
            | Self::SetScreen { .. }
            | Self::Update { what: Update::Restart }
            | Self::Welcome => true,
            Self::Create { .. }
            | Self::Energy
            | Self::Experience { .. }
            | Self::List
            | Self::MetricsToken
            | Self::Network
            | Self::Pair { .. }
            | Self::Remove { .. }
            | Self::Repair { .. }
            | Self::Rename { .. }
            | Self::Status
            | Self::Update {
                what:
                    Update::Apply
                    | Update::Check
                    | Update::Get
                    | Update::Progress
                    | Update::RollBack
                    | Update::Status,
            }
            | Self::Verify { .. }
            | Self::Work { .. } => false,
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is done, and there is nothing more to say.
    Done,
    /// The twin is made.
    Created {
        /// Where it is served.
        address: String,
    },
    /// The journal and the tables differ.
    Differs {
        /// Where.
        text: String,
    },
    /// What the processor counted of energy. The class is `measured-cpu`; its error is not known.
    Energy {
        /// None where the machine has none.
        counters: Vec<handover::EnergyCounter>,
    },
    /// It was done with the package of an experience.
    Experience {
        /// Its name and version.
        text: String,
    },
    /// It went wrong inside; the text is for the operator.
    Failed {
        /// What happened.
        text: String,
    },
    /// What is wrong with the node.
    Health {
        /// The most pressing first.
        troubles: Vec<handover::Trouble>,
    },
    /// All twins.
    List {
        /// In the order in which they were made.
        twins: Vec<Listed>,
    },
    /// Who has a twin.
    People {
        /// In the order in which they were made.
        people: Vec<Known>,
    },
    /// It is made and in its file. Whoever uses it believes it no more than what it was made of.
    Made {
        /// What.
        made: Made,
    },
    /// The new token for the node's metrics.
    MetricsToken {
        /// Shown once.
        token: String,
    },
    /// This version runs when the machine is started the next time.
    Next {
        /// Which.
        version: String,
    },
    /// A new system won't be used, or the slots stay as they are.
    NotUpdated {
        /// The reason's name in message files.
        why: String,
        /// The reason, for an operator.
        text: String,
    },
    /// How the node is found in the home's network.
    Network {
        /// All of it.
        network: Network,
    },
    /// A machine can't be connected like this.
    NotConnected {
        /// Why.
        why: NoConnection,
    },
    /// Nothing was made of a foreign file.
    NotMade {
        /// Why.
        why: Cannot,
    },
    /// A twin did not take the package of an experience.
    NotTaken {
        /// The code of why, and a line `name=value` for each thing that fills its sentences.
        code: String,
    },
    /// This machine has no helper for what only root may do.
    NoSteward,
    /// The one-time address.
    Pair {
        /// With the code in its fragment.
        url: String,
        /// Whether it can be opened from another device.
        elsewhere: bool,
    },
    /// No, for this reason.
    Refused {
        /// Which.
        refusal: Refusal,
    },
    /// The twin is gone.
    Removed {
        /// What it kept, in plain text.
        export: PathBuf,
    },
    /// What was offered is done.
    Repaired,
    /// The machine ends everything and starts again.
    Restarting,
    /// This is on the mirror.
    There {
        /// The newest system there.
        there: handover::There,
    },
    /// What is in the disk's slots.
    Slots {
        /// The two systems.
        slots: handover::Slots,
        /// How far a new one is that is just being written.
        progress: Option<handover::Progress>,
    },
    /// How far a new system is that is just being brought or written, if one is.
    Progress {
        /// That.
        progress: Option<handover::Progress>,
    },
    /// The twin has its new name.
    Renamed {
        /// Where it is served now.
        address: String,
    },
    /// What the machine's own screen shows.
    Screen {
        /// All of it.
        screen: Screen,
    },
    /// The node's processes.
    Status {
        /// Process id of the executor.
        executor: u32,
        /// Process id of the gateway.
        gateway: Option<u32>,
        /// Where the node listens.
        listen: std::net::SocketAddr,
        /// Who started it, and how.
        started: Started,
        /// Process ids of workers that are at a job.
        workers: Vec<u32>,
        /// Whether the kernel keeps twins within their room.
        quotas: Quotas,
    },
    /// The journal and the tables agree.
    Verified {
        /// How many entries were replayed.
        entries: u64,
    },
}

/// A twin as everybody in the room may know it: not whether its person uses it just now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Where it is served.
    pub address: String,
    /// SHA-256 of its certificate, where TLS is spoken and it has run before.
    pub fingerprint: Option<String>,
}

/// One twin in a list.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Listed {
    /// Its number.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its twin id in hex, known after its first start.
    pub id: Option<String>,
    /// Where it is served.
    pub address: String,
    /// SHA-256 of its certificate, where TLS is spoken and it has run before.
    pub fingerprint: Option<String>,
    /// Whether its person may change the node.
    pub owner: bool,
    /// Whether it runs now.
    pub awake: bool,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// How often it was started since the node was.
    pub starts: u32,
    /// How often its wall ended it since the node was started.
    pub walled: u32,
    /// Its folder.
    pub folder: PathBuf,
}
