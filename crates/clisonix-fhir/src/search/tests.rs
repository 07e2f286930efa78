//! The count of R4, and inheritance.

use super::{parameter, parameters};
use crate::schema::resource_named;

#[test]
fn all_parameters_are_there() {
    assert_eq!(parameters().len(), 1378);
    let patient = resource_named("Patient").unwrap();
    assert!(parameter(patient, "birthdate").unwrap().expression.contains("Patient.birthDate"));
    assert!(parameter(patient, "_id").is_some());
    assert!(parameter(patient, "nothing").is_none());
}
