//! Fuzzes what machines in the home's network say about names; never touches a socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = gateway::lan::message::read(bytes);
    let mut table = gateway::lan::cards::Table::default();
    table.await_answer(1);
    table.read(bytes);
    let _ = table.cards(&[]);
});
