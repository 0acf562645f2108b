//! The command line: what was typed ([`Typed`]), and what it means ([`Arguments`]).
//!
//! Nothing here reads a file or decides anything for the node.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use executor::control::Update;
use handover::{Connection, Fixed, NoConnection, Task};
use lexopt::ValueExt;
use lexopt::prelude::{Long, Short, Value};

use crate::logging::Logging;

/// A whole command line.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) logging: Logging,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// The machine's own screen; with the data folder of a node that has no console socket.
    Console(Option<PathBuf>),
    Doctor(Doctor),
    Experience(Experience),
    /// Started by the service manager only, for one connection.
    Fetcher,
    /// Started by the executor only, with what it is given.
    Gateway(Vec<String>),
    Help,
    /// Started by the service manager only, before anything is mounted.
    OpenData,
    Run(Box<Run>),
    /// Whether this start was a good one; for the service manager.
    Gate(Option<PathBuf>),
    /// Started by the service manager only, for one connection; with the node's data folder, and
    /// whether it is the one that holds the disk.
    Steward(PathBuf, bool),
    /// Started by the executor only, with what it is given.
    Twin(Vec<String>),
    Update(Change),
    Verb(Verb),
    Version,
    Work(Work),
    /// Started by the executor only, with what it is given.
    Worker(Vec<String>),
}

/// `hometwin run`.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) data: Option<PathBuf>,
    pub(crate) ephemeral: bool,
    pub(crate) experiences: Vec<PathBuf>,
    pub(crate) json: bool,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) people: Vec<String>,
    /// `Some(None)` is "never".
    pub(crate) sleep_after: Option<Option<Duration>>,
    /// Experiences may be shown in the place of installed ones: `hometwin experience dev`.
    pub(crate) tries: bool,
    pub(crate) zone: Option<String>,
}

/// `hometwin node doctor`.
#[derive(Debug)]
pub(crate) struct Doctor {
    pub(crate) data: Option<PathBuf>,
    pub(crate) json: bool,
}

/// `hometwin experience ...`.
#[derive(Debug)]
pub(crate) struct Experience {
    pub(crate) data: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) what: ExperienceVerb,
}

/// What to do with an experience.
#[derive(Debug)]
pub(crate) enum ExperienceVerb {
    Check {
        folder: PathBuf,
    },
    Dev {
        folder: PathBuf,
    },
    /// A package, or a folder that is packed first.
    Install {
        package: PathBuf,
        twin: String,
    },
    New {
        folder: PathBuf,
    },
    /// Signed by this twin.
    Pack {
        folder: PathBuf,
        twin: String,
        out: Option<PathBuf>,
    },
}

/// A verb for the node that runs on a data folder, or for the folder itself.
#[derive(Debug)]
pub(crate) struct Verb {
    pub(crate) data: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) what: What,
}

/// `hometwin update ...`
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) data: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) what: Update,
    /// The bundle; without one, sticks are looked at.
    pub(crate) file: Option<PathBuf>,
    /// Start the machine again when it's done.
    pub(crate) restart: bool,
}

/// `hometwin preview FILE` and `hometwin text FILE`.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) data: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) file: PathBuf,
    /// Where the result goes; a text without it is shown.
    pub(crate) out: Option<PathBuf>,
    pub(crate) task: Task,
}

/// Which verb.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// Give the node another name in the home's network.
    CallNode {
        name: String,
    },
    /// Connect the machine like this.
    Connect(Connection),
    Create {
        name: String,
    },
    /// What the processor counted of energy.
    Energy,
    /// What is wrong with the node.
    Health,
    List,
    MetricsToken,
    /// How the node is found in the home's network.
    Network,
    Pair {
        name: String,
    },
    /// `confirm` is the name, said a second time; asked on the terminal when it is missing.
    Remove {
        name: String,
        confirm: Option<String>,
    },
    Rename {
        name: String,
        to: String,
    },
    /// Do what `node health` offers.
    Repair {
        problem: String,
        about: String,
        repair: String,
    },
    Status,
    Verify {
        name: String,
    },
}

impl What {
    fn repair(problem: &str, about: &str, repair: &str) -> Self {
        let [problem, about, repair] = [problem, about, repair].map(str::to_owned);
        Self::Repair { problem, about, repair }
    }
}

impl Arguments {
    /// Reads a command line.
    pub(crate) fn read(parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let typed = Typed::read(parser)?;
        let logging = typed.logging;
        let words: Vec<&str> = typed.words.iter().map(String::as_str).collect();
        let command = match words[..] {
            _ if typed.help => Command::Help,
            _ if typed.version => Command::Version,
            [] | ["run"] => Command::Run(Box::new(typed.run())),
            ["help"] => Command::Help,
            ["open-data"] => Command::OpenData,
            ["console"] => Command::Console(typed.data.clone()),
            ["gateway-process", ref given @ ..] => Command::Gateway(owned(given)),
            ["worker-process", ref given @ ..] => Command::Worker(owned(given)),
            ["preview", file] => {
                // A picture goes to a file: nobody wants its bytes on a terminal.
                let out = typed.out.clone().ok_or(missing("--out FILE"))?;
                let task = Task::Preview { side: typed.size.unwrap_or(SIZE) };
                Command::Work(typed.work(file, Some(out), task))
            }
            ["text", file] => Command::Work(typed.work(file, typed.out.clone(), Task::Text)),
            ["preview" | "text"] => return Err(missing("FILE")),
            ["experience", verb, path] => Command::Experience(typed.experience(verb, path)?),
            ["experience", ..] => return Err(missing("FOLDER")),
            ["node", "doctor"] => {
                Command::Doctor(Doctor { data: typed.data.clone(), json: typed.json })
            }
            ["fetcher"] => Command::Fetcher,
            ["steward"] => {
                // Whose data it serves is no guess: without a word it is the service's.
                let usual = || PathBuf::from("/var/lib/hometwin");
                Command::Steward(typed.data.clone().unwrap_or_else(usual), typed.slots)
            }
            ["selftest"] if typed.gate => Command::Gate(typed.data.clone()),
            ["update", "status"] => Command::Update(typed.change(Update::Status, None)),
            ["update", "check"] => Command::Update(typed.change(Update::Check, None)),
            ["update", "get"] => Command::Update(typed.change(Update::Get, None)),
            ["update", "apply"] => Command::Update(typed.change(Update::Apply, None)),
            ["update", "apply", file] => Command::Update(typed.change(Update::Apply, Some(file))),
            ["update", "rollback"] => Command::Update(typed.change(Update::RollBack, None)),
            ["twin-process", _number, ref given @ ..] => Command::Twin(owned(given)),
            ["status"] => Command::Verb(typed.verb(What::Status)),
            ["network"] | ["network", "status"] => Command::Verb(typed.verb(What::Network)),
            ["network", "auto"] => Command::Verb(typed.verb(What::Connect(Connection::Auto))),
            ["network", "fixed", address] => {
                let (router, namers) = (typed.router.as_deref(), typed.dns.as_deref());
                let (router, namers) = (router.unwrap_or_default(), namers.unwrap_or_default());
                let fixed = Fixed::read(address, router, namers);
                let fixed = fixed.map_err(|wrong| no_connection(address, wrong))?;
                Command::Verb(typed.verb(What::Connect(Connection::Fixed(fixed))))
            }
            ["network", "name", name] => {
                Command::Verb(typed.verb(What::CallNode { name: name.to_owned() }))
            }
            ["node", "energy"] => Command::Verb(typed.verb(What::Energy)),
            ["node", "health"] => Command::Verb(typed.verb(What::Health)),
            ["node", "metrics-token"] => Command::Verb(typed.verb(What::MetricsToken)),
            ["node", "repair", problem, repair] => {
                Command::Verb(typed.verb(What::repair(problem, "", repair)))
            }
            ["node", "repair", problem, about, repair] => {
                Command::Verb(typed.verb(What::repair(problem, about, repair)))
            }
            ["twin", "list"] => Command::Verb(typed.verb(What::List)),
            ["twin", verb, name] => {
                let name = name.to_owned();
                let what = match verb {
                    "create" => What::Create { name },
                    "pair" => What::Pair { name },
                    "remove" => What::Remove { name, confirm: typed.confirm.clone() },
                    "verify" => What::Verify { name },
                    _ => return Err(unexpected(verb)),
                };
                Command::Verb(typed.verb(what))
            }
            ["twin", "rename", name, to] => {
                let what = What::Rename { name: name.to_owned(), to: to.to_owned() };
                Command::Verb(typed.verb(what))
            }
            ["twin", "create" | "pair" | "remove" | "rename" | "verify"] => {
                return Err(missing("NAME"));
            }
            [.., last] => return Err(unexpected(last)),
        };
        Ok(Self { command, logging })
    }
}

/// Every option and word, as it was typed.
#[derive(Debug, Default)]
struct Typed {
    words: Vec<String>,
    confirm: Option<String>,
    data: Option<PathBuf>,
    dns: Option<String>,
    ephemeral: bool,
    experiences: Vec<PathBuf>,
    gate: bool,
    help: bool,
    json: bool,
    listen: Option<SocketAddr>,
    logging: Logging,
    out: Option<PathBuf>,
    people: Vec<String>,
    restart: bool,
    router: Option<String>,
    size: Option<u16>,
    sleep_after: Option<Option<Duration>>,
    slots: bool,
    twin: Option<String>,
    version: bool,
    zone: Option<String>,
}

impl Typed {
    fn read(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut typed = Self { logging: Logging::from_environment(), ..Self::default() };
        while let Some(argument) = parser.next()? {
            match argument {
                Short('h') | Long("help") => typed.help = true,
                Short('V') | Long("version") => typed.version = true,
                Long("confirm") => typed.confirm = Some(parser.value()?.string()?),
                Long("data") => typed.data = Some(parser.value()?.into()),
                Long("dns") => typed.dns = Some(parser.value()?.string()?),
                Long("ephemeral") => typed.ephemeral = true,
                Long("experience") => typed.experiences.push(parser.value()?.into()),
                Long("gate") => typed.gate = true,
                Long("restart") => typed.restart = true,
                Long("slots") => typed.slots = true,
                Long("json") => typed.json = true,
                Long("listen") => typed.listen = Some(parser.value()?.parse()?),
                Long("log") => typed.logging.format = parser.value()?.parse_with(str::parse)?,
                Long("out") => typed.out = Some(parser.value()?.into()),
                Long("people") => {
                    let names = parser.value()?.string()?;
                    typed.people.extend(names.split(',').map(str::to_owned));
                }
                Long("router") => typed.router = Some(parser.value()?.string()?),
                Long("size") => typed.size = Some(parser.value()?.parse_with(size)?),
                Long("sleep-after") => {
                    typed.sleep_after = Some(parser.value()?.parse_with(duration)?);
                }
                Long("twin") => typed.twin = Some(parser.value()?.string()?),
                Long("zone") => typed.zone = Some(parser.value()?.string()?),
                Value(word) => typed.words.push(word.string()?),
                Short(_) | Long(_) => return Err(argument.unexpected()),
            }
        }
        Ok(typed)
    }

    fn run(self) -> Run {
        Run {
            data: self.data,
            ephemeral: self.ephemeral,
            experiences: self.experiences,
            json: self.json,
            listen: self.listen,
            people: self.people,
            sleep_after: self.sleep_after,
            tries: false,
            zone: self.zone,
        }
    }

    fn work(&self, file: &str, out: Option<PathBuf>, task: Task) -> Work {
        Work { data: self.data.clone(), json: self.json, file: file.into(), out, task }
    }

    fn change(&self, what: Update, file: Option<&str>) -> Change {
        let (data, json, restart) = (self.data.clone(), self.json, self.restart);
        Change { data, json, what, file: file.map(PathBuf::from), restart }
    }

    fn experience(&self, verb: &str, path: &str) -> Result<Experience, lexopt::Error> {
        let folder = PathBuf::from(path);
        let twin = || self.twin.clone().ok_or(missing("--twin NAME"));
        let what = match verb {
            "check" => ExperienceVerb::Check { folder },
            "dev" => ExperienceVerb::Dev { folder },
            "install" => ExperienceVerb::Install { package: folder, twin: twin()? },
            "new" => ExperienceVerb::New { folder },
            "pack" => ExperienceVerb::Pack { folder, twin: twin()?, out: self.out.clone() },
            _ => return Err(unexpected(verb)),
        };
        Ok(Experience { data: self.data.clone(), json: self.json, what })
    }

    fn verb(&self, what: What) -> Verb {
        Verb { data: self.data.clone(), json: self.json, what }
    }
}

/// A preview's longer side.
fn size(text: &str) -> Result<u16, String> {
    let size = text.parse().ok().filter(|size| SIZES.contains(size));
    size.ok_or(format!("{text}: {} to {}", SIZES.start(), SIZES.end()))
}

const SIZES: RangeInclusive<u16> = 16..=4096;
/// Unless something else is typed.
const SIZE: u16 = 512;

/// `90s`, `500ms`, `5m`, or `off`.
fn duration(text: &str) -> Result<Option<Duration>, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: Option<u64> = number.parse().ok();
    match (number, unit) {
        (None, "off") => Ok(None),
        (Some(n), "ms") => Ok(Some(Duration::from_millis(n))),
        (Some(n), "s") => Ok(Some(Duration::from_secs(n))),
        (Some(n), "m") => Ok(Some(Duration::from_secs(n.saturating_mul(60)))),
        _ => Err(format!("{text}: 60s, 500ms, 5m, off")),
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn missing(what: &str) -> lexopt::Error {
    lexopt::Error::MissingValue { option: Some(what.to_owned()) }
}

/// Which of the words it was.
fn no_connection(address: &str, wrong: NoConnection) -> lexopt::Error {
    let option = match wrong {
        NoConnection::Address | NoConnection::Prefix => return unexpected(address),
        NoConnection::Router => "--router",
        NoConnection::Namers => "--dns",
    };
    unexpected(option)
}

fn unexpected(word: &str) -> lexopt::Error {
    lexopt::Error::UnexpectedArgument(word.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        let words = std::iter::once("hometwin").chain(line.split_whitespace());
        let read = Arguments::read(lexopt::Parser::from_iter(words));
        read.map(|arguments| arguments.command).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_typed_runs() {
        assert!(matches!(read(""), Ok(Command::Run(_))));
        let Ok(Command::Run(run)) = read("--ephemeral --people ann,bob --listen 127.0.0.1:0")
        else {
            panic!("options alone are for `run`")
        };
        assert_eq!(run.people, ["ann", "bob"]);
        assert!(run.ephemeral);
    }

    #[test]
    fn an_authors_tools_take_a_folder_and_where_it_matters_a_twin() {
        let Ok(Command::Experience(asked)) = read("experience pack ours --twin ann --out a") else {
            panic!("a package is made by a verb")
        };
        assert!(matches!(asked.what, ExperienceVerb::Pack { twin, .. } if twin == "ann"));
        for good in ["new ours", "check ours", "dev ours", "install ours --twin bob"] {
            assert!(read(&format!("experience {good}")).is_ok(), "{good}");
        }
        for bad in ["", "new", "pack ours", "install ours", "eat ours", "new a b"] {
            assert!(read(&format!("experience {bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, expected) in [
            ("off", Some(None)),
            ("500ms", Some(Some(Duration::from_millis(500)))),
            ("90s", Some(Some(Duration::from_secs(90)))),
            ("5m", Some(Some(Duration::from_secs(300)))),
            ("5", None),
            ("-1s", None),
            ("", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn verbs_and_their_words() {
        assert!(matches!(read("twin list --json"), Ok(Command::Verb(Verb { json: true, .. }))));
        assert!(matches!(
            read("node repair crash_loop ann try_again"),
            Ok(Command::Verb(Verb { what: What::Repair { about, .. }, .. })) if about == "ann"
        ));
        assert!(matches!(read("network"), Ok(Command::Verb(Verb { what: What::Network, .. }))));
        assert!(matches!(
            read("network name attic"),
            Ok(Command::Verb(Verb { what: What::CallNode { name }, .. })) if name == "attic"
        ));
        assert!(matches!(read("console"), Ok(Command::Console(None))));
        assert!(matches!(read("node health"), Ok(Command::Verb(Verb { what: What::Health, .. }))));
        assert!(matches!(read("node energy"), Ok(Command::Verb(Verb { what: What::Energy, .. }))));
        assert!(matches!(
            read("steward"),
            Ok(Command::Steward(data, false)) if data == std::path::Path::new("/var/lib/hometwin")
        ));
        assert!(matches!(read("steward --slots"), Ok(Command::Steward(_, true))));
        assert!(matches!(read("selftest --gate"), Ok(Command::Gate(None))));
        let apply = read("update apply new.bundle --restart");
        assert!(matches!(apply, Ok(Command::Update(Change { restart: true, file: Some(_), .. }))));
        let renamed = read("twin rename ann anna");
        assert!(matches!(renamed, Ok(Command::Verb(Verb { what: What::Rename { .. }, .. }))));
        assert!(matches!(
            read("node doctor --json"),
            Ok(Command::Doctor(Doctor { json: true, .. }))
        ));
        let preview = read("preview a.jpg --out b.jpg --size 100");
        let Ok(Command::Work(Work { task: Task::Preview { side: 100 }, out, .. })) = preview else {
            panic!("{preview:?}")
        };
        assert_eq!(out, Some("b.jpg".into()));
        assert!(matches!(
            read("text a.pdf"),
            Ok(Command::Work(Work { task: Task::Text, out: None, .. }))
        ));
        for wrong in [
            "selftest",
            "update",
            "update fly",
            "preview",
            "preview a.jpg",
            "preview a.jpg --out b --size 5",
            "text a b",
            "node",
            "node fly",
            "network fly",
            "network name",
            "network fixed",
            "network fixed 192.168.1.5",
            "network fixed 192.168.1.5/24 --router x",
            "twin",
            "twin create",
            "twin fly ann",
            "run now",
            "--lisen x",
            "--listen x",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
