//! From a request's text to what it asks for.

/// A filter of the file in which facts of the caller are still to be put.
#[derive(Debug)]
pub struct Template {}
