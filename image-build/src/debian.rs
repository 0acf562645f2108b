//! Trees of Debian packages: the one with the tools, and the one that becomes the system.
//!
//! Each stage holds `tree/`, for the system also `kernel/`, and `packages`, what it was made of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lock::Lock;
use crate::mirror::Mirror;
use crate::recipe::{Debian, Recipe};
use crate::tools::run;
use crate::{Error, Result};

/// Which tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tree {
    System,
    Tools,
}

impl Tree {
    /// What it's called in locks and in the cache.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Tools => "tools",
        }
    }

    fn packages(self, debian: &Debian) -> String {
        match self {
            Self::System => debian.packages.join(","),
            Self::Tools => debian.tools.join(","),
        }
    }
}

/// Installs packages into an empty folder.
pub(crate) fn install(
    tree: Tree,
    recipe: &Recipe,
    mirror: &Mirror,
    out: &Path,
    log: &Path,
) -> Result<()> {
    let debian = &recipe.debian;
    let into = out.join("tree");
    let list = out.join("available");
    let mut command = Command::new("mmdebstrap");
    command.args([
        "--mode=root",
        "--format=directory",
        "--aptopt=APT::Install-Recommends \"false\"",
    ]);
    command.arg(match tree {
        Tree::System => "--variant=essential",
        Tree::Tools => "--variant=apt",
    });
    for folder in UNREAD {
        command.arg(format!("--dpkgopt=path-exclude=/usr/share/{folder}/*"));
    }
    command.args(
        ["exclude=/usr/share/doc/*/*", "include=/usr/share/doc/*/copyright"]
            .map(|rule| format!("--dpkgopt=path-{rule}")),
    );
    command.arg(format!("--include={}", tree.packages(debian)));
    command.arg(format!("--customize-hook={APT} apt-cache dumpavail > '{}'", list.display()));
    if tree == Tree::System {
        // The kernel is only unpacked: its package would install tools for an initrd that we don't use.
        command.arg(format!("--customize-hook={KERNEL} {} {}", debian.kernel, out.display()));
    }
    command.arg(&debian.suite).arg(&into).arg("-");
    let sources = out.join("sources");
    fs::write(&sources, mirror.sources(&debian.suite)).map_err(Error::file(&sources))?;
    let input = fs::File::open(&sources).map_err(Error::file(&sources))?;
    command.env("SOURCE_DATE_EPOCH", recipe.epoch.to_string()).env("LC_ALL", "C.UTF-8");
    run_with_input(command, input, log)?;
    if tree == Tree::System {
        unpack_kernel(out, log)?;
    }
    let available = fs::read_to_string(&list).map_err(Error::file(&list))?;
    let found = Lock::of_tree(tree.name(), &installed(out)?, &available);
    let packages = out.join("packages");
    fs::write(&packages, found.to_text()).map_err(Error::file(&packages))?;
    [list, sources].iter().try_for_each(|path| fs::remove_file(path).map_err(Error::file(path)))
}

/// Which packages a tree was made of.
pub(crate) fn packages(stage: &Path) -> Result<Lock> {
    let path = stage.join("packages");
    Ok(Lock::read(&fs::read_to_string(&path).map_err(Error::file(&path))?))
}

/// dpkg's list of a tree, and the kernel that was only unpacked.
fn installed(out: &Path) -> Result<String> {
    let format = "--showformat=${Package} ${Version} ${Architecture}\\n";
    let mut query = Command::new("dpkg-query");
    query.arg(format!("--admindir={}", out.join("tree/var/lib/dpkg").display()));
    let said = query.args(["--show", format]).output().map_err(Error::file("dpkg-query"))?;
    let mut text = String::from_utf8_lossy(&said.stdout).into_owned();
    let kernel = out.join("kernel.package");
    if let Ok(line) = fs::read_to_string(&kernel) {
        text.push_str(&line);
        fs::remove_file(&kernel).map_err(Error::file(&kernel))?;
    }
    Ok(text)
}

fn unpack_kernel(out: &Path, log: &Path) -> Result<()> {
    let entries = fs::read_dir(out).map_err(Error::file(out))?.flatten().map(|entry| entry.path());
    let package = entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or_else(|| Error::image("apt-get brought no kernel"))?;
    let fields = ["--showformat=${Package} ${Version} ${Architecture}\\n", "--show"];
    let said = Command::new("dpkg-deb").args(fields).arg(&package).output();
    let said = said.map_err(Error::file("dpkg-deb"))?.stdout;
    let about = out.join("kernel.package");
    fs::write(&about, said).map_err(Error::file(&about))?;
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(&package).arg(out.join("kernel"));
    run(command, "dpkg-deb", log)?;
    fs::remove_file(&package).map_err(Error::file(&package))
}

fn run_with_input(mut command: Command, input: fs::File, log: &Path) -> Result<()> {
    let out = fs::File::create(log).map_err(Error::file(log))?;
    let err = out.try_clone().map_err(Error::file(log))?;
    let status = command.stdin(Stdio::from(input)).stdout(out).stderr(err).status();
    let status = status.map_err(Error::file("mmdebstrap"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Program { program: "mmdebstrap".to_owned(), status, log: log.to_owned() })
}

/// The kernel's image and its modules in a stage of the system's tree.
pub(crate) struct Kernel {
    pub(crate) image: PathBuf,
    pub(crate) modules: PathBuf,
    pub(crate) version: String,
}

impl Kernel {
    pub(crate) fn of(stage: &Path) -> Result<Self> {
        let modules = stage.join("kernel/usr/lib/modules");
        let mut entries = fs::read_dir(&modules).map_err(Error::file(&modules))?.flatten();
        let entry = entries.next().ok_or_else(|| Error::image("the kernel has no modules"))?;
        let version = entry.file_name().to_string_lossy().into_owned();
        let image = stage.join(format!("kernel/boot/vmlinuz-{version}"));
        Ok(Self { image, modules: entry.path(), version })
    }
}

/// Never read by a program.
const UNREAD: &[&str] = &["i18n", "info", "locale", "man"];
const APT: &str = "APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\"";
/// Words: the package that always needs the newest kernel, and where to put that one.
const KERNEL: &str = "set -e; export APT_CONFIG=\"$MMDEBSTRAP_APT_CONFIG\"; get() { cd \"$2\"; \
    apt-get download \"$(apt-cache depends \"$1\" | sed -n 's/^ *Depends: \\(linux-image-[0-9][^ ]*\\).*/\\1/p' | head -n 1)\"; }; get";
