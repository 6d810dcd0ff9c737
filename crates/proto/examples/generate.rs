//! Generates the code of `proto/loggia/v1` into a folder: `generate DIR`. `make proto` calls it.
//! No protobuf compiler is needed.

#[path = "../tests/generator/mod.rs"]
mod generator;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("the folder is missing")?;
    generator::generate(std::path::Path::new(&out))
}
