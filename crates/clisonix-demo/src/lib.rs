//! A population with known truth, exported as three systems would, and its grading.
