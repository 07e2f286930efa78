//! A data directory of its own for each test, and the program run on it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use clisonix_fhir::json::{self, Value};
use tempfile::TempDir;

/// A temporary directory with the data directory `data` and whatever files a test writes.
pub(crate) struct Site {
    directory: TempDir,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().expect("a temporary directory") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, and returns its path as an argument.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, content).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// The program with the test's author and data directory, and nothing from the environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clisonix"));
        command.env_clear().env("CLISONIX_DATA", self.path("data"));
        command.env("CLISONIX_AUTHOR", "dr-test");
        command.env("CLISONIX_STORE_KEYS", self.path("store-keys"));
        command
    }

    pub(crate) fn run<'a>(&self, arguments: impl AsRef<[&'a str]>) -> Ended {
        let output = self.command().args(arguments.as_ref()).output().expect("the program runs");
        Ended::of(&output)
    }

    /// Runs with `--json` and reads one JSON value a line; the exit code must be `code`.
    pub(crate) fn json<'a>(&self, code: i32, arguments: impl AsRef<[&'a str]>) -> Vec<Value> {
        let arguments: Vec<&str> =
            arguments.as_ref().iter().copied().chain(std::iter::once("--json")).collect();
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(code), "stderr: {}", ended.err);
        ended.out.lines().map(|line| json::parse(line.as_bytes()).expect("JSON")).collect()
    }

    /// Like [`Self::json`], for commands that print one object.
    pub(crate) fn object<'a>(&self, code: i32, arguments: impl AsRef<[&'a str]>) -> Value {
        let mut values = self.json(code, arguments);
        assert_eq!(values.len(), 1);
        values.remove(0)
    }
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).expect("UTF-8"),
            err: String::from_utf8(output.stderr.clone()).expect("UTF-8"),
        }
    }
}

/// A member that is a number.
pub(crate) fn number(value: &Value, name: &str) -> i64 {
    let number = value.get(name).and_then(Value::as_number).and_then(json::Number::as_i64);
    number.unwrap_or_else(|| panic!("no number {name} in {}", value.to_text()))
}

/// A member that is text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {name}"))
}

/// A bundle about one made person: a condition and an allergy of the given criticality.
pub(crate) fn bundle(author: &str, criticality: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","identifier":{{"system":"urn:test:{author}","value":"1"}},
 "type":"collection","timestamp":"2024-05-01T08:00:00Z","entry":[
 {{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{{"resourceType":"Patient",
  "id":"pat-1","identifier":[{{"system":"urn:test:mrn","value":"MRN-1"}}],
  "name":[{{"family":"Testa","given":["Ada"]}}],"birthDate":"1970-02-03"}}}},
 {{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{{"resourceType":"AllergyIntolerance",
  "id":"all-1","identifier":[{{"system":"urn:test:allergy","value":"A-1"}}],
  "clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}}]}},
  "criticality":"{criticality}","code":{{"coding":[{{"system":"http://snomed.info/sct","code":"91936005","display":"Allergy to penicillin"}}]}},
  "patient":{{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"}}}}}}]}}"#
    )
}
