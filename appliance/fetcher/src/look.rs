//! What a mirror has: the signed head of its newest bundle, and whether it says anything true.

use update::{Bundle, Contents, Error as Refused};

use crate::http::{From, Server};
use crate::{Error, System};

/// The newest there.
pub(crate) struct Newest {
    /// As it was signed.
    pub(crate) head: Vec<u8>,
    pub(crate) contents: Contents,
}

/// Fetches the head, and believes it if somebody signed it whom this system trusts.
pub(crate) async fn newest(server: &Server, system: &System) -> Result<Newest, Error> {
    let trust = system.trust.as_ref().ok_or(Error::TrustsNobody)?;
    let mut coming = server.get(&system.here.newest(), From { at: 0, same: None }).await?;
    let mut head = Vec::new();
    let all = async {
        loop {
            let some = coming.some(MOST).await?;
            head.extend_from_slice(&some);
            if some.is_empty() || head.len() > MOST {
                return Ok::<_, Error>(());
            }
        }
    };
    let read = tokio::time::timeout(server.patience.piece, all).await;
    read.unwrap_or(Err(Error::Slow))?;
    if head.len() > MOST {
        return Err(Refused::NoBundle.into());
    }
    let mut rest = head.as_slice();
    let contents = Bundle::read(&mut rest)?.verify(trust)?;
    if !rest.is_empty() {
        return Err(Refused::NoBundle.into());
    }
    let (manifest, here) = (&contents.manifest, &system.here);
    if (&manifest.flavour, &manifest.arch) != (&here.flavour, &here.arch) {
        let (flavour, arch) = (manifest.flavour.clone(), manifest.arch.clone());
        return Err(Refused::OtherKind { flavour, arch }.into());
    }
    if manifest.version < here.version {
        return Err(Error::Old { version: manifest.version, here: here.version });
    }
    // Somebody on the way could show an old folder for ever. So what says that there is nothing newer
    // has to be as young as what brings something.
    if manifest.version == here.version && manifest.expires <= here.now {
        return Err(Error::Stale);
    }
    Ok(Newest { head, contents })
}

/// The head of the largest bundle, with the most statements, has less.
const MOST: usize = 256 << 10;
