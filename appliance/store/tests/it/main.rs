//! The store's public face, driven as the twin drives it. One binary, because linking costs more
//! than running.
mod changes;
mod history;
mod notes;
mod raw;
