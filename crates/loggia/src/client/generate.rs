//! `loggia generate`.

use crate::cli::GenerateArgs;
use crate::client::system_now;
use crate::exit::Exit;

/// Writes made-up logs to a folder.
#[expect(clippy::print_stdout, reason = "it says what it wrote")]
pub(crate) fn run(args: &GenerateArgs) -> Result<(), Exit> {
    let config = generate::Config {
        workspaces: args.workspaces,
        days: args.days,
        seed: args.seed,
        now: system_now(),
        activity: args.activity,
    };
    let summary = generate::generate(&config, &args.dir)
        .map_err(|error| Exit::other(format!("error: {error}")))?;
    for (table, records) in &summary.records {
        println!("{records:>10}  {table}");
    }
    let records: u64 = summary.records.values().sum();
    let megabytes = summary.bytes as f64 / 1e6;
    println!(
        "{records:>10}  records in {} files, {megabytes:.1} MB",
        summary.files
    );
    println!(
        "load them with: loggia ingest --add-workspaces {}",
        args.dir.display()
    );
    Ok(())
}
