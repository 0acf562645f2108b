//! The system's tree: Debian's packages without what a node never uses, the recipe's files, our
//! program. It has no shell, no package manager and nothing that anybody could log in to.

mod libraries;
pub(crate) mod modules;
mod prune;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::debian::{self, Kernel};
use crate::recipe::{self, Recipe};
use crate::tools::{Tools, run};
use crate::{Error, Result, build, disk, licences};

/// What a system is made of.
pub(crate) struct Parts<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) packages: &'a Path,
    pub(crate) program: &'a Path,
    pub(crate) kernel: &'a Kernel,
    /// Files beside the recipe's.
    pub(crate) files: Option<&'a Path>,
    pub(crate) arch: &'a str,
    pub(crate) flavour: &'a str,
    pub(crate) version: &'a str,
    /// The statement about keys by which it believes updates.
    pub(crate) trusted: Option<&'a [u8]>,
    pub(crate) tools: &'a Tools,
    pub(crate) log: &'a Path,
}

/// Makes `tree/`, and beside it `modules/`, those that the first program may need.
pub(crate) fn make(parts: &Parts<'_>, out: &Path) -> Result<()> {
    let tree = out.join("tree");
    copy_all(&parts.packages.join("tree"), &tree, parts.log)?;
    let kernel = tree.join("usr/lib/modules").join(&parts.kernel.version);
    fs::create_dir_all(tree.join("usr/lib/modules")).map_err(Error::file(&tree))?;
    copy_all(&parts.kernel.modules, &kernel, parts.log)?;
    modules::keep(parts, out, &kernel)?;
    add_program(parts, out)?;
    // Debian's own choice of what to start, made when its packages were installed.
    prune::remove_any(&tree.join("etc/systemd/system"))?;
    copy_files(&recipe::folder().join("files"), &tree)?;
    parts.files.map_or(Ok(()), |files| copy_files(files, &tree))?;
    units(&parts.recipe.units, &tree)?;
    users(parts, out)?;
    prune::paths(&tree, &parts.recipe.remove.paths)?;
    prune::programs(&tree, &parts.recipe.programs.keep)?;
    prune::units(&tree)?;
    libraries::keep(&tree, &parts.recipe.programs.libraries)?;
    prune::rights(&tree)?;
    about(parts, &tree)?;
    let terms = licences::text(parts.packages, &debian::packages(parts.packages)?, parts.arch)?;
    write(&tree.join(licences::FILE), terms.as_bytes())?;
    prune::emptied(&tree)
}

/// By what a system believes updates.
const TRUSTED: &str = "usr/lib/hometwin/update-keys";

/// Packs the tree into a read-only file system.
pub(crate) fn pack(
    tools: &Tools,
    system: &Path,
    out: &Path,
    epoch: u64,
    how: &str,
    log: &Path,
) -> Result<()> {
    let time = format!("-T{epoch}");
    let uuid = format!("-U{}", disk::uuid(build::UUID));
    // Stages are neighbours: the tools see the folder of all of them.
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let image = format!("{}/{}", name(out), build::SYSTEM);
    let tree = format!("{}/tree", name(system));
    let words =
        ["mkfs.erofs", how, "-C65536", "--all-root", &time, &uuid, "--quiet", &image, &tree];
    tools.run(out.parent().unwrap_or(out), log, &words)
}

/// Owners, modes and links as they are.
fn copy_all(from: &Path, to: &Path, log: &Path) -> Result<()> {
    let mut command = Command::new("cp");
    command.args(["--archive", "--reflink=auto"]).arg(from).arg(to);
    run(command, "cp", log)
}

/// The node's program, without what only a debugger reads.
fn add_program(parts: &Parts<'_>, out: &Path) -> Result<()> {
    let raw = out.join("hometwin");
    fs::copy(parts.program, &raw).map_err(Error::file(parts.program))?;
    parts.tools.run(out, parts.log, &["strip", "-o", "tree/usr/bin/hometwin", "hometwin"])?;
    let to = out.join("tree/usr/bin/hometwin");
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).map_err(Error::file(&to))?;
    fs::remove_file(&raw).map_err(Error::file(&raw))
}

/// A file in a folder that may not be there yet.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(path, bytes)).map_err(Error::file(path))
}

/// The recipe's own files, over those of the packages.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).map_err(Error::file(from))? {
        let entry = entry.map_err(Error::file(from))?.path();
        let target = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            fs::create_dir_all(&target).map_err(Error::file(&target))?;
            copy_files(&entry, &target)?;
        } else {
            prune::remove_any(&target)?;
            fs::copy(&entry, &target).map_err(Error::file(&target))?;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o644))
                .map_err(Error::file(&target))?;
        }
    }
    Ok(())
}

/// Our units beside Debian's; what is started is what the recipe says.
fn units(wanted: &recipe::Units, tree: &Path) -> Result<()> {
    let system = tree.join("usr/lib/systemd/system");
    let from = recipe::folder().join("units");
    for entry in fs::read_dir(&from).map_err(Error::file(&from))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // A stem of ours, and where systemd looks for files of this kind.
        let to = match name.rsplit_once('.') {
            Some((stem, "rules")) => tree.join(format!("usr/lib/udev/rules.d/60-{stem}.rules")),
            Some((stem, "sysusers")) => tree.join(format!("usr/lib/sysusers.d/{stem}.conf")),
            Some((stem, "tmpfiles")) => tree.join(format!("usr/lib/tmpfiles.d/{stem}.conf")),
            Some(_) | None => system.join(&name),
        };
        fs::copy(entry.path(), &to).map_err(Error::file(&to))?;
    }
    let etc = tree.join("etc/systemd/system");
    wanted.enable.iter().try_for_each(|unit| enable(unit, &system, &etc))?;
    for unit in &wanted.mask {
        let link = etc.join(unit);
        symlink("/dev/null", &link).map_err(Error::file(&link))?;
    }
    Ok(())
}

/// What `systemctl enable` would do: links for the lines below `[Install]`.
fn enable(unit: &str, system: &Path, etc: &Path) -> Result<()> {
    let file = system.join(unit);
    let text = fs::read_to_string(&file).map_err(Error::file(&file))?;
    let install = text.lines().skip_while(|line| *line != "[Install]");
    let mut linked = false;
    for line in install {
        let (key, targets) = line.split_once('=').unwrap_or_default();
        let kind = match key {
            "WantedBy" => "wants",
            "RequiredBy" => "requires",
            _ => continue,
        };
        for target in targets.split_whitespace() {
            let folder = etc.join(format!("{target}.{kind}"));
            fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
            let link = folder.join(unit);
            symlink(format!("/usr/lib/systemd/system/{unit}"), &link)
                .map_err(Error::file(&link))?;
            linked = true;
        }
    }
    if linked {
        return Ok(());
    }
    let reason = format!("{unit} is wanted by nothing, so it can't be enabled");
    Err(Error::Recipe { file, reason })
}

/// Users of services, made now: the system can't be written later. Nobody has a shell or a password.
fn users(parts: &Parts<'_>, out: &Path) -> Result<()> {
    parts.tools.run(out, parts.log, &["systemd-sysusers", "--root=/here/tree"])?;
    let passwd = out.join("tree/etc/passwd");
    let text = fs::read_to_string(&passwd).map_err(Error::file(&passwd))?;
    let without_shell = |line: &str| {
        line.rsplit_once(':')
            .map_or(String::new(), |(user, _)| format!("{user}:/usr/sbin/nologin\n"))
    };
    let text: String = text.lines().map(without_shell).collect();
    fs::write(&passwd, text).map_err(Error::file(&passwd))?;
    let shadow = out.join("tree/etc/shadow");
    let text = fs::read_to_string(&shadow).map_err(Error::file(&shadow))?;
    // The day of the last change would be the day of the build.
    let locked = |line: &str| {
        let user = line.split(':').next().unwrap_or_default();
        format!("{user}:!*:::::::\n")
    };
    let text: String = text.lines().map(locked).collect();
    fs::write(&shadow, text).map_err(Error::file(&shadow))
}

/// What the system says of itself, and what is made at each start or on the data partition.
fn about(parts: &Parts<'_>, tree: &Path) -> Result<()> {
    let (version, flavour) = (parts.version, parts.flavour);
    let text = format!(
        "NAME=\"Home twin\"\nID=hometwin\nID_LIKE=debian\nPRETTY_NAME=\"Home twin {version}\"\n\
         VERSION_ID={version}\nIMAGE_ID=hometwin\nIMAGE_VERSION={version}\n\
         VARIANT_ID={flavour}\n"
    );
    if let Some(trusted) = parts.trusted {
        write(&tree.join(TRUSTED), trusted)?;
    }
    let files = [("usr/lib/os-release", text.as_str()), ("etc/machine-id", "")];
    for (name, text) in files {
        let path = tree.join(name);
        prune::remove_any(&path)?;
        fs::write(&path, text).map_err(Error::file(&path))?;
    }
    let links = [
        ("etc/os-release", "../usr/lib/os-release"),
        ("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf"),
        ("etc/mtab", "../proc/self/mounts"),
    ];
    for (name, target) in links {
        let path = tree.join(name);
        prune::remove_any(&path)?;
        symlink(target, &path).map_err(Error::file(&path))?;
    }
    Ok(())
}
