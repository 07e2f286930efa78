//! The keys of research projects: a file for each in the folder of the own keys.

use std::fs::File;
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use clisonix_node::Outside;
use clisonix_pq::ProjectKey;
use clisonix_pq::key_file::Cost;

use crate::exit::Fault;
use crate::keyring;
use crate::new_file::write_new;
use crate::outside::{self, System};

/// The key of a project, and whether it was made now. It is wrapped under the pass-phrase of the
/// keys that sign.
pub(crate) fn of(folder: &Path, project: &str, pass_phrase: &[u8]) -> Result<(ProjectKey, bool)> {
    let random = &mut outside::random;
    let fresh = ProjectKey::generate(project, System.now_ms(), random).map_err(|_| {
        Fault::usage("a project's name has 1 to 64 letters, digits, `.`, `_` and `-`")
    })?;
    let path = folder.join(format!("{project}.project"));
    let named = || path.display().to_string();
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = fresh.wrap(pass_phrase, Cost::STANDARD, random)?;
            write_new(&path, &text)?;
            Ok((fresh, true))
        }
        file => {
            let file = file.with_context(named)?;
            keyring::refuse_if_shared(&file, &path)?;
            let text = keyring::read(file).with_context(named)?;
            let key = ProjectKey::unwrap(&text, pass_phrase).with_context(named)?;
            if key.name() != project {
                return Err(Fault::unusable(format!("{} is another project's", named())).into());
            }
            Ok((key, false))
        }
    }
}
