//! `bundle`: the same system that `build` makes, as a signed file for computers that have one already.
//!
//! Its parts are as they lie on the disk. They are packed already, so packing them again would save a
//! few percent, and whoever writes them as root would have to run an unpacker.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use initrd::hash::RootHash;
use update::{About, Bundle, Manifest, Version, make};

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
    if let Some(mirror) = &signing.publish {
        fs::create_dir_all(mirror).map_err(Error::file(mirror))?;
    }
    let built = build::parts(wish)?;
    let name = format!("hometwin_{}_{}.bundle", wish.version, wish.arch);
    let out = match (&wish.out, &signing.publish) {
        (Some(out), _) => out.clone(),
        (None, Some(mirror)) => mirror.join(name),
        (None, None) => PathBuf::from(name),
    };
    // Complete or not there.
    let half = out.with_extension("making");
    let made = write(wish, signing, &keys, &built, &half).and_then(|manifest| {
        let Some(mirror) = &signing.publish else { return put(&half, &out) };
        publish(&half, &manifest, mirror)?;
        // Under its usual name only where that was asked for.
        if wish.out.is_some() { put(&half, &out) } else { Ok(()) }
    });
    let _ = fs::remove_file(&half);
    made.map(|()| match (&wish.out, &signing.publish) {
        (None, Some(mirror)) => mirror.clone(),
        _ => out,
    })
}

fn put(half: &Path, whole: &Path) -> Result<()> {
    fs::rename(half, whole).map_err(Error::file(whole))
}

/// Puts a bundle into the folder of a mirror: first itself, then what names it as the newest. So whoever
/// fetches meanwhile finds the one before, or this one, and those that there were stay.
fn publish(bundle: &Path, manifest: &Manifest, mirror: &Path) -> Result<()> {
    let newest = mirror.join(manifest.newest());
    let head = |path: &Path| -> Result<Bundle> {
        let mut file = File::open(path).map_err(Error::file(path))?;
        Bundle::read(&mut file).map_err(|error| Error::image(crate::chain(&error)))
    };
    let new = head(bundle)?;
    if let Some(before) = newest.exists().then(|| head(&newest)).transpose()?
        && let Some(version) = before.says().filter(|before| *before > manifest.version)
    {
        let reason = format!(
            "{} has version {version}, and computers refuse a mirror that goes back to {}",
            mirror.display(),
            manifest.version
        );
        return Err(Error::Image(reason));
    }
    let file = mirror.join(manifest.file_name());
    for (path, from) in [(&file, None), (&newest, Some(new.to_bytes()))] {
        let half = path.with_extension("publishing");
        match from {
            None => drop(fs::copy(bundle, &half).map_err(Error::file(&half))?),
            Some(bytes) => fs::write(&half, bytes).map_err(Error::file(&half))?,
        }
        // What lies in a web server's folder is for everybody.
        fs::set_permissions(&half, Permissions::from_mode(0o644)).map_err(Error::file(&half))?;
        File::open(&half).and_then(|half| half.sync_all()).map_err(Error::file(&half))?;
        put(&half, path)?;
    }
    Ok(())
}

fn write(
    wish: &Wish,
    signing: &Signing,
    keys: &Update,
    built: &Built,
    to: &Path,
) -> Result<Manifest> {
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
    let manifest = made.map_err(|error| Error::image(crate::chain(&error)))?;
    out.sync_all().map_err(Error::file(to))?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use update::{SecretKey, Statement};

    use super::*;

    fn made(version: Version, folder: &Path) -> (PathBuf, Manifest) {
        let keys = [1, 2].map(|n| SecretKey::from_bytes(&[n; 32]));
        let [root, update] = keys.each_ref().map(|key| vec![key.public()]);
        let statement = Statement { number: 1, root, update }.sign(&[&keys[0]]);
        let about = About {
            flavour: "headless".to_owned(),
            arch: "x86_64".to_owned(),
            version,
            from: Version::FIRST,
            expires: 1,
            tries: 3,
            root_hash: [0; 32],
        };
        let mut parts = [&b"system"[..], b"hashes", b"kernel"].map(Cursor::new);
        let mut bytes = Vec::new();
        let manifest = make(&about, &mut parts, &[statement], &keys[1], &mut bytes).unwrap();
        let path = folder.join("made");
        fs::write(&path, bytes).unwrap();
        (path, manifest)
    }

    #[test]
    fn a_mirror_goes_forward_only() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = folder.path().join("www");
        fs::create_dir(&mirror).unwrap();
        let names = || {
            let entries = fs::read_dir(&mirror).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        for version in [Version(0, 9, 0), Version(0, 10, 0), Version(0, 10, 0)] {
            let (bundle, manifest) = made(version, folder.path());
            publish(&bundle, &manifest, &mirror).unwrap();
            let bytes = fs::read(&bundle).unwrap();
            assert!(fs::read(mirror.join(manifest.file_name())).unwrap() == bytes);
            let newest = fs::read(mirror.join("headless_x86_64.newest")).unwrap();
            assert!(bytes.starts_with(&newest) && newest.len() + 18 == bytes.len());
        }
        let expected = [
            "headless_x86_64.newest",
            "headless_x86_64_0.10.0.bundle",
            "headless_x86_64_0.9.0.bundle",
        ];
        assert_eq!(names(), expected);
        let (bundle, manifest) = made(Version(0, 9, 9), folder.path());
        let error = publish(&bundle, &manifest, &mirror).unwrap_err().to_string();
        assert!(error.contains("has version 0.10.0"), "{error}");
        assert_eq!(names(), expected);
    }
}
