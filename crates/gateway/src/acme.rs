//! Certificates by ACME in their place in the gate: from what the file says, to handshakes, to requests of authorities.

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use portcullis_acme::{Acme, Certificates, ChallengeKind, ExternalAccount, Journal, Keeping, Pace, Settings};
use portcullis_config::acme as written;
use portcullis_core::{Method, Request, Response, Status};
use rustls::sign::CertifiedKey;
use tokio::runtime::Handle;

use crate::listener::Issued;
use crate::telemetry::log;

/// Where authorities look for a proof that a name is ours (RFC 8555, section 8.3).
const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// Looks after the certificate that the file asks for. Paths are relative to `base`. Reads files.
///
/// # Errors
/// Says in words what of it can't be used.
pub(crate) fn open(acme: &Acme, written: &written::Acme, base: &Path, slow: &Handle) -> Result<Arc<Keeping>, String> {
    let journal = Journal {
        info: |line| log::info(line),
        warn: |line| log::warn(line),
    };
    acme.open(settings(written, base)?, slow, journal)
}

/// What can be found wrong without creating or asking anything.
///
/// # Errors
/// Says in words what it is.
pub(crate) fn check(written: &written::Acme, base: &Path) -> Result<(), String> {
    Acme::check(&settings(written, base)?)
}

/// The answer to an authority that asks in clear text whether a name is ours, while one asks for that.
pub(crate) fn answer(acme: &Acme, request: &Request) -> Option<String> {
    let token = request.target.path().strip_prefix(CHALLENGES)?;
    matches!(request.method, Method::Get | Method::Head).then(|| acme.http_challenge(token))?
}

/// The response that such an answer becomes.
pub(crate) fn response(answer: &str) -> Response {
    Response::new(Status::OK).with_body("application/octet-stream", answer.to_owned())
}

impl Issued for Certificates {
    fn certificate_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        Certificates::certificate_for(self, server_name)
    }

    fn challenge_for(&self, server_name: &str) -> Option<Arc<CertifiedKey>> {
        Certificates::challenge_for(self, server_name)
    }
}

fn settings(written: &written::Acme, base: &Path) -> Result<Settings, String> {
    let bound = written.external_account.as_ref().map(|bound| {
        // Some authorities show the key with its padding.
        let key = bound.key.expose().trim().trim_end_matches('=');
        let key = BASE64_URL_SAFE_NO_PAD.decode(key);
        let key = key.map_err(|_| "the key of `external_account` is not base64url".to_owned())?;
        let key_id = bound.key_id.clone();
        Ok::<_, String>(ExternalAccount { key_id, key })
    });
    Ok(Settings {
        directory: written.directory.clone(),
        ca: written.ca.as_ref().map(|path| base.join(path)),
        domains: written.domains.clone(),
        contact: written.contact.clone(),
        challenge: match written.challenge {
            written::Challenge::TlsAlpn => ChallengeKind::TlsAlpn,
            written::Challenge::Http => ChallengeKind::Http,
        },
        storage: base.join(&written.storage),
        renew_before: written.renew_before.map(|span| span.0),
        external_account: bound.transpose()?,
        pace: Pace::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_no_base64url_is_refused_without_showing_it() {
        let written = |key: &str| written::Acme {
            domains: vec!["a.test".to_owned()],
            contact: None,
            accept_terms: true,
            directory: "https://ca.test/".to_owned(),
            ca: None,
            challenge: written::Challenge::default(),
            storage: "acme".into(),
            renew_before: None,
            external_account: Some(written::ExternalAccount {
                key_id: "k".to_owned(),
                key: portcullis_config::secret::Secret::new(key.to_owned()),
            }),
        };
        let settings = |key: &str| settings(&written(key), Path::new("/base"));
        let bound = settings("c2VjcmV0\n").map(|settings| (settings.external_account, settings.storage));
        let expected = ExternalAccount {
            key_id: "k".to_owned(),
            key: b"secret".to_vec(),
        };
        assert_eq!(bound, Ok((Some(expected), "/base/acme".into())));
        let why = settings("hunter2!").err().unwrap_or_default();
        assert!(why.contains("base64url") && !why.contains("hunter2"), "{why}");
    }
}
