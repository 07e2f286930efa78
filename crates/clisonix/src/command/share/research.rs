//! `share research`: a cohort, de-identified, as NDJSON in a sealed share.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use clisonix_fhir::json::{Object, Value};
use clisonix_node::{By, Node};
use clisonix_pq::share::Moment;
use clisonix_research::{
    Attrition, Cohort, Criterion, Profile, Project, Report, Rules, ZipPopulation,
};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::new_file::{refuse_present, write_new};
use crate::outgoing::{Outgoing, Ready, Sealed};
use crate::pass_phrase::Source;
use crate::project_key;
use crate::release::{Release, whole};
use crate::results::Results;
use crate::sharing;
use crate::spool::Spooling;

/// Longest file of rules, of a cohort or of populations, in bytes.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Options of `share research`. The purpose is that of `--purpose`.
#[derive(Debug, Args)]
pub(crate) struct Research {
    /// Whose records: a file of lines `record PATIENT` and `having TYPE [SYSTEM|CODE,...]
    /// [FROM..UNTIL]`
    #[arg(long, value_name = "FILE", required_unless_present = "having")]
    cohort: Option<PathBuf>,
    /// What a patient must have, as such a line says it; may stand several times, and beside a file
    #[arg(long, value_name = "CRITERION")]
    having: Vec<String>,
    /// `safe-harbor`, `expert`, or a file of the project's own rules
    #[arg(long, value_name = "RULES")]
    deidentify: String,
    /// The project: its key, made at the first share, gives the pseudonyms and stays here
    #[arg(long, value_name = "NAME")]
    project: String,
    /// How many people live where a ZIP code begins so, lines of `ZIP,people`; without it no ZIP
    /// code goes out
    #[arg(long, value_name = "FILE")]
    zip_population: Option<PathBuf>,
    /// Let free text out as it was written: then no profile keeps its promise
    #[arg(long)]
    free_text: bool,
    /// Write the attrition and the report of what went out to this file too; it stays here
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    outgoing: Outgoing,
}

/// What became of it, beside the share: for the house, not for the recipient.
struct Account<'a> {
    project: &'a str,
    is_new_key: bool,
    attrition: Vec<Attrition>,
    report: Report,
}

impl Research {
    pub(super) fn own_keys(&self) -> (Option<&Path>, &Source) {
        self.outgoing.own.given()
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit> {
        let author = context.author()?;
        let by = context.by(&author);
        let rules = rules(&self.deidentify, context)?;
        let zips = self.zip_population.as_deref().map(|path| population(path, context));
        let zips = zips.transpose()?;
        let node = context.open_present()?;
        let cohort = cohort(self.cohort.as_deref(), &self.having, &node, context)?;
        let told = self.report.as_deref().map(|report| context.path(report));
        if let Some(report) = &told {
            refuse_present(report)?;
        }
        let name = format!("{}.ndjson", self.project);
        let words = format!("de-identified FHIR R4 resources, one a line: {}", rules.name());
        let folder = self.outgoing.own.folder(context)?;
        let ready = self.outgoing.ready(context, &name, &words)?;
        let (key, is_new_key) = project_key::of(&folder, &self.project, &ready.pass_phrase)?;
        let pseudonyms = |message: &[u8]| key.keyed(message);
        let mut project = Project::new(rules, &pseudonyms, year(sharing::now()?));
        if let Some(zips) = zips {
            project = project.with_zip_population(zips);
        }
        if self.free_text {
            project = project.with_free_text();
        }
        let release = Release::choose(&node, by, &cohort)?;
        let attrition = release.attrition().to_vec();
        let (report, sealed) = seal(release, project, (&node, by), ready, context)?;
        let account = Account { project: &self.project, is_new_key, attrition, report };
        if let Some(path) = &told {
            write_new(path, &format!("{}\n", Value::Object(account.object()).to_pretty()))?;
        }
        let mut results = context.results();
        let file = &sealed.path;
        results.either(
            || {
                let mut object = sharing::object(&sealed.manifest);
                object.insert("file", file.display().to_string());
                object.insert("research", account.object());
                Value::Object(object)
            },
            |results| {
                sharing::print(&sealed.manifest, results)?;
                results.line(sharing::file_line(file))?;
                account.print(results)
            },
        )?;
        results.finish()?;
        Ok(Exit::Done)
    }
}

/// De-identifies into a spool and seals that.
fn seal(
    release: Release,
    project: Project<'_>,
    (node, by): (&Node, By<'_>),
    ready: Ready,
    context: &Context,
) -> Result<(Report, Sealed)> {
    let mut spooling = Spooling::beside(ready.path())?;
    let report = release.write(project, node, by, &mut spooling)?;
    if report.resources().all(|(_, _, went)| went == 0) {
        let message = "no patient is left, or nothing of them may go out: nothing was sealed";
        return Err(Fault::not_found(message).into());
    }
    let spool = spooling.finish()?;
    let bytes = spool.size_bytes();
    Ok((report, ready.seal(context, spool, bytes)?))
}

impl Account<'_> {
    fn object(&self) -> Object {
        let steps = self.attrition.iter().map(|step| {
            let mut object = Object::new();
            object.insert("step", &*step.step);
            object.insert("left", step.left);
            object.insert("fell", step.fell);
            Value::Object(object)
        });
        let mut object = Object::new();
        object.insert("project", self.project);
        object.insert("new_key", self.is_new_key);
        object.insert("attrition", steps.collect::<Value>());
        object.insert("report", self.report.to_value());
        object
    }

    fn print(&self, results: &mut Results) -> io::Result<()> {
        let made = if self.is_new_key { " (its key is new)" } else { "" };
        results.line(format_args!("project {}{made}", self.project))?;
        for step in &self.attrition {
            results.line(format_args!(
                "  {:>8} left  {:>8} fell  {}",
                step.left, step.fell, step.step
            ))?;
        }
        results.line(format_args!("rules {}", self.report.rules()))?;
        if self.report.free_text() {
            results.line("  free text went out as it was written: no profile keeps its promise")?;
        }
        for (ty, came, went) in self.report.resources() {
            results.line(format_args!("  {went:>8} of {came:>8}  {ty}"))?;
        }
        for (ty, why, count) in self.report.withheld() {
            results.line(format_args!("  {count:>8} {ty} stayed: {}", why.as_text()))?;
        }
        match self.report.smallest_group() {
            Some(size) => results.line(format_args!(
                "  the smallest of {} groups of patients who look the same has {size}",
                self.report.groups()
            )),
            None => Ok(()),
        }
    }
}

fn rules(text: &str, context: &Context) -> Result<Rules> {
    match text {
        "safe-harbor" => return Ok(Rules::safe_harbor()),
        "expert" => return Ok(Rules::expert()),
        _ => {}
    }
    let file = load(&context.path(Path::new(text)))?;
    // The configurations of Microsoft's tool are JSON, and a file of rules never begins like them.
    let rules = if file.trim_start().starts_with('{') {
        Rules::load_anonymizer(text, &file, Profile::SafeHarbor)
    } else {
        Rules::load(text, &file)
    };
    rules.map_err(|error| Fault::usage(error.to_string()).into())
}

fn population(path: &Path, context: &Context) -> Result<ZipPopulation> {
    let list = ZipPopulation::load(&load(&context.path(path))?);
    list.map_err(|error| Fault::usage(format!("{}: {error}", path.display())).into())
}

/// The cohort; names of patients become their records'.
fn cohort(
    path: Option<&Path>,
    having: &[String],
    node: &Node,
    context: &Context,
) -> Result<Cohort> {
    let mut cohort = match path {
        Some(path) => Cohort::load(&load(&context.path(path))?)
            .map_err(|error| Fault::usage(format!("{}: {error}", path.display())))?,
        None => Cohort::new(),
    };
    for text in having {
        let criterion = Criterion::read(text).map_err(|error| Fault::usage(error.to_string()))?;
        cohort = cohort.having(criterion);
    }
    Ok(cohort.with_records_named(|name| whole(node.find_record(name)))?)
}

fn load(path: &Path) -> Result<String> {
    let about = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Fault::not_found(format!("there is no {}", path.display())).into()
        }
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    })?;
    if about.len() > MAX_FILE_BYTES {
        let message = format!("{} is longer than {MAX_FILE_BYTES} bytes", path.display());
        return Err(Fault::usage(message).into());
    }
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

fn year(now: Moment) -> i16 {
    let text = now.to_string();
    // A moment begins with the four digits of its year.
    text.get(..4).and_then(|year| year.parse().ok()).unwrap_or(i16::MAX)
}
