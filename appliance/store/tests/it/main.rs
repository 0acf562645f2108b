//! The store's public face, driven as the twin drives it. One binary, because linking costs more
//! than running. The modules are marked as tests, helpers included, because lints ask for it.
#[cfg(test)]
mod again;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod courier;
#[cfg(test)]
mod door;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod history;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod notes;
#[cfg(test)]
mod patient;
#[cfg(test)]
mod quota;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod stopped;
