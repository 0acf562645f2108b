//! The data file opened past the store, to plant faults. Never used where the store is open.
use std::path::Path;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, EnvFlags, EnvOpenOptions, RwTxn, WithoutTls};

pub(crate) type Rows = Database<'static, Bytes, Bytes>;

pub(crate) struct Raw {
    pub(crate) meta: Rows,
    pub(crate) journal: Rows,
    pub(crate) tables: Rows,
}

pub(crate) fn change(folder: &Path, change: impl FnOnce(&Raw, &mut RwTxn<'_>)) {
    let env = open(&folder.join("store.mdb"));
    let txn = env.write_txn().unwrap();
    let made = env.create_databases_and_commit(txn, |opener, txn| {
        let mut open = |name| opener.create_database(txn, Some(name));
        let rows = [open("meta")?, open("journal")?, open("tables")?];
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(rows))
    });
    let [meta, journal, tables] = made.unwrap().unwrap_commit();
    let mut txn = env.write_txn().unwrap();
    change(&Raw { meta, journal, tables }, &mut txn);
    txn.commit().unwrap();
}

#[expect(unsafe_code, reason = "LMDB maps the file; the tests own it alone")]
pub(crate) fn open(file: &Path) -> heed::Env<WithoutTls> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(16 << 20).max_dbs(8);
    // SAFETY: the file is in a folder made by the test and the store is closed.
    unsafe {
        options.flags(EnvFlags::NO_SUB_DIR);
        options.open(file).unwrap()
    }
}
