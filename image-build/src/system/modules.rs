//! The kernel's modules: those that the recipe keeps, with what they need; and for the first
//! program those that a disk may need, unpacked, with a list of when each is loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use initrd::modules::Modules;

use super::{Parts, prune};
use crate::{Error, Result, recipe};

/// Thins out the folder of modules in the tree, and fills `modules/` for the first program.
pub(crate) fn keep(parts: &Parts<'_>, out: &Path, folder: &Path) -> Result<()> {
    let version = &parts.kernel.version;
    let depmod = || parts.tools.run(out, parts.log, &["depmod", "--basedir=/here/tree", version]);
    depmod()?;
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(Error::file(&path))
    };
    let all = Needs::read(&read("modules.dep")?);
    let aliases = read("modules.alias")?;
    let kept = all.wanted(&parts.recipe.modules)?;
    for path in all.paths.values().filter(|path| !kept.contains(*path)) {
        prune::remove_any(&folder.join(path))?;
    }
    depmod()?;
    // Only depmod reads them as text; systemd reads the other form.
    for name in ["modules.alias", "modules.dep", "modules.symbols", "modules.order"] {
        prune::remove_any(&folder.join(name))?;
    }
    for_disks(parts, out, folder, &all, &aliases)
}

fn for_disks(
    parts: &Parts<'_>,
    out: &Path,
    folder: &Path,
    all: &Needs,
    aliases: &str,
) -> Result<()> {
    let to = out.join("modules");
    fs::create_dir(&to).map_err(Error::file(&to))?;
    let wanted = &parts.recipe.modules;
    let list = all.list(&wanted.always, &wanted.for_disks, aliases)?;
    let names: BTreeSet<&String> =
        list.needs.iter().flat_map(|(n, needs)| needs.iter().chain([n])).collect();
    for name in names {
        let path = all.path(name)?;
        let packed = to.join(format!("{name}.ko.xz"));
        fs::copy(folder.join(path), &packed).map_err(Error::file(&packed))?;
        // Their signatures stay: lockdown asks for them.
        parts.tools.run(&to, parts.log, &["xz", "--decompress", &format!("{name}.ko.xz")])?;
    }
    let path = to.join("list");
    fs::write(&path, list.to_text()).map_err(Error::file(&path))
}

/// What depmod found: each module's file, and the files that have to be loaded before.
struct Needs {
    /// By name, with `_` for `-`.
    paths: BTreeMap<String, String>,
    before: BTreeMap<String, Vec<String>>,
}

impl Needs {
    fn read(text: &str) -> Self {
        let mut needs = Self { paths: BTreeMap::new(), before: BTreeMap::new() };
        for (path, others) in text.lines().filter_map(|line| line.split_once(':')) {
            // depmod names what is loaded first last.
            let before = others.split_whitespace().rev().map(stem).collect();
            needs.before.insert(stem(path), before);
            needs.paths.insert(stem(path), path.to_owned());
        }
        needs
    }

    /// The files that the recipe keeps.
    fn wanted(&self, recipe: &recipe::Modules) -> Result<BTreeSet<String>> {
        let fits = |path: &str, pattern: &str| {
            let inside = path.strip_prefix("kernel/").unwrap_or(path);
            let rest = inside.strip_prefix(pattern);
            rest.is_some_and(|rest| rest.starts_with('/') || rest.starts_with(".ko"))
        };
        for pattern in recipe.keep.iter().chain(&recipe.leave) {
            if !self.paths.values().any(|path| fits(path, pattern)) {
                return Err(Error::image(format!("[modules] {pattern} is not in the kernel")));
            }
        }
        let mut kept = BTreeSet::new();
        for (name, path) in &self.paths {
            let keep = recipe.keep.iter().any(|pattern| fits(path, pattern));
            if keep && !recipe.leave.iter().any(|pattern| fits(path, pattern)) {
                kept.insert(path.clone());
                for other in self.before.get(name).into_iter().flatten() {
                    kept.insert(self.path(other)?.to_owned());
                }
            }
        }
        Ok(kept)
    }

    /// The list for the first program.
    fn list(&self, always: &[String], for_disks: &[String], aliases: &str) -> Result<Modules> {
        let always: Vec<String> = always.iter().map(|name| stem(name)).collect();
        let for_disks: BTreeSet<String> = for_disks.iter().map(|name| stem(name)).collect();
        let mut list = Modules { always, ..Modules::default() };
        for name in list.always.iter().chain(&for_disks) {
            self.path(name)?;
            let before = self.before.get(name).cloned().unwrap_or_default();
            list.needs.insert(name.clone(), before);
        }
        for line in aliases.lines() {
            if let ["alias", pattern, name] = line.split_whitespace().collect::<Vec<_>>()[..]
                && for_disks.contains(&stem(name))
            {
                list.aliases.push((pattern.to_owned(), stem(name)));
            }
        }
        Ok(list)
    }

    fn path(&self, name: &str) -> Result<&str> {
        let path = self.paths.get(name).map(String::as_str);
        path.ok_or_else(|| Error::image(format!("the kernel has no module {name}")))
    }
}

/// `kernel/fs/ext4/ext4.ko.xz` is `ext4`; the kernel takes `-` and `_` for the same.
fn stem(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\n\
        kernel/fs/jbd2/jbd2.ko.xz:\nkernel/lib/crc16.ko.xz:\nkernel/sound/beep.ko.xz:\n\
        kernel/drivers/md/dm-verity.ko.xz: kernel/lib/crc16.ko.xz\n";

    #[test]
    fn what_is_kept_brings_what_it_needs() {
        let needs = Needs::read(DEP);
        let recipe = |keep: &[&str]| recipe::Modules {
            keep: keep.iter().map(|name| (*name).to_owned()).collect(),
            leave: Vec::new(),
            always: Vec::new(),
            for_disks: Vec::new(),
        };
        let kept = needs.wanted(&recipe(&["fs/ext4"])).unwrap();
        assert_eq!(kept.len(), 3);
        assert!(!kept.iter().any(|path| path.contains("beep")));
        assert!(needs.wanted(&recipe(&["fs/ext"])).is_err());
        let modules = needs.wanted(&recipe(&["drivers/md/dm-verity"])).unwrap();
        assert_eq!(modules.len(), 2);
    }

    #[test]
    fn the_list_loads_in_order() {
        let needs = Needs::read(DEP);
        let aliases = "alias fs-ext4 ext4\nalias snd-beep beep\n";
        let list = needs.list(&["dm-verity".to_owned()], &["ext4".to_owned()], aliases).unwrap();
        assert_eq!(list.always, ["dm_verity"]);
        assert_eq!(list.needs["ext4"], ["crc16", "jbd2"]);
        assert_eq!(list.aliases, [("fs-ext4".to_owned(), "ext4".to_owned())]);
        assert!(needs.list(&["gone".to_owned()], &[], aliases).is_err());
    }
}
