//! The door of a twin: a small key-value file for what the node may unlock without the person
//! (device tokens, TLS keys, due times). Every change is durable before the call returns. Never
//! holds anything of the journal.
use std::path::{Path, PathBuf};

use crate::Error;
use crate::env::{self, Env, Files, Lock, Mode, Opened};
use crate::error::engine;
use crate::rows::{Direction, Row, Rows, Scan, plain_key};

const OWNER: &str = "door";
const NAMES: [&str; 2] = ["meta", "door"];
/// Address space in bytes: sealed envelopes may wait here for days.
const MAP_SIZE: usize = 4 << 30;

/// An open door. Usable from several threads; writes wait for each other.
pub struct Door {
    rows: Rows,
    env: Env,
    data: PathBuf,
    _lock: Lock,
}

/// A change of several keys, all or nothing.
pub struct DoorWriter<'d> {
    rows: Rows,
    txn: heed::RwTxn<'d>,
}

impl Door {
    /// Opens the door in `folder`, making it if need be.
    ///
    /// # Errors
    /// As [`Store::open`](crate::Store::open).
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let files = Files::new(folder, "door");
        let Opened { env, rows, lock } = files.open(OWNER, NAMES, MAP_SIZE, true, Mode::Write)?;
        Ok(Self { rows: rows[1], env, data: files.data(), _lock: lock })
    }

    /// The value of `key`.
    ///
    /// # Errors
    /// [`Error::BadKey`], or the disk failed.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let txn = self.env.read_txn().map_err(engine)?;
        let value = self.rows.get(&txn, plain_key("door", key)?).map_err(engine)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// All rows whose keys start with `prefix`, ascending.
    ///
    /// # Errors
    /// The disk failed.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Vec<Row>, Error> {
        let txn = self.env.read_txn().map_err(engine)?;
        scan(self.rows, &txn, prefix)
    }

    /// Puts a value, durably.
    ///
    /// # Errors
    /// [`Error::BadKey`], [`Error::Full`], or the disk failed.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.write(|w| w.put(key, value))
    }

    /// Deletes a value, durably; tells whether there was one.
    ///
    /// # Errors
    /// As [`Door::put`].
    pub fn delete(&self, key: &[u8]) -> Result<bool, Error> {
        self.write(|w| w.delete(key))
    }

    /// Makes a change of several keys; all of it is durable when `Ok` is returned, none of it
    /// happened otherwise. `change` must not write to this door by other ways: it would wait for
    /// itself.
    ///
    /// # Errors
    /// What `change` returns; [`Error::Full`], or the disk failed.
    pub fn write<T, E: From<Error>>(
        &self,
        change: impl FnOnce(&mut DoorWriter<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let txn = self.env.write_txn().map_err(engine)?;
        let mut writer = DoorWriter { rows: self.rows, txn };
        let result = change(&mut writer)?;
        env::commit(writer.txn, &self.data).map_err(engine)?;
        Ok(result)
    }
}

impl DoorWriter<'_> {
    /// As [`Door::get`], with what this change has made so far.
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.rows.get(&self.txn, plain_key("door", key)?).map_err(engine)?;
        Ok(value.map(<[u8]>::to_vec))
    }

    /// As [`Door::prefix`], with what this change has made so far.
    ///
    /// # Errors
    /// As there.
    pub fn prefix(&self, prefix: &[u8]) -> Result<Vec<Row>, Error> {
        scan(self.rows, &self.txn, prefix)
    }

    /// Puts a value.
    ///
    /// # Errors
    /// As [`Door::put`].
    pub fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.rows.put(&mut self.txn, plain_key("door", key)?, value).map_err(engine)
    }

    /// Deletes a value; tells whether there was one.
    ///
    /// # Errors
    /// As [`Door::put`].
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, Error> {
        self.rows.delete(&mut self.txn, plain_key("door", key)?).map_err(engine)
    }
}

fn scan(rows: Rows, txn: &heed::RoTxn<'_>, prefix: &[u8]) -> Result<Vec<Row>, Error> {
    let direction = Direction::Forward;
    Scan { prefix, from: None, cut: 0, limit: usize::MAX, direction }.run(rows, txn)
}
