//! The documents check: links between the project's own pages lead somewhere.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::project;

/// How deep folders of documents may nest.
const MAX_DEPTH: usize = 6;

/// Checks every relative link of every Markdown page outside build folders.
pub(crate) fn run() -> Result<()> {
    let mut pages = Vec::new();
    collect(project::root(), MAX_DEPTH, &mut pages)?;
    pages.sort();
    let mut faults = Vec::new();
    for page in &pages {
        let text = std::fs::read_to_string(page)?;
        let folder = page.parent().unwrap_or(project::root());
        for link in links(&text).filter(|link| !folder.join(link).exists()) {
            let shown = page.strip_prefix(project::root()).unwrap_or(page);
            faults.push(format!("{}: no file at {link}", shown.display()));
        }
    }
    if faults.is_empty() {
        println!("{} pages, every link between them leads somewhere", pages.len());
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    bail!("{} broken links", faults.len());
}

fn collect(folder: &Path, depth: usize, pages: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && depth > 0 && name != "target" && !name.starts_with('.') {
            collect(&path, depth - 1, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Targets of inline links to files, without their `#fragment`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        let file = target.split('#').next()?;
        let local = !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:");
        (local && !file.contains(char::is_whitespace)).then_some(file)
    })
}

#[cfg(test)]
mod tests;
