//! How the program ends: exit codes, and errors in one sentence.

use std::io;
use std::process::ExitCode;

use clisonix_node::{
    AccessLogError, BackupError, EditError, EngineFault, EraseError, FaultKind, NodeError,
    OpenError, VaultFault,
};
use clisonix_pq::FormError;
use clisonix_pq::at_rest::VaultError;
use clisonix_pq::share::ShareError;
use clisonix_pq::share::ledger::LedgerError;

use crate::outlet;
use crate::plain::Plain;

/// The exit codes, as `--help` shows them.
pub(crate) const TABLE: &str = "\
Exit codes:
  0  done
  1  failed
  2  used wrongly: an unknown option, a missing author, a value that is no JSON
  3  done, but some inputs were rejected; they are kept, see `clisonix quarantine`
  4  not found: a path, a record, an entry, a conflict, a version; or a name that fits several
  5  the data directory or a key file cannot be used: another process has it open, its format is
     newer, or others can read the secret
  6  damaged: the store, the access log, a backup, a key file, a share or the ledger of
     shares is not as it was written
  7  a share was refused: not signed, not trusted, revoked, expired, or not for this key";

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Rejected = 3,
    NotFound = 4,
    Unusable = 5,
    Damaged = 6,
    Refused = 7,
}

impl Exit {
    /// The exit of a code of [`TABLE`].
    pub(crate) fn of_code(code: u8) -> Option<Self> {
        let all = [
            Self::Done,
            Self::Failed,
            Self::Usage,
            Self::Rejected,
            Self::NotFound,
            Self::Unusable,
            Self::Damaged,
            Self::Refused,
        ];
        all.into_iter().find(|exit| *exit as u8 == code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error of the command line itself, with the way the program is to end.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    exit: Exit,
    message: String,
}

impl Fault {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    pub(crate) fn unusable(message: impl Into<String>) -> Self {
        Self { exit: Exit::Unusable, message: message.into() }
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self { exit: Exit::Damaged, message: message.into() }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { exit: Exit::NotFound, message: message.into() }
    }
}

/// Tells the error on stderr; a reader of stdout that went away is no error.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if is_broken_pipe(error) {
        return Exit::Done;
    }
    // Nothing can be done where stderr is gone as well.
    let _ = writeln!(outlet::err(), "clisonix: {}", Plain(&format!("{error:#}")));
    code(error)
}

/// The exit code for an error, told from the first cause that says it.
pub(crate) fn code(error: &anyhow::Error) -> Exit {
    let known = error.chain().find_map(|cause| {
        let fault = cause.downcast_ref::<Fault>().map(|fault| fault.exit);
        fault
            .or_else(|| cause.downcast_ref::<NodeError>().map(of_node))
            .or_else(|| cause.downcast_ref::<FormError>().map(of_form))
            .or_else(|| cause.downcast_ref::<ShareError>().map(of_share))
            .or_else(|| cause.downcast_ref::<LedgerError>().map(of_ledger))
    });
    known.unwrap_or(Exit::Failed)
}

fn of_node(error: &NodeError) -> Exit {
    match error {
        NodeError::NotFound(_)
        | NodeError::Ambiguous(_)
        | NodeError::Edit(EditError::UnknownVersion | EditError::NoSuchEntry)
        | NodeError::Erase(EraseError::NoSuchEntry | EraseError::Pointer | EraseError::Nothing) => {
            Exit::NotFound
        }
        NodeError::Author | NodeError::Erase(_) => Exit::Usage,
        NodeError::Vault(error) => of_vault(error),
        NodeError::Open(OpenError::Engine(fault)) | NodeError::Engine(fault) => of_engine(fault),
        NodeError::Open(
            OpenError::Locked { .. }
            | OpenError::NewerFormat { .. }
            | OpenError::OlderFormat { .. }
            | OpenError::KeyNeeded { .. }
            | OpenError::Directory { .. },
        )
        | NodeError::Backup(BackupError::NewerFormat { .. } | BackupError::Key { .. }) => {
            Exit::Unusable
        }
        NodeError::Backup(error) => of_backup(error),
        NodeError::Damaged(_)
        | NodeError::Unsound
        | NodeError::Open(OpenError::Damaged { .. })
        | NodeError::AccessLog(
            AccessLogError::BrokenLink { .. }
            | AccessLogError::Missing { .. }
            | AccessLogError::Unreadable { .. }
            | AccessLogError::HeadDiffers { .. },
        ) => Exit::Damaged,
        _ => Exit::Failed,
    }
}

fn of_engine(fault: &EngineFault) -> Exit {
    match fault.kind() {
        FaultKind::Key => Exit::Unusable,
        FaultKind::Corrupt => Exit::Damaged,
        _ => Exit::Failed,
    }
}

fn of_vault(error: &VaultFault) -> Exit {
    match error {
        VaultFault::Vault(VaultError::Damaged | VaultError::Kind) => Exit::Damaged,
        VaultFault::File { .. } => Exit::Failed,
        _ => Exit::Unusable,
    }
}

fn of_form(error: &FormError) -> Exit {
    match error {
        FormError::PassPhrase => Exit::Failed,
        FormError::Newer(_) | FormError::Cost => Exit::Unusable,
        _ => Exit::Damaged,
    }
}

fn of_share(error: &ShareError) -> Exit {
    match error {
        ShareError::NotSigned
        | ShareError::UntrustedIssuer { .. }
        | ShareError::RevokedIssuer
        | ShareError::Withdrawn { .. }
        | ShareError::Expired { .. }
        | ShareError::WrongRecipient
        | ShareError::Resigned
        | ShareError::Readdressed => Exit::Refused,
        ShareError::NotAShare
        | ShareError::Manifest(_)
        | ShareError::Signature
        | ShareError::Payload(_)
        | ShareError::Truncated { .. }
        | ShareError::Altered { .. }
        | ShareError::Leaves
        | ShareError::Container { .. }
        | ShareError::Trailing
        | ShareError::About(_)
        | ShareError::Ledger(_) => Exit::Damaged,
        ShareError::TooLarge { .. }
        | ShareError::Words { .. }
        | ShareError::Recipients
        | ShareError::Profile(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn of_ledger(error: &LedgerError) -> Exit {
    match error {
        LedgerError::Damaged { .. } => Exit::Damaged,
        _ => Exit::Failed,
    }
}

fn of_backup(error: &BackupError) -> Exit {
    match error {
        BackupError::NotABackup { .. }
        | BackupError::Damaged { .. }
        | BackupError::DigestDiffers
        | BackupError::ManifestDiffers
        | BackupError::AccessLog(_) => Exit::Damaged,
        BackupError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Exit::NotFound
        }
        _ => Exit::Failed,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
