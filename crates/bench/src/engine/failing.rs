//! What failures are called. The same cause has the same words each time, so that they can be counted.

use std::io;

use rustls::CertificateError;

use crate::outcome::{Failed, Failure};

/// What `openssl req -x509` makes where nobody says otherwise: a certificate for signing others, which no server may show (RFC 5280
/// §4.2.1.9 leaves that to whoever looks).
const IS_AUTHORITY: &str = "an authority's certificate in the place of a server's";

/// No connection.
pub(super) fn connect(why: &str) -> Failed {
    Failed::new(Failure::Connect, why)
}

/// No agreement on TLS.
pub(super) fn tls(why: &str) -> Failed {
    Failed::new(Failure::Tls, why)
}

/// A connection that ended too early.
pub(super) fn reset(why: &str) -> Failed {
    Failed::new(Failure::Reset, why)
}

/// Something that is no answer.
pub(super) fn protocol(why: &str) -> Failed {
    Failed::new(Failure::Protocol, why)
}

/// What went wrong while connecting.
#[cold]
pub(super) fn connecting(error: &io::Error) -> Failed {
    let why = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "connection reset while connecting",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
        io::ErrorKind::TimedOut => "no reply to connecting",
        io::ErrorKind::PermissionDenied => "connecting is not permitted",
        _ if is_out_of_ports(error) => "no local port left",
        _ if is_out_of_descriptors(error) => "too many open files",
        _ => return Failed::new(Failure::Connect, error.to_string()),
    };
    connect(why)
}

/// Whether every local port is in use towards the target.
pub(super) fn is_out_of_ports(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let number = error.raw_os_error();
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|errno| number == Some(errno.raw_os_error()))
}

/// What went wrong while agreeing on TLS.
#[cold]
pub(super) fn agreeing(error: &io::Error) -> Failed {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(cause) => tls(&of_tls(cause)),
        // A server that takes no part in it ends the connection.
        None if is_end(error) => tls("the server ended the connection in the handshake"),
        None => Failed::new(Failure::Tls, error.to_string()),
    }
}

/// Words for what rustls says.
#[cold]
pub(super) fn of_tls(error: &rustls::Error) -> String {
    let word = match error {
        rustls::Error::InvalidCertificate(why) => return of_certificate(why),
        rustls::Error::AlertReceived(alert) => return format!("the server refused: {alert:?}"),
        rustls::Error::NoApplicationProtocol => "the server does not speak this protocol",
        rustls::Error::PeerIncompatible(_) => "no common version or cipher",
        rustls::Error::InvalidMessage(_) => "the server does not speak TLS",
        other => return other.to_string(),
    };
    word.to_owned()
}

fn of_certificate(error: &CertificateError) -> String {
    let word = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "certificate not valid yet",
        CertificateError::UnknownIssuer => "unknown issuer",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "wrong name",
        CertificateError::Revoked => "certificate revoked",
        CertificateError::BadSignature => "certificate with a bad signature",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate not meant for a server"
        }
        // The crate that looks has this as one of its own.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => IS_AUTHORITY,
        other => return format!("bad certificate: {other}"),
    };
    word.to_owned()
}

/// What went wrong while a request or its answer was under way.
#[cold]
pub(super) fn exchanging(error: &io::Error) -> Failed {
    if let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        return Failed::new(Failure::Tls, of_tls(cause));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => reset("ended without closing TLS"),
        _ if is_end(error) => reset("connection reset"),
        _ => Failed::new(Failure::Reset, error.to_string()),
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
    )
}
