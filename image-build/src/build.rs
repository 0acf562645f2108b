//! A build, from packages to a disk: the stages in their order, each made only if it isn't there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::arguments::Wish;
use crate::cache::{Cache, Inputs};
use crate::cargo::Linked;
use crate::debian::{Kernel, Tree};
use crate::keys::{Boot, Update};
use crate::lock::Lock;
use crate::mirror::Mirror;
use crate::recipe::{self, Recipe};
use crate::tools::Tools;
use crate::{
    Error, Result, cargo, debian, disk, flash, keys, say, sbom, sign, start, system, verity,
};

/// Makes an image and says where it is.
pub(crate) fn build(wish: &Wish) -> Result<PathBuf> {
    let built = parts(wish)?;
    let (cache, recipe) = (&built.cache, &built.recipe);
    let inputs = page(recipe, "disk")?.stage(&built.slot).stage(&built.start).text(&wish.version);
    let done = cache.stage("disk", &inputs, |out| {
        let parts = disk::Parts {
            sizes: recipe.disk,
            slot: &built.slot,
            start: &built.start,
            version: &wish.version,
        };
        disk::make(&parts, &out.join(disk::NAME))
    })?;
    let image = done.join(disk::NAME);
    let Some(out) = &wish.out else { return Ok(image) };
    // What goes out to others: packed, which takes longer than everything before.
    let inputs = page(recipe, "packed")?.stage(&done);
    let packed = cache.stage("packed", &inputs, |packed| {
        disk::pack(&image, packed, &built.tools, &cache.log("packed"))
    })?;
    disk::copy(&image, out)?;
    for (from, ending) in [(&done, "bmap"), (&packed, "xz"), (&packed, "zst")] {
        let from = flash::with(&from.join(disk::NAME), ending);
        fs::copy(&from, flash::with(out, ending)).map_err(Error::file(out))?;
    }
    let list = flash::with(out, "spdx.json");
    let text = sbom::list(&wish.version, &wish.arch, recipe.epoch, &built.packages)?;
    fs::write(&list, text).map_err(Error::file(&list))?;
    Ok(out.clone())
}

/// What a disk and a bundle are made of, held in the cache as long as it's needed.
pub(crate) struct Built {
    cache: Cache,
    recipe: Recipe,
    tools: Tools,
    /// What the system is made of.
    packages: Lock,
    /// The file system, its hash tree, and the root hash.
    pub(crate) slot: PathBuf,
    /// The kernel, and the boot loader.
    pub(crate) start: PathBuf,
}

/// Makes all of it that isn't there yet.
pub(crate) fn parts(wish: &Wish) -> Result<Built> {
    needs_root()?;
    let recipe = Recipe::read(&wish.flavour)?;
    let keys = wish.sign_with.as_deref().map(Boot::of).transpose()?;
    // Before the cache is taken: others may use it while a compiler runs.
    let program = match &wish.program {
        Some(program) => program.clone(),
        None => cargo::build("hometwin", Linked::Dynamic, &wish.arch)?,
    };
    let first = cargo::build("initrd", Linked::Static, &wish.arch)?;
    let cache = Cache::open()?;
    let packages = Packages::fetch(wish, &recipe, &cache)?;
    let tools = Tools::new(&packages.tools, recipe.epoch);
    let kernel = Kernel::of(&packages.system)?;

    let inputs = page(&recipe, "system")?.stage(&packages.system).stage(&packages.tools);
    let mut inputs = inputs.folder(&recipe::folder())?.file(&program)?.text(&wish.version);
    inputs = inputs.file(&cargo::lock_file())?.text(&wish.arch);
    let trusted = wish.sign_with.as_deref().map(Update::newest_statement).transpose()?;
    let trusted = trusted.as_deref();
    if let Some(files) = &wish.files {
        inputs = inputs.text("files").folder(files)?;
    }
    let inputs = inputs.text(&wish.flavour).text(
        &trusted
            .map(blake3::hash)
            .map_or_else(|| "trusts nobody".to_owned(), |statement| statement.to_hex().to_string()),
    );
    let system = cache.stage("system", &inputs, |out| {
        system::make(
            &system::Parts {
                recipe: &recipe,
                packages: &packages.system,
                program: &program,
                kernel: &kernel,
                arch: &wish.arch,
                flavour: &wish.flavour,
                files: wish.files.as_deref(),
                version: &wish.version,
                trusted,
                tools: &tools,
                log: &cache.log("system"),
            },
            out,
        )
    })?;

    let packed = if wish.quick { "quick" } else { "small" };
    let inputs = page(&recipe, "slot")?.stage(&system).text(packed);
    let slot = cache.stage("slot", &inputs, |out| {
        let log = cache.log("slot");
        let how = if wish.quick { "-zlz4" } else { "-zzstd,level=9" };
        system::pack(&tools, &system, out, recipe.epoch, how, &log)?;
        let hash = verity::write(&out.join(SYSTEM), &out.join(HASHES), UUID, &salt(&wish.version))?;
        let path = out.join(ROOT_HASH);
        fs::write(&path, hash.to_string()).map_err(Error::file(&path))
    })?;

    let inputs = page(&recipe, "start")?.stage(&slot).stage(&system).file(&first)?;
    let start = cache.stage("start", &inputs, |out| {
        start::make(
            &start::Parts {
                recipe: &recipe,
                system: &system,
                slot: &slot,
                first: &first,
                pack: if wish.quick { "-3" } else { "-19" },
                kernel: &kernel,
                tools: &tools,
                log: &cache.log("start"),
            },
            out,
        )
    })?;

    let start = match &keys {
        None => start,
        Some(keys) => signed(&cache, &recipe, &start, keys, &tools)?,
    };
    let packages = debian::packages(&packages.system)?;
    Ok(Built { cache, recipe, tools, packages, slot, start })
}

/// The same, signed for firmware that starts nothing else.
fn signed(
    cache: &Cache,
    recipe: &Recipe,
    start: &Path,
    keys: &Boot,
    tools: &Tools,
) -> Result<PathBuf> {
    let mut inputs = page(recipe, "signed")?.stage(start);
    for name in keys::boot::ALL {
        let [_, certificate] = keys.pair(name);
        inputs = inputs.file(&certificate)?;
    }
    cache.stage("signed", &inputs, |out| sign::make(start, keys, tools, out, &cache.log("signed")))
}

/// Writes down which packages the mirror has now.
pub(crate) fn lock(wish: &Wish) -> Result<PathBuf> {
    needs_root()?;
    let recipe = Recipe::read(&wish.flavour)?;
    let cache = Cache::open()?;
    let mirror = Mirror::find(wish.mirror.as_deref())?;
    let mut found = Lock::default();
    for tree in [Tree::System, Tree::Tools] {
        let scratch = tempfile::tempdir().map_err(Error::file("a temporary folder"))?;
        say(&format!("packages of {}", tree.name()));
        debian::install(tree, &recipe, &mirror, scratch.path(), &cache.log(tree.name()))?;
        found.merge(debian::packages(scratch.path())?);
    }
    let file = lock_file(wish);
    fs::write(&file, found.to_text()).map_err(Error::file(&file))?;
    Ok(file)
}

/// The tool tree, whichever way it was made.
pub(crate) fn tools(cache: &Cache, wish: &Wish) -> Result<PathBuf> {
    let recipe = Recipe::read(&wish.flavour)?;
    one_tree(Tree::Tools, wish, &recipe, cache)
}

/// What is built when nothing else is said; takes what the mirror has.
pub(crate) fn usual() -> Wish {
    Wish {
        arch: "x86_64".to_owned(),
        files: None,
        flavour: "headless".to_owned(),
        mirror: None,
        out: None,
        program: None,
        quick: false,
        sign_with: None,
        unlocked: true,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// Says what it is for, and which programs of the machine are missing.
pub(crate) fn needs_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| std::env::split_paths(&path).any(|dir| dir.join(program).is_file());
    let missing: Vec<_> = NEEDED.iter().filter(|(program, _)| !there(program)).collect();
    if missing.is_empty() {
        // A container's root may not: without mounts of their own no tree's tools can run.
        let may = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status();
        let may = may.map_err(Error::file("unshare"))?.success();
        return if may { Ok(()) } else { Err(Error::NotRoot) };
    }
    let list = |pick: fn(&(&str, &str)) -> String| {
        missing.iter().map(|entry| pick(entry)).collect::<Vec<_>>().join(" ")
    };
    Err(Error::Missing {
        programs: list(|(program, _)| (*program).to_owned()),
        packages: list(|(_, package)| (*package).to_owned()),
    })
}

/// The two trees of packages.
struct Packages {
    system: PathBuf,
    tools: PathBuf,
}

impl Packages {
    fn fetch(wish: &Wish, recipe: &Recipe, cache: &Cache) -> Result<Self> {
        Ok(Self {
            system: one_tree(Tree::System, wish, recipe, cache)?,
            tools: one_tree(Tree::Tools, wish, recipe, cache)?,
        })
    }
}

fn one_tree(tree: Tree, wish: &Wish, recipe: &Recipe, cache: &Cache) -> Result<PathBuf> {
    let file = lock_file(wish);
    let locked = fs::read_to_string(&file).map_err(Error::file(&file))?;
    let locked = Lock::read(&locked).tree(tree.name());
    let debian = &recipe.debian;
    let wanted = match tree {
        Tree::System => format!("{} {}", debian.packages.join(" "), debian.kernel),
        Tree::Tools => debian.tools.join(" "),
    };
    let inputs = || {
        let inputs = Inputs::new().text("packages 2").text(&debian.suite).text(&wanted);
        inputs.text(&recipe.epoch.to_string()).text(&wish.arch)
    };
    let name = format!("{}-packages", tree.name());
    let exact = inputs().text(&locked.to_text());
    let loose = inputs().text("unlocked");
    let inputs = if wish.unlocked && !cache.has(&name, &exact) { loose } else { exact };
    cache.stage(&name, &inputs, |out| {
        let mirror = Mirror::find(wish.mirror.as_deref())?;
        debian::install(tree, recipe, &mirror, out, &cache.log(&name))?;
        let differences = locked.differences(&debian::packages(out)?);
        if differences.is_empty() {
            return Ok(());
        }
        let differences = differences.join("\n");
        if wish.unlocked {
            say(&format!("other packages than {} says:\n{differences}", file.display()));
            return Ok(());
        }
        Err(Error::Lock { file: file.clone(), differences })
    })
}

fn lock_file(wish: &Wish) -> PathBuf {
    recipe::folder().join(format!("{}.{}.lock", wish.flavour, wish.arch))
}

/// What every stage of ours is made from: the recipe's page, and the program that makes it.
fn page(recipe: &Recipe, stage: &str) -> Result<Inputs> {
    Inputs::new().text(stage).text(&recipe.text).file(Path::new("/proc/self/exe"))
}

/// Fixed, so that the same input makes the same bytes; it only has to differ between versions.
fn salt(version: &str) -> [u8; 32] {
    *blake3::hash(format!("hometwin {version}").as_bytes()).as_bytes()
}

pub(crate) const SYSTEM: &str = "system.erofs";
pub(crate) const HASHES: &str = "system.verity";
pub(crate) const ROOT_HASH: &str = "roothash";
/// Of the hash tree and the file system; ids of partitions come from the hash.
pub(crate) const UUID: [u8; 16] = *b"hometwin-system1";

/// Programs of the building machine, and the packages that bring them.
const NEEDED: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("chroot", "coreutils"),
    ("dpkg-deb", "dpkg"),
    ("mmdebstrap", "mmdebstrap"),
    ("mount", "mount"),
    ("unshare", "util-linux"),
];
