//! How much of a corpus parses: `cargo run -p kql --example parse_corpus -- FILE.jsonl…`
//!
//! Each line of a file is a JSON object with `query`, and optionally `id` and `tier`. Prints a count
//! for each tier and what is wrong with each query that does not parse, or that does not survive
//! being printed and parsed again.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::collections::BTreeMap;

#[path = "../tests/support/round_trip.rs"]
mod round_trip;

use round_trip::{Outcome, check};

fn main() {
    let mut tiers: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let case: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
            let query = case["query"].as_str().expect("`query` is a string");
            let tier = case["tier"]
                .as_i64()
                .map_or("-".into(), |tier| tier.to_string());
            let counts = tiers.entry(tier).or_default();
            counts.0 += 1;
            match check(query) {
                Outcome::Sound(printed) => counts.1 += usize::from(!printed.is_empty()),
                Outcome::Faulty(why) | Outcome::Broken(why) => {
                    println!("{}:\n{why}", case["id"]);
                }
            }
        }
    }
    for (tier, (all, parsed)) in tiers {
        println!("tier {tier}: {parsed} of {all} parse");
    }
}
