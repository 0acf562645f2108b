//! The signed bundle that brings a computer a new system: made by `image-build`, verified and read
//! by whoever writes it to a slot.
//!
//! ```text
//! mark │ statements about keys, the oldest first │ manifest │ system │ hash tree │ kernel
//! ```
//!
//! After the ideas of TUF, for one publisher: what a system trusts is a signed *statement* that lies in
//! it; a newer statement is signed by the one before, so keys can change; the manifest is signed by
//! a key that the newest statement names, says for which systems it is, until when, and the hash of
//! every piece of the parts. Nothing of a part is used before its piece was compared, so a part that
//! was damaged or cut off is noticed at once, and nothing is ever whole in memory.
//!
//! Opens no file and no socket, writes to no disk, and doesn't know what a part means.

mod bundle;
mod codec;
mod error;
pub mod fuzz;
mod keys;
mod making;
mod manifest;
mod signed;
mod statement;
mod version;

pub use bundle::{Bundle, Contents};
pub use error::Error;
pub use keys::{NoRandomness, PublicKey, SecretKey};
pub use making::{About, make};
pub use manifest::{Here, Manifest, PIECE, Part, Piece, Pieces};
pub use statement::{Statement, Trust};
pub use version::Version;
