//! Inspection of requests and responses: the rule language SecLang, and recognising injected SQL and scripts by their tokens.
//!
//! Nothing here does I/O but reading the files of a rule set, and nothing knows routes, policies or a configuration file.
pub mod embedded;
pub mod seclang;
pub mod tokens;
