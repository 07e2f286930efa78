//! Units of the engine: a table of expressions with what they give.
