//! The command line.

use std::path::PathBuf;

use lexopt::ValueExt;
use lexopt::prelude::{Long, Short, Value};
use update::Version;

use crate::flash::Flash;

/// A whole command line.
pub(crate) struct Arguments {
    pub(crate) command: Command,
}

/// What to do.
pub(crate) enum Command {
    Build(Wish),
    Flash(Flash),
    Bundle(Wish, Signing),
    Help,
    Inspect { image: PathBuf, out: Option<PathBuf> },
    KeysNew(PathBuf),
    KeysRotate(PathBuf),
    Lock(Wish),
    Tool { work: PathBuf, words: Vec<String> },
}

/// Which image.
pub(crate) struct Wish {
    pub(crate) arch: String,
    /// A folder whose files lie over those of the recipe.
    pub(crate) files: Option<PathBuf>,
    pub(crate) flavour: String,
    /// Where packages come from, instead of where this machine's come from.
    pub(crate) mirror: Option<String>,
    /// Where the image goes, beside the cache.
    pub(crate) out: Option<PathBuf>,
    /// The node's program, instead of one that is built for it.
    pub(crate) program: Option<PathBuf>,
    /// Packs less, and so much faster; for tests.
    pub(crate) quick: bool,
    /// The folder of the keys that the image trusts; without, it takes no updates.
    pub(crate) sign_with: Option<PathBuf>,
    /// Take the packages that the mirror has, whatever the lock says.
    pub(crate) unlocked: bool,
    pub(crate) version: String,
}

/// What a bundle says, besides what is in it.
#[derive(Clone)]
pub(crate) struct Signing {
    /// How long it may be used.
    pub(crate) days: u64,
    /// The oldest version that may be updated to it.
    pub(crate) from: Version,
    /// The folder of a mirror that it's put into.
    pub(crate) publish: Option<PathBuf>,
    /// How often a computer starts it before it goes back.
    pub(crate) tries: u8,
}

impl Arguments {
    /// Reads a command line.
    pub(crate) fn read(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut wish = Wish {
            arch: "x86_64".to_owned(),
            files: None,
            flavour: "headless".to_owned(),
            mirror: None,
            out: None,
            program: None,
            quick: false,
            sign_with: None,
            unlocked: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut signing = Signing { days: 400, from: Version::FIRST, publish: None, tries: 3 };
        let mut words = Vec::new();
        let mut file = false;
        let mut work = PathBuf::from(".");
        while let Some(argument) = parser.next()? {
            match argument {
                Long("arch") => wish.arch = one_of(&parser.value()?.string()?, &["x86_64"])?,
                Long("file") => file = true,
                Long("days") => signing.days = parser.value()?.parse()?,
                Long("from") => signing.from = parser.value()?.parse()?,
                Long("files") => wish.files = Some(parser.value()?.into()),
                Long("flavour") => {
                    wish.flavour = one_of(&parser.value()?.string()?, &["headless"])?;
                }
                Long("mirror") => wish.mirror = Some(parser.value()?.string()?),
                Long("out") => wish.out = Some(parser.value()?.into()),
                Long("program") => wish.program = Some(parser.value()?.into()),
                Long("publish") => signing.publish = Some(parser.value()?.into()),
                Long("quick") => wish.quick = true,
                Long("sign-with") => wish.sign_with = Some(parser.value()?.into()),
                Long("tries") => signing.tries = parser.value()?.parse_with(tries)?,
                Long("unlocked") => wish.unlocked = true,
                Long("version") => wish.version = version(&parser.value()?.string()?)?.to_string(),
                Long("work") => work = parser.value()?.into(),
                Long("help") | Short('h') => return Ok(Self { command: Command::Help }),
                Value(word) => {
                    words.push(word.string()?);
                    // What follows belongs to the tool.
                    if words[0] == "tool" {
                        let rest = parser.raw_args()?.map(|word| word.string());
                        words.extend(rest.collect::<Result<Vec<_>, _>>()?);
                    }
                }
                Long(_) | Short(_) => return Err(argument.unexpected()),
            }
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let command = match words[..] {
            ["build"] => Command::Build(wish),
            ["flash", image, device] => Command::Flash(Flash::new(image, device, false, file)),
            ["flash", image, device, again] if device == again => {
                Command::Flash(Flash::new(image, device, true, file))
            }
            ["bundle"] => Command::Bundle(wish, signing),
            ["keys", "new", folder] => Command::KeysNew(folder.into()),
            ["keys", "rotate", folder] => Command::KeysRotate(folder.into()),
            ["inspect", image] => Command::Inspect { image: image.into(), out: wish.out },
            ["lock"] => Command::Lock(wish),
            ["tool", ref words @ ..] if !words.is_empty() => {
                Command::Tool { work, words: words.iter().map(|word| (*word).to_owned()).collect() }
            }
            [] | ["help"] => Command::Help,
            [other, ..] => {
                let what = format!("{other:?} is no command, or its words are not complete");
                return Err(lexopt::Error::Custom(what.into()));
            }
        };
        Ok(Self { command })
    }
}

fn one_of(word: &str, known: &[&str]) -> Result<String, lexopt::Error> {
    if known.contains(&word) {
        return Ok(word.to_owned());
    }
    Err(lexopt::Error::Custom(format!("{word:?} is not one of: {}", known.join(", ")).into()))
}

fn version(text: &str) -> Result<Version, lexopt::Error> {
    let read = text.parse();
    read.map_err(|error| lexopt::Error::Custom(format!("{text:?} is {error}").into()))
}

/// As many as one digit in a file's name can say.
fn tries(text: &str) -> Result<u8, String> {
    let tries = text.parse().ok().filter(|tries| (1..=9).contains(tries));
    tries.ok_or(format!("{text}: 1 to 9"))
}

pub(crate) const HELP: &str = "\
cargo run -p image-build -- COMMAND

  build                  make a disk image and print where it is; as root
  flash IMAGE DISK       write an image, also a packed one, to a disk such as /dev/sdb and read it
                         back; a disk in use has to be named twice; as root
  bundle                 make the same system as a signed update, for computers that have an image;
                         as root
  inspect IMAGE          what is in an image, and whether it is whole
  keys new DIR           make the keys that sign updates, and what firmware starts
  keys rotate DIR        make a new key for bundles; the old one is worth nothing any more
  lock                   write down the packages that the mirror has now; as root
  tool PROGRAM WORDS..   run a program of the tool tree, such as qemu-system-x86_64, with the
                         folder --work DIR (before `tool`) at /here; as root

Options of build, bundle and lock:
  --flavour headless     which recipe
  --arch x86_64          for which machines
  --mirror URL           where Debian's packages come from (where apt gets them on this machine)
Options of build and bundle:
  --files DIR            files of your own over those of the recipe, as they lie in the image
  --out FILE             put it there; an image with FILE.xz, FILE.zst and the map FILE.bmap for
                         flashers, and FILE.spdx.json, the list of what it is made of
  --sign-with DIR        the keys: an image trusts them, a bundle and what firmware starts are
                         signed with them
  --program FILE         the node's program (built with the profile `dist`)
  --quick                pack the system less: a larger image, made sooner
  --unlocked             take the packages that the mirror has, whatever the lock says
  --version V            the image's version, such as 1.2.3
Options of bundle:
  --days N               how long it may be used (400)
  --publish DIR          put it into this folder, as computers fetch it from any web server;
                         again before its time is over, also if there is nothing new
  --from V               the oldest version that may be updated to it (any)
  --tries N              how often a computer starts it before it goes back (3)

Options of flash:
  --file                 DISK is a file

Options of inspect:
  --out DIR              put the parts of its kernel there: linux, initrd, command_line

Kept in $XDG_CACHE_HOME/hometwin/image, or ~/.cache/hometwin/image; it can be removed at any time.";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Command, lexopt::Error> {
        Arguments::read(lexopt::Parser::from_args(words)).map(|arguments| arguments.command)
    }

    #[test]
    fn commands_are_read() {
        let build = read(&["build", "--flavour", "headless", "--version", "1.2.3"]).unwrap();
        assert!(matches!(build, Command::Build(wish) if wish.version == "1.2.3"));
        let once = read(&["flash", "a", "b"]);
        assert!(matches!(once, Ok(Command::Flash(flash)) if !flash.twice && !flash.file));
        let twice = read(&["flash", "a", "b", "b", "--file"]);
        assert!(matches!(twice, Ok(Command::Flash(flash)) if flash.twice && flash.file));
        assert!(matches!(read(&["inspect", "a"]), Ok(Command::Inspect { .. })));
        let tool = read(&["--work", "w", "tool", "qemu", "-m", "128"]).unwrap();
        assert!(matches!(tool, Command::Tool { words, .. } if words == ["qemu", "-m", "128"]));
    }

    #[test]
    fn what_is_unknown_is_said() {
        for words in [
            &["build", "--arch", "sparc"][..],
            &["build", "--version", "new"],
            &["build", "--version", "1.2.3/../x"],
            &["build", "--version", "+1.2.3"],
            &["bundle", "--tries", "0"],
            &["bundle", "--from", "old"],
            &["keys", "new"],
            &["paint"],
            &["flash", "a"],
            &["flash", "a", "b", "c"],
            &["inspect"],
            &["tool"],
        ] {
            assert!(read(words).is_err(), "{words:?}");
        }
    }
}
