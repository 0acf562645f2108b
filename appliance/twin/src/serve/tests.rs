//! The door driven from outside: a hand-written gateway and executor, real TCP connections.

mod devices;
mod files;
mod harness;
mod hostile;
mod node;
mod people;
mod sleep;
mod sockets;
mod tls;
mod verbs;
