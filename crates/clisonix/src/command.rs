//! The commands, one file each.

pub(crate) mod backup;
pub(crate) mod completions;
pub(crate) mod conflicts;
pub(crate) mod demo;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod quarantine;
pub(crate) mod resolve;
pub(crate) mod restore;
pub(crate) mod seal;
pub(crate) mod share;
pub(crate) mod shares;
pub(crate) mod show;
pub(crate) mod verify;

use crate::arguments::{Arguments, Command};
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command that was typed.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let context = Context::new(arguments.everywhere);
    match arguments.command {
        Command::Demo(command) => command.run(&context),
        Command::Import(command) => command.run(&context),
        Command::Show(command) => command.run(&context),
        Command::Conflicts(command) => command.run(&context),
        Command::History(command) => command.run(&context),
        Command::Resolve(command) => command.run(&context),
        Command::Quarantine(command) => command.run(&context),
        Command::Backup(command) => command.run(&context),
        Command::Restore(command) => command.run(&context),
        Command::Verify(command) => command.run(&context),
        Command::Keys(command) => command.run(&context),
        Command::Share(command) => command.run(&context),
        Command::Seal(command) => command.run(&context),
        Command::Open(command) => command.run(&context),
        Command::Shares(command) => command.run(&context),
        Command::Completions(command) => command.run(&context),
    }
}
