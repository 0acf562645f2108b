//! `bundle`: the same system that `build` makes, as a signed file for computers that have one already.
//!
//! Its parts are as they lie on the disk. They are packed already, so packing them again would save a
//! few percent, and whoever writes them as root would have to run an unpacker.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use initrd::hash::RootHash;
use update::{About, Version, make};

use crate::arguments::{Signing, Wish};
use crate::build::{self, Built};
use crate::keys::Update;
use crate::{Error, Result, start};

/// Makes a bundle and says where it is.
pub(crate) fn bundle(wish: &Wish, signing: &Signing) -> Result<PathBuf> {
    let folder = wish.sign_with.as_deref();
    let folder =
        folder.ok_or_else(|| Error::image("a bundle has to be signed: --sign-with DIR"))?;
    let keys = Update::read(folder)?;
    let built = build::parts(wish)?;
    let name = format!("hometwin_{}_{}.bundle", wish.version, wish.arch);
    let out = wish.out.clone().unwrap_or_else(|| PathBuf::from(name));
    // Complete or not there.
    let half = out.with_extension("making");
    let made = write(wish, signing, &keys, &built, &half);
    match made.and_then(|()| fs::rename(&half, &out).map_err(Error::file(&out))) {
        Ok(()) => Ok(out),
        Err(error) => {
            let _ = fs::remove_file(&half);
            Err(error)
        }
    }
}

fn write(wish: &Wish, signing: &Signing, keys: &Update, built: &Built, to: &Path) -> Result<()> {
    let path = built.slot.join(build::ROOT_HASH);
    let hash = fs::read_to_string(&path).map_err(Error::file(&path))?;
    let hash = RootHash::from_str(&hash).map_err(Error::image)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let about = About {
        flavour: wish.flavour.clone(),
        arch: wish.arch.clone(),
        version: Version::from_str(&wish.version).map_err(Error::image)?,
        from: signing.from,
        expires: now.saturating_add(signing.days.saturating_mul(24 * 60 * 60)),
        tries: signing.tries,
        root_hash: hash.0,
    };
    let open = |path: PathBuf| File::open(&path).map_err(Error::file(&path));
    let mut parts = [
        open(built.slot.join(build::SYSTEM))?,
        open(built.slot.join(build::HASHES))?,
        open(built.start.join(start::KERNEL))?,
    ];
    let mut out = File::create(to).map_err(Error::file(to))?;
    let made = make(&about, &mut parts, &keys.statements, &keys.key, &mut out);
    made.map_err(|error| Error::image(crate::chain(&error)))?;
    out.sync_all().map_err(Error::file(to))
}
