//! The mapping tables in use: those that come with the program, and a site's own on top.

use std::sync::LazyLock;

use crate::mapping::{Mapping, MappingError};
use crate::recognition::Format;
use crate::{ccda, hl7v2};

/// The checked mapping tables of all formats that are mapped.
#[derive(Debug)]
pub struct Mappings {
    pub(crate) hl7v2: Mapping,
    pub(crate) ccda: Mapping,
}

/// A site's own mapping file for one format: it adds rows, replaces rows by their ids, and adds to
/// code maps (`docs/formats/mapping.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlay<'a> {
    /// [`Format::Hl7v2`] or [`Format::Ccda`]; FHIR is read as it is and takes no mapping.
    pub format: Format,
    /// The file's name, for the places of mistakes.
    pub name: &'a str,
    /// What the file says.
    pub text: &'a str,
}

static BUILT_IN: LazyLock<Result<Mappings, Vec<MappingError>>> =
    LazyLock::new(|| Mappings::load(&[]));

impl Mappings {
    /// Reads and checks the tables that come with the program and the overlays, which apply in
    /// their order.
    ///
    /// # Errors
    /// All mistakes found, each with its place.
    pub fn load(overlays: &[Overlay<'_>]) -> Result<Self, Vec<MappingError>> {
        let of = |format: Format| -> Vec<(&str, &str)> {
            let files = overlays.iter().filter(|overlay| overlay.format == format);
            files.map(|overlay| (overlay.name, overlay.text)).collect()
        };
        Ok(Self {
            hl7v2: hl7v2::mapping(&of(Format::Hl7v2))?,
            ccda: ccda::mapping(&of(Format::Ccda))?,
        })
    }

    /// The tables that come with the program, read once.
    ///
    /// # Errors
    /// The mistakes in them, which the project's tests keep at none.
    pub fn built_in() -> Result<&'static Self, &'static [MappingError]> {
        BUILT_IN.as_ref().map_err(Vec::as_slice)
    }
}
