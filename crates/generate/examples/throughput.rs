//! How fast logs are made and read: `cargo run --release -p generate --example throughput [activity]`.

#![expect(clippy::print_stdout, reason = "printing is what this program is for")]

use std::collections::BTreeMap;
use std::time::Instant;

use generate::{Config, ExportedFile, files};
use records::{Intake, Mapping, parse};

fn main() {
    let activity = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let config = Config {
        activity: activity.unwrap_or(1.0),
        ..Config::demo(1_795_428_000_000_000_000)
    };
    let begun = Instant::now();
    let files: Vec<ExportedFile> = files(&config).expect("a valid configuration").collect();
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    report("made", bytes, begun);

    let mapping = Mapping::builtin();
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let begun = Instant::now();
    for file in &files {
        let parsed = parse(&mapping, &file.bytes, &Intake::default());
        for group in &parsed.groups {
            let count = counts.entry(&group.table.name).or_default();
            count.0 += group.batch.num_rows();
        }
    }
    report("read by files", bytes, begun);

    // What ingest sees when files are read in blocks, or sent in batches.
    let mut by_category: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for file in &files {
        by_category
            .entry(file.category)
            .or_default()
            .extend(&file.bytes);
    }
    let begun = Instant::now();
    for lines in by_category.values() {
        let parsed = parse(&mapping, lines, &Intake::default());
        assert!(parsed.refused.is_empty(), "{:?}", parsed.refused[0]);
    }
    report("read by categories", bytes, begun);

    for (category, lines) in &by_category {
        let table = schema::category::category(category).expect("a known category");
        counts.entry(&table.table).or_default().1 += lines.len();
    }
    for (table, (records, bytes)) in &counts {
        println!(
            "{table:32} {records:>8} records {:>6} bytes each",
            bytes / records
        );
    }
    let records: usize = counts.values().map(|(records, _)| records).sum();
    println!("{:32} {records:>8} records in {} files", "", files.len());
}

fn report(what: &str, bytes: usize, begun: Instant) {
    let (megabytes, seconds) = (bytes as f64 / 1e6, begun.elapsed().as_secs_f64());
    println!(
        "{what}: {megabytes:.1} MB in {seconds:.3} s, {:.0} MB/s",
        megabytes / seconds
    );
}
