//! Every form of the language parses, prints, and parses again to the same tree.
//!
//! `queries/*.kql` holds the queries, a paragraph each, and `snapshots/` their canonical prints.
//! `INSTA_UPDATE=always` accepts what is printed now; read the difference before it is committed.

use std::fmt::Write as _;
use std::path::Path;

#[path = "support/round_trip.rs"]
mod round_trip;

use round_trip::{Outcome, check};

#[test]
fn every_form_prints_as_it_means() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queries");
    let mut wrong = String::new();
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("its entries are readable").path();
        let text = std::fs::read_to_string(&path).expect("a file of queries is readable");
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let name = name.expect("a file of queries has a plain name");
        let mut golden = String::new();
        for query in text.split("\n\n") {
            let title = query.lines().next().unwrap_or("");
            match check(query) {
                Outcome::Sound(printed) => {
                    let _ = write!(golden, "{title}\n{printed}\n\n");
                }
                Outcome::Faulty(why) | Outcome::Broken(why) => {
                    let _ = write!(wrong, "{name}: {title}\n{why}\n\n");
                }
            }
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, golden));
        files += 1;
    }
    assert!(files > 10, "the queries are not where they should be");
    assert!(wrong.is_empty(), "{wrong}");
}
