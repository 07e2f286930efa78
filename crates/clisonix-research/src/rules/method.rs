//! What is done with an element.

use clisonix_fhir::schema::{Kind, TypeId};

use super::error::RuleErrorKind;
use super::form::Form;

/// What is done with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// It goes out as it is.
    Keep,
    /// An object goes out with those of its members that go out.
    Walk,
    /// A code goes out if the standard's value set has it.
    Bound,
    /// An integer goes out if it has few digits.
    Count,
    /// A text goes out if it has one of these forms.
    Form(Vec<Form>),
    /// A date is reduced to its year.
    Year,
    /// A date is shifted by the patient's number of days.
    Shift,
    /// A ZIP code is reduced to three digits where enough people live.
    Zip3,
    /// A text goes out if it is a state of the United States.
    State,
    /// A text goes out if it is a country.
    Country,
    /// An amount goes out if its unit is known.
    Quantity,
    /// The numbers of a trace.
    Samples,
    /// A code of a known system.
    Coded,
    /// A keyed pseudonym takes its place.
    Pseudonym,
    /// A reference to what goes out too.
    Reference,
    /// Goes out only where free text is asked for.
    Text,
    /// Extensions of listed addresses go out.
    Extension,
    /// Contained resources are de-identified in their place.
    Contained,
    /// A reason for its absence takes its place.
    Mask,
    /// It does not go out.
    Redact,
    /// The whole resource does not go out if this is there.
    Withhold,
}

impl Method {
    /// Reads the third column.
    pub(super) fn read(text: &str) -> Result<Self, RuleErrorKind> {
        if let Some(forms) = text.strip_prefix("form ") {
            return Ok(Self::Form(Form::all(forms)?));
        }
        Ok(match text {
            "keep" => Self::Keep,
            "walk" => Self::Walk,
            "bound" => Self::Bound,
            "count" => Self::Count,
            "year" => Self::Year,
            "shift" => Self::Shift,
            "zip3" => Self::Zip3,
            "state" => Self::State,
            "country" => Self::Country,
            "quantity" => Self::Quantity,
            "samples" => Self::Samples,
            "coded" => Self::Coded,
            "pseudonym" => Self::Pseudonym,
            "reference" => Self::Reference,
            "text" => Self::Text,
            "extension" => Self::Extension,
            "contained" => Self::Contained,
            "mask" => Self::Mask,
            "redact" => Self::Redact,
            "withhold" => Self::Withhold,
            other => return Err(RuleErrorKind::Method(other.into())),
        })
    }

    /// Whether it can be used for values of the type `ty`.
    pub(super) fn fits(&self, ty: TypeId) -> bool {
        let name = ty.name();
        let primitive = ty.definition().kind == Kind::Primitive;
        match self {
            Self::Keep => primitive,
            // An extension's members mean what its address says: walking them would pass any.
            Self::Walk => ty.definition().kind == Kind::Datatype && name != "Extension",
            Self::Bound => name == "code",
            Self::Count => matches!(name, "integer" | "positiveInt" | "unsignedInt"),
            Self::Form(_) | Self::Zip3 | Self::State | Self::Country | Self::Samples => {
                is_text(name)
            }
            Self::Year | Self::Shift => matches!(name, "date" | "dateTime" | "instant"),
            Self::Quantity => is_quantity(name),
            Self::Coded => name == "Coding",
            Self::Pseudonym => is_text(name) || name == "Identifier",
            Self::Reference => name == "Reference",
            Self::Text => {
                is_text(name) || matches!(name, "markdown" | "xhtml" | "Annotation" | "Narrative")
            }
            Self::Extension => name == "Extension",
            Self::Contained => ty.definition().kind == Kind::Resource,
            Self::Mask | Self::Redact | Self::Withhold => true,
        }
    }
}

pub(crate) fn is_quantity(name: &str) -> bool {
    matches!(name, "Quantity" | "Age" | "Count" | "Distance" | "Duration")
}

fn is_text(name: &str) -> bool {
    matches!(name, "string" | "id" | "code" | "uri" | "url" | "canonical" | "oid" | "uuid")
}
