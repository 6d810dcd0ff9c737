//! Python and Node with the packages that tests need, installed once into `target/sdk`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Done, file};

/// A Python with the packages of `tests/sdk` and `examples/python`.
pub(crate) fn python() -> PathBuf {
    let folder = folder().join("python");
    let pins = [
        file("tests/sdk/requirements.txt"),
        file("examples/python/requirements.txt"),
    ];
    let python = folder.join("bin/python");
    install(&folder, &pins, |folder| {
        run(
            Command::new(system_python())
                .args(["-m", "venv", "--clear"])
                .arg(folder),
            "`python3 -m venv` fails; install it: apt-get install python3-venv",
        );
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet"]);
        for pins in &pins {
            pip.arg("--requirement").arg(pins);
        }
        run(&mut pip, "pip can't install the packages");
    });
    python
}

/// A Python without further packages.
pub(crate) fn system_python() -> &'static str {
    let version = Command::new("python3").arg("--version").output();
    assert!(
        version.is_ok_and(|version| version.status.success()),
        "there is no `python3`; install it: apt-get install python3 python3-venv"
    );
    "python3"
}

/// A Node of its own, which the Python packages bring, and the folder in which it finds the packages
/// of `tests/sdk/package.json`.
pub(crate) fn node() -> (PathBuf, PathBuf) {
    let programs = python().with_file_name("");
    let folder = folder().join("node");
    let pins = [
        file("tests/sdk/package.json"),
        file("tests/sdk/package-lock.json"),
    ];
    install(&folder, &pins, |folder| {
        fs::create_dir_all(folder).expect("the folder is made");
        for pins in &pins {
            let name = pins.file_name().expect("a file has a name");
            fs::copy(pins, folder.join(name)).expect("the file is copied");
        }
        run(
            Command::new(programs.join("npm"))
                .args(["ci", "--silent", "--no-audit", "--no-fund", "--prefix"])
                .arg(folder)
                .current_dir(folder),
            "`npm ci` fails",
        );
    });
    (programs.join("node"), folder.join("node_modules"))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's folder for tests lies in the target folder")
        .join("sdk")
}

/// Runs `make` unless it ran before with the same content of the files `pins`.
fn install(folder: &Path, pins: &[PathBuf], make: impl FnOnce(&Path)) {
    let parent = folder.parent().expect("it lies in a folder");
    fs::create_dir_all(parent).expect("the folder is made");
    // Tests run side by side, and so may whole runs.
    let lock = File::create(folder.with_extension("lock")).expect("a file to lock");
    lock.lock().expect("the lock");
    let wanted: String = pins
        .iter()
        .map(|pins| fs::read_to_string(pins).expect("a file of pins"))
        .collect();
    let installed = folder.with_extension("installed");
    if fs::read_to_string(&installed).is_ok_and(|is| is == wanted) {
        return;
    }
    let _ = fs::remove_file(&installed);
    make(folder);
    fs::write(&installed, wanted).expect("what is installed is noted");
}

fn run(command: &mut Command, problem: &str) {
    match command.output() {
        Err(error) => panic!("{problem}: {error}"),
        Ok(output) => {
            let done = Done::from(output);
            assert_eq!(done.code, 0, "{problem}\n{}\n{}", done.stdout, done.stderr);
        }
    }
}
