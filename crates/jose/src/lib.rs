//! Signed tokens and keys: JWS, JWK and JWT (RFC 7515, 7517, 7519), with the rules of RFC 8725.
//!
//! Nothing here does I/O, reads a clock or knows a configuration file: callers give keys and the time.
