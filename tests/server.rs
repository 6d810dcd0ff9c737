//! A `loggia dev` process for tests, and the commands that talk to it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest time that anything here may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

/// The subscription of workspaces that tests make.
pub(crate) const SUBSCRIPTION: &str = "10000000-0000-4000-8000-000000000001";

/// A server process, killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    /// Lines of its output, until it ends.
    output: Mutex<mpsc::Receiver<String>>,
    url: String,
    folder: PathBuf,
}

impl Server {
    /// Starts a server on `folder` with further options, and waits until it is ready.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Self {
        let log = folder.join("stderr.txt");
        let mut process = Command::new(binary())
            .args(["dev", "--port", "0", "--data"])
            .arg(folder.join("data"))
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a file for what the server says"))
            .spawn()
            .expect("the server starts");
        let stdout = process.stdout.take().expect("its output is piped");
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let ready = receive.recv_timeout(DEADLINE);
        let url = ready.ok().and_then(|line| {
            let url = line.strip_prefix("ready ")?;
            Some(url.to_owned())
        });
        let mut server = Self {
            process,
            output: Mutex::new(receive),
            url: url.clone().unwrap_or_default(),
            folder: folder.to_owned(),
        };
        if url.is_none() {
            server.end();
            panic!("the server is not ready: {}", server.log());
        }
        server
    }

    /// Where it serves.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The certificate that clients of a server with `--tls` need.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("data/tls/ca.pem")
    }

    /// What it said on stderr.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.join("stderr.txt")).unwrap_or_default()
    }

    /// A command of the binary that talks to this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("LOGGIA_SERVER", &self.url)
            .stdin(Stdio::null());
        if self.url.starts_with("https") {
            command.env("LOGGIA_CA", self.ca());
        }
        command
    }

    /// Runs a command that talks to this server.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        Done::of(&mut self.command(arguments))
    }

    /// Runs a command with text on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().expect("the command starts");
        let mut stdin = process.stdin.take().expect("its input is piped");
        stdin
            .write_all(input.as_bytes())
            .expect("the input is taken");
        drop(stdin);
        process.wait_with_output().expect("the command ends").into()
    }

    /// The rows of a query over all workspaces, as objects.
    pub(crate) fn ask(&self, kql: &str) -> Vec<Value> {
        self.ask_of(&["--all"], kql)
    }

    /// The rows of a query with further options.
    pub(crate) fn ask_of(&self, options: &[&str], kql: &str) -> Vec<Value> {
        let arguments = [&["query", "--format", "json"], options, &[kql]].concat();
        let done = self.run(&arguments).ok();
        let rows: Value = serde_json::from_str(&done.stdout).expect("the rows are JSON");
        rows.as_array().expect("an array of rows").clone()
    }

    /// Adds an ML workspace and gives its GUID.
    pub(crate) fn add_workspace(&self, name: &str) -> String {
        let done = self
            .run(&["workspace", "add", &workspace_resource(name)])
            .ok();
        let id = done.stdout.split_whitespace().nth(1);
        id.expect("the command prints the GUID").to_owned()
    }

    /// Writes records to a file and ingests it.
    pub(crate) fn ingest(&self, name: &str, records: &[Value]) -> Done {
        let path = self.folder.join(name);
        fs::write(&path, lines(records)).expect("the file is written");
        self.run(&["ingest", path.to_str().expect("a path of text")])
            .ok()
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks the process to end and waits until it has.
    pub(crate) fn stop(mut self) {
        let kill = format!("kill -TERM {}", self.process.id());
        let asked = Command::new("sh").args(["-c", &kill]).status();
        assert!(asked.expect("`sh` runs").success(), "the server is there");
        // Its output ends with it.
        let output = self.output.get_mut().expect("nobody panicked with it");
        while let Some(line) = match output.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("the server does not end"),
        } {
            assert!(!line.starts_with("ready"), "it was ready before");
        }
        let status = self.process.wait().expect("its status is known");
        assert!(status.success(), "{status}: {}", self.log());
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// How a command ended and what it printed.
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Its output as bytes.
    pub(crate) bytes: Vec<u8>,
}

impl Done {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output();
        output
            .unwrap_or_else(|error| panic!("can't run {command:?}: {error}"))
            .into()
    }

    /// The same, if it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        let Self {
            code,
            stdout,
            stderr,
            ..
        } = &self;
        assert_eq!(*code, 0, "{stdout}\n{stderr}");
        self
    }

    /// The same, if it ended with another status.
    #[track_caller]
    pub(crate) fn fails(self, status: i32) -> Self {
        let Self {
            code,
            stdout,
            stderr,
            ..
        } = &self;
        assert_eq!(*code, status, "{stdout}\n{stderr}");
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }
}

/// The binary under test.
pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_loggia")
}

/// A file of this folder.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

/// A folder that is deleted at the end.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// The resource id of an ML workspace of the tests.
pub(crate) fn workspace_resource(name: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-tests/providers/\
         microsoft.machinelearningservices/workspaces/{name}"
    )
}

/// A record of a job's event, as Azure exports it.
pub(crate) fn job_event(workspace: &str, time: &str, event: &str, job: &str) -> Value {
    json!({
        "time": time,
        "resourceId": workspace_resource(workspace).to_uppercase(),
        "operationName": event,
        "category": "AmlComputeJobEvent",
        "properties": { "EventType": event, "JobName": job, "ClusterName": "cpu-small" },
    })
}

/// Records as JSON Lines.
pub(crate) fn lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}
