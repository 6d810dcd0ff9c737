//! What loading files would do.

use records::Analysis;

/// Writes, by table, how many records it would get, which properties have no column, and which
/// columns are never filled.
#[expect(clippy::print_stdout, reason = "it answers")]
pub(crate) fn write(analysis: &Analysis) {
    for table in analysis.tables() {
        println!("{} ({} records)", table.table.name, table.records);
        for (property, unmapped) in &table.unmapped {
            println!(
                "  no column for `{property}` ({} records, such as {})",
                unmapped.records, unmapped.example
            );
        }
        let never: Vec<String> = table
            .never_filled()
            .map(|column| format!("`{column}`"))
            .collect();
        if !never.is_empty() {
            println!("  never filled: {}", never.join(", "));
        }
    }
    println!("refused: {} records", analysis.refused());
    for refused in analysis.refusals() {
        let line = refused
            .line
            .map_or(String::new(), |line| format!("line {line}: "));
        println!("  {}", refused.reason);
        println!("    such as {line}{}", refused.record);
    }
}
