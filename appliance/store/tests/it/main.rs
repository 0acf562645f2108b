//! The store's public face, driven as the twin drives it. One binary, because linking costs more
//! than running.
mod again;
mod changes;
mod door;
mod faults;
mod history;
mod kill;
mod notes;
mod raw;
