//! Expressions in CEL, the Common Expression Language: compiled once, checked for their types, and limited in what they cost.
//!
//! Nothing here does I/O or knows what a request is: whoever compiles an expression says which variables there are, and whoever
//! evaluates it gives their values.
