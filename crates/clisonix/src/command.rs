//! The commands, one file each.

pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod conflicts;
pub(crate) mod demo;
pub(crate) mod erase;
pub(crate) mod erasure;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod peers;
pub(crate) mod quarantine;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod seal;
pub(crate) mod serve;
pub(crate) mod share;
pub(crate) mod shares;
pub(crate) mod show;
pub(crate) mod store;
pub(crate) mod tide;
pub(crate) mod verify;

use std::env;
use std::path::Path;

use anyhow::Result;

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::control;
use crate::exit::{Exit, Fault};

/// Runs the command that was typed, or has the process run it that serves the data directory.
pub(crate) fn run(arguments: Arguments) -> Result<Exit> {
    let context = Context::new(arguments.everywhere);
    if arguments.command.is_for_service()
        && let Some(stream) = control::connect(&context.directory()?)
    {
        let own = arguments.command.own_keys();
        let folder = own.map(|(keys, _)| keys::folder(keys.map(Path::to_owned))).transpose()?;
        return control::ask(stream, &context.request(typed()?, folder)?, |name| match own {
            Some((_, pass_phrase)) => pass_phrase.present(name),
            None => control::no_pass_phrase(name),
        });
    }
    carry_out(arguments.command, &context)
}

/// Runs a command in this process.
pub(crate) fn carry_out(command: Command, context: &Context) -> Result<Exit> {
    match command {
        Command::Demo(command) => command.run(context),
        Command::Import(command) => command.run(context),
        Command::Show(command) => command.run(context),
        Command::Conflicts(command) => command.run(context),
        Command::History(command) => command.run(context),
        Command::Resolve(command) => command.run(context),
        Command::Quarantine(command) => command.run(context),
        Command::Backup(command) => command.run(context),
        Command::Restore(command) => command.run(context),
        Command::Verify(command) => command.run(context),
        Command::Serve(command) => command.run(context),
        Command::Peers(command) => command.run(context),
        Command::Tide(command) => command.run(context),
        Command::Keys(command) => command.run(context),
        Command::Store(command) => command.run(context),
        Command::Erase(command) => command.run(context),
        Command::Erasure(command) => command.run(context),
        Command::Share(command) => command.run(context),
        Command::Seal(command) => command.run(context),
        Command::Open(command) => command.run(context),
        Command::Shares(command) => command.run(context),
        Command::Completions(command) => command.run(context),
    }
}

/// The arguments behind the program's name.
fn typed() -> Result<Vec<String>> {
    let typed = env::args_os().skip(1).map(|argument| {
        argument.into_string().map_err(|_| {
            Fault::usage("an argument is no text: a served data directory takes texts only").into()
        })
    });
    typed.collect()
}
