//! The HTTP/3 wire, the server's side (RFC 9114), on `quinn` and `h3`. Nothing here knows policies, routes or
//! configuration.
