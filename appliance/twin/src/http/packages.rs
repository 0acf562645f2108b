//! Packages at the door: what one is and what would change with it, and installing it after the person
//! has seen that. Never gives an experience anything: that is chosen when it asks.

use std::collections::BTreeMap;

use capability::experiences::latest::{Author, Inspect, Inspected, Install};
use capability::manifest::Manifest;
use data_encoding::HEXLOWER;
use link::TwinId;
use store::Actor;

use super::person::Visit;
use super::problem::Trouble;
use crate::life::packages::judged;
use crate::life::{Caller, Fault};

/// What a package is, and what would change with it.
pub(crate) async fn inspect(
    visit: &Visit<'_>,
    caller: &Caller,
    asked: &Inspect,
) -> Result<Inspected, Trouble> {
    only_shell(caller)?;
    let life = &visit.person.life;
    let bytes = life.package_bytes(caller, &asked.source).await?;
    let (_, package) = judged(bytes).await?;
    let manifest = &package.manifest;
    let installed = visit.person.shelf.find(life, manifest.name.as_str()).await?;
    let installed = installed.map(|found| found.shown);
    let (now, before) = (asks(manifest), installed.as_ref().map(|shown| asks(&shown.manifest)));
    let before_or_none = before.clone().unwrap_or_default();
    Ok(Inspected {
        name: manifest.name.clone(),
        version: manifest.version.to_string(),
        title: title(manifest),
        wants: manifest.wants.clone(),
        uses: manifest.uses.clone(),
        types: manifest.types.clone(),
        author: author(visit, &package.author)?,
        hash: HEXLOWER.encode(&package.hash),
        installed: installed.map(|shown| shown.manifest.version.to_string()),
        new: now.iter().filter(|one| !before_or_none.contains(one)).cloned().collect(),
        dropped: before_or_none.iter().filter(|one| !now.contains(one)).cloned().collect(),
    })
}

/// Installs the package that was shown.
pub(crate) async fn install(
    visit: &Visit<'_>,
    caller: &Caller,
    asked: &Install,
) -> Result<(), Trouble> {
    only_shell(caller)?;
    let Caller::Person { session } = caller else { return Ok(()) };
    let life = &visit.person.life;
    let bytes = life.package_bytes(caller, &asked.source).await?;
    let (bytes, package) = judged(bytes).await?;
    if HEXLOWER.encode(&package.hash) != asked.hash {
        return Err(Fault::conflict().into());
    }
    life.install(Actor::Device(session.clone()), bytes).await?;
    if let Some(upload) = &asked.source.upload {
        life.drop_upload(caller, upload).await?;
    }
    Ok(())
}

/// Who made it, as the person knows them.
pub(crate) fn author(visit: &Visit<'_>, twin: &TwinId) -> Result<Author, Trouble> {
    let life = &visit.person.life;
    let me = *twin == life.id();
    let name = if me { None } else { life.contact_name(twin)? };
    Ok(Author { twin: wire(twin)?, name, me })
}

/// What it is called, as the wire has it.
pub(crate) fn title(manifest: &Manifest) -> BTreeMap<String, String> {
    manifest.title.iter().map(|(tag, title)| (tag.clone(), title.to_string())).collect()
}

fn asks(manifest: &Manifest) -> Vec<String> {
    let wants = manifest.wants.iter().map(ToString::to_string);
    wants.chain(manifest.uses.iter().cloned()).chain(manifest.types.iter().cloned()).collect()
}

fn wire(twin: &TwinId) -> Result<capability::wire::TwinId, Trouble> {
    twin.to_string().parse().map_err(|_| Fault::inside("a twin id is none").into())
}

fn only_shell(caller: &Caller) -> Result<(), Trouble> {
    match caller {
        Caller::Person { .. } => Ok(()),
        Caller::Experience { .. } => Err(Fault::only_shell().into()),
    }
}
