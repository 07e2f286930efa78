//! The program from outside: what it prints, how it ends, and what is left after a crash.

mod crash;
mod demo;
mod editing;
mod faults;
mod import;
mod reading;
mod site;
