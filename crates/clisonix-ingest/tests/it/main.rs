//! Integration tests of ingest.

mod ccda;
mod synthea;
