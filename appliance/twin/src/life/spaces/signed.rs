//! Texts that their authors sign: changes and rosters. Checked against the keys that a person's
//! operations name, also older ones, for what was signed stays signed when a key is replaced.

use capability::spaces::latest::Signed;
use data_encoding::BASE64;
use link::{Act, Chain, PublicKey, Signature, TwinId};
use serde::Serialize;
use store::ReadTables;

use crate::life::{
    Fault,
    api::Shared,
    tables::{CHAIN, spaces::SPACE_CHAIN},
};

/// What a change is signed as.
pub(crate) const OP: &str = "hometwin 2026-11 change in a space";
/// What a roster is signed as.
pub(crate) const ROSTER: &str = "hometwin 2026-11 roster of a space";

/// Our person says this.
pub(crate) fn sign(shared: &Shared, purpose: &str, text: &impl Serialize) -> Result<Signed, Fault> {
    let text = serde_json::to_string(text).map_err(|error| Fault::inside(&error.to_string()))?;
    let by = shared.me.to_string().parse().map_err(|_| Fault::inside("a twin id is none"))?;
    let sig = BASE64.encode(&shared.key.sign(purpose, text.as_bytes()).to_bytes());
    Ok(Signed { by, text, sig })
}

/// Who says it, if they do and are known.
pub(crate) fn author(t: &impl ReadTables, purpose: &str, signed: &Signed) -> Option<TwinId> {
    let by: TwinId = signed.by.as_str().parse().ok()?;
    let known = |table| t.get(table, by.as_bytes()).ok()?.map(|bytes| Chain::from_bytes(&bytes));
    let known = known(CHAIN).or_else(|| known(SPACE_CHAIN))?.ok()?;
    let chain = &known;
    if chain.check().ok()?.id != by {
        return None;
    }
    let bytes = BASE64.decode(signed.sig.as_bytes()).ok()?;
    let signature = Signature::from_bytes(bytes.try_into().ok()?);
    let holds = |key: &PublicKey| key.verify(purpose, signed.text.as_bytes(), &signature);
    keys(chain).iter().any(holds).then_some(by)
}

/// The keys that a person has signed with since the last recovery: older ones may be a thief's.
fn keys(chain: &Chain) -> Vec<PublicKey> {
    let mut keys = Vec::new();
    for operation in chain.operations() {
        match operation.act() {
            Act::Genesis { key, .. } | Act::Recover { key, .. } => keys = vec![*key],
            Act::Rotate { key } => keys.push(*key),
            Act::Delegate(_) => {}
        }
    }
    keys
}
