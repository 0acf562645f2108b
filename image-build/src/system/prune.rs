//! Takes out of the tree what the recipe doesn't keep.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::recipe::Keep;
use crate::{Error, Result};

/// Removes what the recipe names; each name has to fit something, so that none is there in vain.
pub(crate) fn paths(tree: &Path, patterns: &[String]) -> Result<()> {
    for pattern in patterns {
        let mut found = vec![tree.to_owned()];
        for part in pattern.split('/') {
            found = found.iter().flat_map(|folder| children(folder, part)).collect();
        }
        if found.is_empty() {
            let reason = format!("[remove] {pattern} is nowhere in the tree");
            return Err(Error::image(reason));
        }
        found.iter().try_for_each(|path| remove_any(path))?;
    }
    Ok(())
}

/// Keeps in some folders only the files that the recipe names, and what these are links to.
pub(crate) fn programs(tree: &Path, keep: &[Keep]) -> Result<()> {
    for keep in keep {
        let folder = tree.join(&keep.folder);
        let mut wanted: Vec<PathBuf> = Vec::new();
        for name in &keep.files {
            let mut path = folder.join(name);
            if fs::symlink_metadata(&path).is_err() {
                return Err(Error::image(format!("{}/{name} is in no package", keep.folder)));
            }
            while let Ok(target) = fs::read_link(&path) {
                wanted.push(path.clone());
                path = folder.join(target.file_name().unwrap_or_default());
            }
            wanted.push(path);
        }
        for entry in fs::read_dir(&folder).map_err(Error::file(&folder))?.flatten() {
            if !wanted.contains(&entry.path()) && !entry.path().is_dir()
                || entry.path().is_symlink() && !wanted.contains(&entry.path())
            {
                remove_any(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Removes units whose program is gone, sockets and timers of such units, and links to what is gone.
pub(crate) fn units(tree: &Path) -> Result<()> {
    let system = tree.join("usr/lib/systemd/system");
    let names: Vec<String> = fs::read_dir(&system)
        .map_err(Error::file(&system))?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    for name in names.iter().filter(|name| name.ends_with(".service")) {
        let text = fs::read_to_string(system.join(name)).unwrap_or_default();
        if text.lines().filter_map(program).any(|path| !tree.join(path).exists()) {
            remove_any(&system.join(name))?;
        }
    }
    for name in &names {
        let service = match name.rsplit_once('.') {
            Some((stem, "path" | "socket" | "timer")) => started_by(&system.join(name), stem),
            Some(_) | None => continue,
        };
        let service = service.map_err(Error::file(system.join(name)))?;
        let instances = service.replace(".service", "@.service");
        if [service, instances].iter().all(|name| !system.join(name).exists()) {
            remove_any(&system.join(name))?;
        }
    }
    dangling(tree, &system)
}

/// The program of a line such as `ExecStart=-/usr/bin/x y`, as a path inside the tree.
fn program(line: &str) -> Option<&str> {
    let (key, command) = line.split_once('=')?;
    let command = command.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let path = command.split_whitespace().next()?.strip_prefix('/')?;
    (key == "ExecStart").then_some(path)
}

fn started_by(unit: &Path, stem: &str) -> std::io::Result<String> {
    let text = fs::read_to_string(unit)?;
    let named = text
        .lines()
        .find_map(|line| line.strip_prefix("Service=").or_else(|| line.strip_prefix("Unit=")));
    Ok(named.map_or_else(|| format!("{stem}.service"), str::to_owned))
}

/// Links of systemd's folders lead to files of the same folder, whatever is before the name.
fn dangling(tree: &Path, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder))?.flatten() {
        let path = entry.path();
        if path.is_symlink() {
            let target = fs::read_link(&path).map_err(Error::file(&path))?;
            let absolute = target.strip_prefix("/").map(|inside| tree.join(inside));
            let target = absolute.unwrap_or_else(|_| folder.join(&target));
            if fs::symlink_metadata(target).is_err() {
                remove_any(&path)?;
            }
        } else if path.is_dir() {
            dangling(tree, &path)?;
        }
    }
    Ok(())
}

/// Empties the folders that the machine fills; what a service finds in `/var` is on the data
/// partition. `/var/tmp` is there for services that start before it.
pub(crate) fn emptied(tree: &Path) -> Result<()> {
    for name in EMPTY {
        let folder = tree.join(name);
        crate::cache::remove(&folder)?;
        fs::create_dir(&folder).map_err(Error::file(&folder))?;
    }
    let folder = tree.join("var/tmp");
    fs::create_dir(&folder).map_err(Error::file(&folder))
}

/// Takes from all files the right to run as their owner or group: nobody here may become another.
pub(crate) fn rights(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::file(folder))?.flatten() {
        let path = entry.path();
        let about = fs::symlink_metadata(&path).map_err(Error::file(&path))?;
        if about.is_dir() {
            rights(&path)?;
        } else if about.is_file() && about.mode() & 0o6000 != 0 {
            let mode = fs::Permissions::from_mode(about.mode() & 0o1777);
            fs::set_permissions(&path, mode).map_err(Error::file(&path))?;
        }
    }
    Ok(())
}

/// Removes a file, a link or a folder, if it's there.
pub(crate) fn remove_any(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(about) if about.is_dir() => fs::remove_dir_all(path).map_err(Error::file(path)),
        Ok(_) => fs::remove_file(path).map_err(Error::file(path)),
    }
}

fn children(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    if !pattern.contains('*') {
        let path = folder.join(pattern);
        return fs::symlink_metadata(&path).is_ok().then_some(path).into_iter().collect();
    }
    let (head, tail) = pattern.split_once('*').unwrap_or((pattern, ""));
    let fits = |name: &str| {
        name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| fits(&entry.file_name().to_string_lossy())).map(|e| e.path()).collect()
}

const EMPTY: &[&str] = &[
    "boot", "dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "var",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_runs_as_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bin/mount");
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o6755)).unwrap();
        rights(folder.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
    }

    #[test]
    fn a_unit_goes_with_its_program() {
        let folder = tempfile::tempdir().unwrap();
        let system = folder.path().join("usr/lib/systemd/system");
        fs::create_dir_all(system.join("a.target.wants")).unwrap();
        fs::create_dir_all(folder.path().join("usr/bin")).unwrap();
        fs::write(folder.path().join("usr/bin/here"), "").unwrap();
        for (name, text) in [
            ("here.service", "[Service]\nExecStart=!!/usr/bin/here --now\n"),
            ("here.socket", "[Socket]\n"),
            ("gone.service", "[Service]\nExecStart=-/usr/bin/gone\n"),
            ("gone.socket", "[Socket]\n"),
            ("other.timer", "[Timer]\nUnit=gone.service\n"),
            ("a.target", "[Unit]\n"),
        ] {
            fs::write(system.join(name), text).unwrap();
        }
        let link = system.join("a.target.wants/gone.service");
        std::os::unix::fs::symlink("../gone.service", &link).unwrap();
        units(folder.path()).unwrap();
        let mut left: Vec<_> = fs::read_dir(&system)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["a.target", "a.target.wants", "here.service", "here.socket"]);
        assert!(!link.is_symlink());
    }

    #[test]
    fn what_is_named_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path();
        fs::create_dir_all(tree.join("usr/bin")).unwrap();
        fs::create_dir_all(tree.join("etc/init.d")).unwrap();
        for name in ["a", "b.real", "c", "etc-passwd"] {
            fs::write(tree.join("usr/bin").join(name), "").unwrap();
        }
        std::os::unix::fs::symlink("b.real", tree.join("usr/bin/b")).unwrap();
        let keep = |files: &[&str]| Keep {
            folder: "usr/bin".to_owned(),
            files: files.iter().map(|name| (*name).to_owned()).collect(),
        };
        programs(tree, &[keep(&["a", "b"])]).unwrap();
        let mut left: Vec<_> = fs::read_dir(tree.join("usr/bin")).unwrap().flatten().collect();
        left.sort_by_key(fs::DirEntry::file_name);
        let names: Vec<_> = left.iter().map(|e| e.file_name().into_string().unwrap()).collect();
        assert_eq!(names, ["a", "b", "b.real"]);
        assert!(programs(tree, &[keep(&["z"])]).is_err());
        paths(tree, &["etc/init*".to_owned()]).unwrap();
        assert!(!tree.join("etc/init.d").exists());
        assert!(paths(tree, &["etc/init*".to_owned()]).is_err());
    }
}
