//! Any text parses without a panic, and a text without fault prints to one that says the same.
//!
//! `make fuzz` builds and runs it; it needs a C++ compiler for libFuzzer. What breaks is kept in
//! `target/fuzz/found`; make it a test of the crate `kql`.

#![no_main]

#[path = "../../../crates/kql/tests/support/round_trip.rs"]
mod round_trip;

use round_trip::Outcome;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match round_trip::check(text) {
        Outcome::Broken(why) => panic!("{text:?}\n{why}"),
        Outcome::Faulty(picture) => assert!(!picture.is_empty(), "{text:?}"),
        Outcome::Sound(printed) => assert!(!printed.is_empty(), "{text:?}"),
    }
});
