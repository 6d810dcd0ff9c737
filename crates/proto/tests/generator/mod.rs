//! How the code in `src/generated` is made from `proto/loggia/v1`.

use std::path::Path;

use prost::Message as _;

/// Writes the generated code and the descriptors into `out`.
///
/// # Errors
/// If a file of `proto/` is wrong, or `out` can't be written.
pub(crate) fn generate(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let files =
        ["query", "ingest", "catalog", "shard"].map(|name| format!("loggia/v1/{name}.proto"));
    let mut compiler = protox::Compiler::new([root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files)?;
    let mut descriptors = compiler.file_descriptor_set();
    tonic_prost_build::configure()
        .out_dir(out)
        .bytes(".")
        .btree_map(".")
        .compile_fds(descriptors.clone())?;
    // Comments become documentation of the code; whoever reflects on the service needs none.
    for file in &mut descriptors.file {
        file.source_code_info = None;
    }
    std::fs::write(out.join("descriptor.bin"), descriptors.encode_to_vec())?;
    Ok(())
}
