//! The search parameters of FHIR R4, as static data.
//!
//! The rows come from HL7's definitions of FHIR 4.0.1 by `cargo xtask codegen`.

mod row;
#[rustfmt::skip]
mod table;

#[cfg(test)]
mod tests;

use crate::schema::TypeId;

/// One search parameter (FHIR R4 3.1.1).
#[derive(Debug)]
pub struct SearchParameter {
    /// Its name in a search: `birthdate`.
    pub code: &'static str,
    /// Its canonical address.
    pub url: &'static str,
    /// How its values are compared.
    pub kind: SearchType,
    /// The types that have it.
    pub bases: &'static [TypeId],
    /// The `FHIRPath` expression that gives the values, for all bases together
    /// (`Patient.birthDate | Person.birthDate`); empty for the three parameters that no expression
    /// can tell (`_content`, `_query`, `_text`).
    pub expression: &'static str,
    /// The resource types that a reference may point to.
    pub targets: &'static [TypeId],
    /// The parts of a composite.
    pub components: &'static [Component],
}

/// One part of a composite search parameter.
#[derive(Debug)]
pub struct Component {
    /// The `FHIRPath` expression of the part, from what the composite's expression gives.
    pub expression: &'static str,
    parameter: u16,
}

/// How a search parameter's values are compared (FHIR R4 3.1.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SearchType {
    /// Several values of one place together.
    Composite,
    /// A date or period.
    Date,
    /// A number.
    Number,
    /// A number with a unit.
    Quantity,
    /// A link to a resource.
    Reference,
    /// As the standard tells for the one parameter (`near`).
    Special,
    /// Text, by its beginning.
    String,
    /// A code or identifier.
    Token,
    /// An address, whole.
    Uri,
}

impl Component {
    /// The search parameter that the part is.
    pub fn parameter(&self) -> Option<&'static SearchParameter> {
        row::PARAMETERS.get(usize::from(self.parameter))
    }
}

/// All search parameters, in byte order of their codes.
pub fn parameters() -> &'static [SearchParameter] {
    &row::PARAMETERS
}

/// The search parameters of a type in order of their codes, then those of the types that it is made
/// from (`_id`, `_lastUpdated`, ...).
pub fn parameters_of(ty: TypeId) -> impl Iterator<Item = &'static SearchParameter> {
    std::iter::successors(Some(ty), |ty| ty.definition().base).flat_map(own_parameters)
}

/// The search parameter `code` of a type, its own or inherited.
pub fn parameter(ty: TypeId, code: &str) -> Option<&'static SearchParameter> {
    parameters_of(ty).find(|parameter| parameter.code == code)
}

fn own_parameters(ty: TypeId) -> impl Iterator<Item = &'static SearchParameter> {
    let start = table::BY_TYPE.partition_point(|&(base, _)| base < ty.0);
    let from_start = table::BY_TYPE.get(start..).unwrap_or_default();
    from_start
        .iter()
        .take_while(move |&&(base, _)| base == ty.0)
        .filter_map(|&(_, number)| row::PARAMETERS.get(usize::from(number)))
}
