//! The committed code is what `proto/loggia/v1` gives.

mod generator;

use std::path::Path;

#[test]
fn generated_code_is_current() {
    let out = tempfile::tempdir().expect("a folder");
    generator::generate(out.path()).expect("the files of proto/ are fine");
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(out.path()).expect("the folder is readable") {
        let name = entry.expect("an entry").file_name();
        let new = std::fs::read(out.path().join(&name)).expect("it was written");
        let old = std::fs::read(committed.join(&name)).unwrap_or_default();
        assert!(new == old, "{} is stale: run `make proto`", name.display());
        names.push(name);
    }
    assert_eq!(names.len(), 2, "code and descriptors: {names:?}");
}
