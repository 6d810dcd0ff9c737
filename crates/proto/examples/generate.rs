//! Generates the code for `proto/loggia/v1` into a folder: `generate DIR`. `make proto` calls it.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("the folder is missing")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files: Vec<PathBuf> = ["query", "ingest", "catalog", "shard"]
        .iter()
        .map(|name| root.join(format!("loggia/v1/{name}.proto")))
        .collect();
    tonic_prost_build::configure()
        .out_dir(&out)
        .file_descriptor_set_path(Path::new(&out).join("descriptor.bin"))
        .bytes(".")
        .btree_map(".")
        .compile_protos(&files, &[root])?;
    Ok(())
}
