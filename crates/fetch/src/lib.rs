//! Asks another server one thing: a document of keys, a token. For what the gate itself wants to know, not for requests of clients.
//!
//! Nothing here knows policies, routes, pools of connections or a configuration file.
