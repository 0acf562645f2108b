//! `cargo verify` and `cargo bench-node`.
fn main() {}
