//! The command line.

use std::path::PathBuf;

use lexopt::ValueExt;
use lexopt::prelude::{Long, Short, Value};

use crate::flash::Flash;

/// A whole command line.
pub(crate) struct Arguments {
    pub(crate) command: Command,
}

/// What to do.
pub(crate) enum Command {
    Build(Wish),
    Flash(Flash),
    Help,
    Inspect { image: PathBuf, out: Option<PathBuf> },
    Lock(Wish),
    Tool { work: PathBuf, words: Vec<String> },
}

/// Which image.
pub(crate) struct Wish {
    pub(crate) arch: String,
    pub(crate) flavour: String,
    /// Where packages come from, instead of where this machine's come from.
    pub(crate) mirror: Option<String>,
    /// Where the image goes, beside the cache.
    pub(crate) out: Option<PathBuf>,
    /// The node's program, instead of one that is built for it.
    pub(crate) program: Option<PathBuf>,
    /// Take the packages that the mirror has, whatever the lock says.
    pub(crate) unlocked: bool,
    pub(crate) version: String,
}

impl Arguments {
    /// Reads a command line.
    pub(crate) fn read(mut parser: lexopt::Parser) -> Result<Self, lexopt::Error> {
        let mut wish = Wish {
            arch: "x86_64".to_owned(),
            flavour: "headless".to_owned(),
            mirror: None,
            out: None,
            program: None,
            unlocked: false,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut words = Vec::new();
        let mut file = false;
        let mut work = PathBuf::from(".");
        while let Some(argument) = parser.next()? {
            match argument {
                Long("arch") => wish.arch = one_of(&parser.value()?.string()?, &["x86_64"])?,
                Long("file") => file = true,
                Long("flavour") => {
                    wish.flavour = one_of(&parser.value()?.string()?, &["headless"])?;
                }
                Long("mirror") => wish.mirror = Some(parser.value()?.string()?),
                Long("out") => wish.out = Some(parser.value()?.into()),
                Long("program") => wish.program = Some(parser.value()?.into()),
                Long("unlocked") => wish.unlocked = true,
                Long("version") => wish.version = version(&parser.value()?.string()?)?,
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

/// Part of file names that the boot loader orders by.
fn version(text: &str) -> Result<String, lexopt::Error> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| part.len() < 6 && part.parse::<u32>().is_ok();
    if parts.len() == 3 && parts.iter().all(number) {
        return Ok(text.to_owned());
    }
    Err(lexopt::Error::Custom(format!("{text:?} is no version such as 1.2.3").into()))
}

pub(crate) const HELP: &str = "\
cargo run -p image-build -- COMMAND

  build                  make a disk image and print where it is; as root
  flash IMAGE DISK       write an image, also a packed one, to a disk such as /dev/sdb and read it
                         back; a disk in use has to be named twice; as root
  inspect IMAGE          what is in an image, and whether it is whole
  lock                   write down the packages that the mirror has now; as root
  tool PROGRAM WORDS..   run a program of the tool tree, such as qemu-system-x86_64, with the
                         folder --work DIR (before `tool`) at /here; as root

Options of build and lock:
  --flavour headless     which recipe
  --arch x86_64          for which machines
  --mirror URL           where Debian's packages come from (where apt gets them on this machine)
Options of build:
  --out FILE             put the image there, with FILE.xz, FILE.zst and the map FILE.bmap for flashers
  --program FILE         the node's program (built with the profile `dist`)
  --unlocked             take the packages that the mirror has, whatever the lock says
  --version V            the image's version, such as 1.2.3

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
