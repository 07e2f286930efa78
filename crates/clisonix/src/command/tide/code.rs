//! `tide code`, which `peers invite --code` asks a serving process for: a code is open until
//! somebody came with it, its time is over, or who asked went away.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use clisonix_fhir::json::{Object, Value};
use clisonix_pq::link::About;
use clisonix_server::{CodeEnd, Joined};

use crate::context::Context;
use crate::exit::{Exit, Fault};
use crate::outlet;
use crate::results::Results;

/// How often it is looked whether the code is still wanted.
const LOOK: Duration = Duration::from_millis(200);
/// How often it is made sure that who asked is there.
const PROBE: Duration = Duration::from_secs(1);

/// Options of `tide code`.
#[derive(Debug, Args)]
pub(super) struct Code {
    #[arg(long)]
    organization: Option<String>,
    #[arg(long)]
    identifier: Vec<String>,
    #[arg(long)]
    address: Vec<String>,
    #[arg(long)]
    valid_ms: u64,
}

impl Code {
    pub(super) fn run(self, context: &Context) -> Result<Exit> {
        let service = context.service().ok_or_else(|| Fault::usage("nothing is served"))?;
        let about = About {
            name: self.organization.unwrap_or_else(|| service.keys().name().to_owned()),
            identifiers: self.identifier,
            addresses: self.address,
        };
        let code = service.open_code(&about, self.valid_ms)?;
        let mut opened = Object::new();
        opened.insert("code", code.text());
        let own = service.keys().identity().public().fingerprint();
        opened.insert("fingerprint", own.hexadecimal());
        opened
            .insert("listening", service.address().map_or(Value::Null, |it| it.to_string().into()));
        say(opened)?;
        let mut probed = Instant::now();
        loop {
            match code.wait(LOOK) {
                Some(CodeEnd::Joined(joined)) => return came(&joined),
                Some(CodeEnd::Over) => {
                    return Err(Fault::not_found("nobody came with the code in time").into());
                }
                Some(CodeEnd::Guessed) => {
                    let message = "the code is closed: somebody who does not know it tried to use \
                                   it, again and again";
                    return Err(Fault::unusable(message).into());
                }
                Some(CodeEnd::Stopped) => break,
                None => {}
            }
            if service.is_ending() {
                break;
            }
            if probed.elapsed() >= PROBE {
                probed = Instant::now();
                if !outlet::is_waited_for() {
                    return Ok(Exit::Failed);
                }
            }
        }
        Err(Fault::unusable("the serving process stops, and the code is closed").into())
    }
}

fn came(joined: &Joined) -> Result<Exit> {
    let mut object = Object::new();
    object.insert("invitation", joined.invitation.to_text());
    object.insert("from", joined.from.to_string());
    object.insert("has_answer", joined.has_answer);
    say(object)?;
    Ok(Exit::Done)
}

/// One object a line, whatever the command was asked with.
fn say(object: Object) -> Result<()> {
    let mut results = Results::new(true);
    results.line(Value::Object(object).to_text())?;
    Ok(results.finish()?)
}
