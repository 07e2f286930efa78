//! Tests of the merge layer through its public face.

mod site;
mod feeds;
mod hostile;
mod laws;
mod lists;
mod removal;
mod six_cases;
mod versions;
