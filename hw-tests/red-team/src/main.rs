//! The product with one of its processes taken over, for `hw-tests/tests/walls_hold.rs`.
//!
//! ```text
//! red-team attempts twin|gateway|worker            their names, one a line
//! red-team attempt twin|gateway|worker NAME wall|open WORDS..   tries one thing, behind the wall or not
//! red-team ground twin|gateway|worker same|own-uid|ordinary   tries everything, each with its control
//! red-team image                                   inside a booted image, for `walls_hold_in_the_image.rs`
//! red-team run ...                                 a whole node: `hometwin`, but for who has orders
//! ```
//!
//! Everything but the hostile process is the real thing, and the wall is the one that the product
//! builds, by the same call. Never part of the product; does no harm outside of its own process that
//! a test does not look for.
#![expect(clippy::print_stdout, reason = "what this program prints is its result")]

mod attempts;
mod ground;
mod hostile;
mod image;

use std::process::ExitCode;

use executor::walls::{self, Given, Program};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["attempts", program] => {
            for name in attempts::names(program) {
                println!("{name}");
            }
            ExitCode::SUCCESS
        }
        ["attempt", program, name, wall, ref given @ ..] => attempt(program, name, wall, given),
        ["ground", program, who] => ground(program, who),
        ["image"] => image::run(),
        ["twin-process", number, ref given @ ..] => match hostile::order(&format!("twin {number}"))
        {
            Some(order) => hostile::process(Program::Twin, &order, given),
            None => hometwin::main(),
        },
        ["gateway-process", ref given @ ..] => match hostile::order("gateway") {
            Some(order) => hostile::process(Program::Gateway, &order, given),
            None => hometwin::main(),
        },
        ["worker-process", ref given @ ..] => match hostile::order("worker") {
            Some(order) => hostile::process(Program::Worker, &order, given),
            None => hometwin::main(),
        },
        _ => hometwin::main(),
    }
}

/// Tries everything, and prints a line of JSON.
fn ground(program: &str, who: &str) -> ExitCode {
    let found = ground::As::read(who).map(|who| ground::all(program, who));
    match found {
        Some(Ok(found)) => println!("{found}"),
        Some(Err(error)) => {
            println!("{error}");
            return ExitCode::FAILURE;
        }
        None => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

/// Tries one thing. Prints a line of JSON: what it got, or with which error it was refused.
fn attempt(program: &str, name: &str, wall: &str, given: &[&str]) -> ExitCode {
    let walled = match program {
        "gateway" => Program::Gateway,
        "worker" => Program::Worker,
        _ => Program::Twin,
    };
    if wall == "wall" {
        let Some(given) = Given::read(given.iter().copied()) else { return ExitCode::from(2) };
        if let Err(error) = walls::enter(walled, given) {
            println!("{}", serde_json::json!({ "unshut": error.to_string() }));
            return ExitCode::from(3);
        }
    }
    let said = match attempts::run(name) {
        Ok(()) => serde_json::json!({ "attempt": name, "got": true }),
        Err(errno) => serde_json::json!({ "attempt": name, "got": false, "errno": errno }),
    };
    println!("{said}");
    ExitCode::SUCCESS
}
