//! Opening a life: the store, the keys, the first entries. A broken folder is told apart from a
//! fresh one and never overwritten.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use handover::Place;
use link::{Chain, Keys, Signature, SigningKey};
use store::{Actor, Direction, Options, ReadAll as _, ReadTables as _, Store, Writer};
use tokio::{sync::broadcast, task::spawn_local};
use zeroize::Zeroizing;

use super::{
    Inner,
    api::{Shared, conversation_of, names},
    apply::Receiver,
    kinds::{
        By, LifeFold,
        contact::chain_text,
        identity::{About, GENESIS, Genesis, PROFILE, Profile},
        put,
    },
    peers::{Failure, Me, Peers, PeersError},
    tables::{CHAIN, HELD, Rows as _},
};

/// Why a life can't be opened: what happened and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error("{} is open in another process; stop that one first", .folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// What is in the folder contradicts itself.
    #[error("the data in {} are damaged; keep the folder and restore a copy", .folder.display())]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What was found.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The files are not ours.
    #[error("{} holds files of another program; choose another folder", .folder.display())]
    Foreign {
        /// The folder.
        folder: PathBuf,
    },
    /// A newer release wrote here.
    #[error("{} was written by a newer release; update this node first", .folder.display())]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// What is newer.
        #[source]
        source: store::Error,
    },
    /// A build from before the first release wrote here.
    #[error(
        "{} was written by a build from before the first release; keep the folder and start with \
         another one, or run that build and export",
        .folder.display()
    )]
    Older {
        /// The folder.
        folder: PathBuf,
        /// What is older.
        #[source]
        source: store::Error,
    },
    /// The disk is full.
    #[error("there is no room left for {}; free some space", .folder.display())]
    NoSpace {
        /// The folder.
        folder: PathBuf,
        /// What did not fit.
        #[source]
        source: store::Error,
    },
    /// The system gave no random bytes for keys.
    #[error("no keys can be made: the system gives no random bytes; try again")]
    Random,
    /// The folder can't be read or written.
    #[error("{} can't be used; check its owner and its disk", .folder.display())]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

pub(super) async fn open(
    folder: &Path,
    name: &str,
    place: Place,
    quota: Option<u64>,
) -> Result<Inner, OpenError> {
    let at = |error| OpenError::at(folder, error);
    std::fs::create_dir_all(folder).map_err(|source| OpenError::unreadable(folder, source))?;
    // Without room for a copy the data can still be read; what is really wrong, opening tells.
    match store::maintain(folder, quota) {
        Ok(Some(done)) => tracing::info!(before = done.before, after = done.after, "compacted"),
        Ok(None) => {}
        Err(error) => tracing::warn!(error = %crate::chain(&error), "data not compacted"),
    }
    let options = Options { quota, ..Options::default() };
    let store = Store::open(folder, options, Box::new(LifeFold)).map_err(at)?;
    if store.head().seq == 0 {
        begin(&store, name).await.map_err(at)?;
    }
    let known = store.read(Known::read).map_err(at)?;
    let known = known.ok_or_else(|| OpenError::damaged(folder, "the keys are missing"))?;
    let person = known.chain.check().map_err(|error| OpenError::damaged(folder, error))?;
    let shared = Arc::new(Shared {
        me: person.id,
        key: known.keys.twin.clone(),
        place,
        name: Mutex::new(name.to_owned()),
        pseudonyms: known.pseudonyms,
        errands: Arc::default(),
    });
    let (moved, _) = broadcast::channel(MOVED);
    let receiver = Arc::new(Receiver { shared: Arc::clone(&shared), moved: moved.clone() });
    let me = Me { chain: known.chain, key: known.keys.twin };
    let peers = Peers::open(store.clone(), me, Arc::clone(&receiver) as _, crate::clock_ms).await;
    let peers = peers.map_err(|error| OpenError::of_peers(folder, error))?;
    let held = store.read(|r| r.prefix(HELD, b"", 1, Direction::Forward)).map_err(at)?;
    if !held.is_empty() && store.stopped().is_none() {
        let now_ms = crate::clock_ms();
        let released = store.write(move |w| receiver.release_known(w, now_ms)).await;
        released.map_err(|failure| OpenError::of_release(folder, failure))?;
    }
    if let Err(error) = store.checkpoint_if_due(&Signer(shared.key.clone())) {
        tracing::warn!(error = %crate::chain(&error), "no checkpoint made");
    }
    spawn_local(store.courier());
    let (folder, noted, uploading) = (folder.to_owned(), Default::default(), Default::default());
    let carrying = Cell::new(false);
    let inner = Inner { folder, store, shared, peers, moved, carrying, noted, uploading };
    inner.sweep_soon();
    Ok(inner)
}

/// Deliveries that wait to be told to one subscription; beyond, it reads again.
const MOVED: usize = 256;

/// Keys, genesis and the first profile, in one write: a killed first start leaves nothing.
async fn begin(store: &Store, name: &str) -> Result<(), store::Error> {
    let keys = Keys::generate().map_err(|_| store::Error::Random)?;
    let mut pseudonyms = Zeroizing::new([0; 32]);
    getrandom::fill(&mut pseudonyms[..]).map_err(|_| store::Error::Random)?;
    let chain = Chain::begin(&keys);
    let own = |source| store::Error::Engine { source: Box::new(source) };
    let id = chain.check().map_err(own)?.id;
    let about = About { display_name: display_name(name), about: String::new() };
    let by = By { actor: Actor::System, now_ms: crate::clock_ms() };
    let secrets = keys.to_bytes();
    let change = move |w: &mut Writer<'_>| {
        w.vault_put(names::KEYS, &secrets[..])?;
        w.vault_put(names::PSEUDONYMS, &pseudonyms[..])?;
        let notebook = conversation_of(&id, &id);
        let genesis = Genesis { id, chain: chain_text(&chain), notebook };
        put(w, &by, GENESIS, &genesis, None::<&()>)?;
        let profile = Profile { previous: None, undoes: None };
        put(w, &by, PROFILE, &profile, Some(&about)).map(drop)
    };
    store.write(change).await
}

/// The name on the node with a capital letter: `ann` becomes `Ann`, for the person to change.
fn display_name(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(chars).collect()
}

/// What a life must have.
struct Known {
    keys: Keys,
    chain: Chain,
    pseudonyms: [u8; 32],
}

impl Known {
    fn read(r: &store::Reader<'_>) -> Result<Option<Self>, store::Error> {
        let me = r.me()?;
        let keys = Zeroizing::new(r.vault_get(names::KEYS)?.unwrap_or_default());
        let keys = keys.as_slice().try_into().map(Keys::from_bytes);
        let chain = r.get(CHAIN, me.id.as_bytes())?.map(|bytes| Chain::from_bytes(&bytes));
        let pseudonyms = r.vault_get(names::PSEUDONYMS)?.and_then(|bytes| bytes.try_into().ok());
        let (Ok(keys), Some(Ok(chain)), Some(pseudonyms)) = (keys, chain, pseudonyms) else {
            return Ok(None);
        };
        Ok(Some(Self { keys, chain, pseudonyms }))
    }
}

/// Signs checkpoints with the twin key.
pub(super) struct Signer(pub(super) SigningKey);

const CHECKPOINT: &str = "hometwin 2026-11 checkpoint of a life";

impl store::Sign for Signer {
    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(CHECKPOINT, bytes).to_bytes().to_vec()
    }

    fn verify(&self, bytes: &[u8], signature: &[u8]) -> bool {
        signature.try_into().is_ok_and(|signature| {
            self.0.public().verify(CHECKPOINT, bytes, &Signature::from_bytes(signature))
        })
    }
}

impl OpenError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the store may get more; these are told apart"
    )]
    fn at(folder: &Path, error: store::Error) -> Self {
        let folder = folder.to_owned();
        match error {
            store::Error::Busy { .. } => Self::Busy { folder },
            store::Error::Foreign { .. } => Self::Foreign { folder },
            source @ (store::Error::NewerFormat { .. } | store::Error::NewerEntry { .. }) => {
                Self::Newer { folder, source }
            }
            source @ store::Error::OlderFormat { .. } => Self::Older { folder, source },
            source @ store::Error::Full { .. } => Self::NoSpace { folder, source },
            store::Error::Random => Self::Random,
            source @ (store::Error::Damaged { .. }
            | store::Error::Truncated { .. }
            | store::Error::Fold { .. }) => Self::Damaged { folder, source: Box::new(source) },
            source => Self::unreadable(&folder, source),
        }
    }

    fn of_peers(folder: &Path, error: PeersError) -> Self {
        match error {
            PeersError::Store(error) => Self::at(folder, error),
            PeersError::Random(_) => Self::Random,
            other @ (PeersError::Chain | PeersError::Damaged(_)) => Self::damaged(folder, other),
        }
    }

    fn of_release(folder: &Path, failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => Self::at(folder, error),
            other @ Failure::Refused(_) => Self::damaged(folder, other),
        }
    }

    fn damaged(folder: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged { folder: folder.to_owned(), source: source.into() }
    }

    fn unreadable(
        folder: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreadable { folder: folder.to_owned(), source: source.into() }
    }
}
