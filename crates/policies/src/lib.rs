//! The policies: one file for each, named as in the configuration. Each is a layer around a backend, or an observer of
//! how requests ended.
//!
//! What a policy was told comes in as the plain types of `portcullis_config::policy`, and is compiled once, when a
//! snapshot is made. Nothing here knows a backend, the router or the operators' interface. A policy that lets a request pass
//! and has nothing to wait for hands on the reply of the next layer without an allocation of its own.

pub mod order;

pub mod access_log;
pub mod metrics;

pub mod cors;
pub mod csrf;

pub mod ip;
pub mod limits;
pub mod rate_limit;

pub mod idempotency;
pub mod quota;

pub mod authenticate;

pub mod anonymous;
pub mod api_key;
pub mod basic;
pub mod forward;
pub mod hmac;
pub mod introspect;
pub mod jwt;
pub mod mtls;
pub mod oidc;

pub mod authorize;
pub mod concurrency;

pub mod payload;

pub mod graphql;
pub mod openapi;
pub mod validate;

pub mod inspect;

pub mod compress;
pub mod cookies;
pub mod grpc_web;
pub mod headers;
pub mod reveal;
pub mod security_headers;

pub mod expression;
pub mod field_name;

mod claimed;
mod consumer;
mod hexadecimal;
mod inquiry;
mod placeholders;
mod recent;
mod single_flight;

#[cfg(test)]
mod trial;
