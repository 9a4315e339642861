//! `mtls` lets in those who are known by the certificate that they showed.
//!
//! ```yaml
//! mtls:
//!   consumers:
//!     - {name: payroll, uri: spiffe://example.org/payroll, scopes: [salaries:write]}
//! ```
//!
//! The listener verifies certificates (`tls.client_certificates`), this says whose they are. Where a request came in over
//! a connection without one, another way of authentication may know it. A certificate that names nobody here is refused,
//! as any credential that is no good.

use std::sync::Arc;

use portcullis_config::policy::mtls::{CertificateHolder, Mtls as Written, NamedBy};
use portcullis_core::{ClientCertificate, Consumer, Ctx, Error, Request, codes};

use crate::authenticate::{Authenticator, Verdict};
use crate::consumer::{consumer, is_word};
use crate::hexadecimal;

/// Lets in those whom a certificate names.
pub struct Mtls {
    holders: Box<[Holder]>,
    others_by: Option<NamedBy>,
}

/// What is true of the certificate of a consumer.
struct Holder {
    uri: Option<Box<str>>,
    dns: Option<Box<str>>,
    mail: Option<Box<str>>,
    subject: Option<Box<str>>,
    fingerprint: Option<[u8; 32]>,
    consumer: Arc<Consumer>,
}

impl Mtls {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When nobody could enter, or nothing is said of a consumer's certificate.
    pub fn new(config: &Written) -> Result<Mtls, String> {
        if config.consumers.is_empty() && config.others_by.is_none() {
            return Err("nobody is known by a certificate: list `consumers`, or say `others_by`".to_owned());
        }
        Ok(Mtls {
            holders: config.consumers.iter().map(Holder::new).collect::<Result<_, _>>()?,
            others_by: config.others_by,
        })
    }

    fn holder_of(&self, certificate: &ClientCertificate) -> Option<Arc<Consumer>> {
        let known = self.holders.iter().find(|holder| holder.fits(certificate));
        if let Some(holder) = known {
            return Some(holder.consumer.clone());
        }
        let names = match self.others_by? {
            NamedBy::Uri => &certificate.uris,
            NamedBy::Dns => &certificate.dns_names,
            NamedBy::Mail => &certificate.mail_addresses,
        };
        let name = names.first().filter(|name| is_word(name))?;
        Some(Arc::new(Consumer::new(name.clone(), "mtls")))
    }
}

impl Holder {
    fn new(config: &CertificateHolder) -> Result<Holder, String> {
        let name = &config.name;
        let fingerprint = match &config.sha256 {
            Some(digits) => Some(hexadecimal::digest(digits).ok_or_else(|| {
                format!("`sha256` of the consumer `{name}` must have 64 hexadecimal digits, without colons")
            })?),
            None => None,
        };
        let text = |text: &Option<String>| text.as_deref().map(Box::from);
        let holder = Holder {
            uri: text(&config.uri),
            dns: text(&config.dns),
            mail: text(&config.mail),
            subject: text(&config.subject),
            fingerprint,
            consumer: Arc::new(consumer(name, "mtls", &config.scopes, &config.roles)?),
        };
        let texts = [&holder.uri, &holder.dns, &holder.mail, &holder.subject];
        if texts.iter().all(|text| text.is_none()) && fingerprint.is_none() {
            return Err(format!(
                "any certificate would be that of `{name}`: say `uri`, `dns`, `mail`, `subject` or `sha256`"
            ));
        }
        Ok(holder)
    }

    fn fits(&self, certificate: &ClientCertificate) -> bool {
        let among =
            |wanted: &Option<Box<str>>, names: &[Box<str>]| wanted.as_ref().is_none_or(|wanted| names.contains(wanted));
        among(&self.uri, &certificate.uris)
            // RFC 4343: names of hosts are compared without case.
            && self.dns.as_ref().is_none_or(|wanted| {
                certificate.dns_names.iter().any(|name| name.eq_ignore_ascii_case(wanted))
            })
            && among(&self.mail, &certificate.mail_addresses)
            && self.subject.as_ref().is_none_or(|wanted| *wanted == certificate.subject)
            && self.fingerprint.is_none_or(|wanted| wanted == certificate.fingerprint)
    }
}

impl Authenticator for Mtls {
    fn name(&self) -> &'static str {
        "mtls"
    }

    fn judge(&self, cx: &mut Ctx, _: &mut Request) -> Verdict {
        let Some(certificate) = &cx.connection.client_certificate else {
            return Verdict::Absent;
        };
        match self.holder_of(certificate) {
            Some(consumer) => Verdict::Known(consumer),
            None => Verdict::Refused(
                Error::new(&codes::UNAUTHENTICATED)
                    .with_detail("the certificate names nobody who may enter")
                    .by_policy("mtls"),
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::rc::Rc;

    use portcullis_core::Policy;

    use super::*;
    use crate::authenticate::Authenticate;
    use crate::trial::{context, request, send_as};

    fn holder(name: &str, uri: Option<&str>, subject: Option<&str>) -> CertificateHolder {
        CertificateHolder {
            name: name.to_owned(),
            uri: uri.map(str::to_owned),
            dns: None,
            mail: None,
            subject: subject.map(str::to_owned),
            sha256: None,
            scopes: vec!["read".to_owned()],
            roles: Vec::new(),
        }
    }

    fn certificate(uri: &str) -> ClientCertificate {
        ClientCertificate {
            subject: "CN=x".into(),
            dns_names: ["Host.example".into()].into(),
            uris: [uri.into()].into(),
            mail_addresses: [].into(),
            fingerprint: [7; 32],
            der: [].into(),
        }
    }

    fn known(config: &Written, certificate: Option<ClientCertificate>) -> Result<String, u16> {
        let way: Arc<dyn Authenticator> = Arc::new(Mtls::new(config).unwrap());
        let policy: Arc<dyn Policy> = Arc::new(Authenticate::new([way]));
        let mut cx = context();
        let connection = Rc::get_mut(&mut cx.connection).unwrap();
        connection.client_certificate = certificate.map(Box::new);
        let trial = send_as(&policy, cx, request("GET", "/", &[("X-Consumer", "root")]), &[]);
        match &trial.cx.consumer {
            Some(consumer) => Ok(consumer.name.to_string()),
            None => Err(trial.status().code()),
        }
    }

    #[test]
    fn who_is_named_by_a_certificate_is_let_in() {
        let mut by_all = holder("all", Some("spiffe://a/b"), Some("CN=x"));
        by_all.dns = Some("host.EXAMPLE".to_owned());
        by_all.sha256 = Some("07".repeat(32));
        let config = Written {
            consumers: vec![holder("wrong", Some("spiffe://a/b"), Some("CN=y")), by_all],
            others_by: None,
        };
        assert_eq!(known(&config, Some(certificate("spiffe://a/b"))), Ok("all".to_owned()));
        assert_eq!(known(&config, Some(certificate("spiffe://a/bc"))), Err(401));
        assert_eq!(known(&config, None), Err(401));
    }

    #[test]
    fn others_are_named_by_their_certificate_where_the_file_says_so() {
        let config = Written {
            consumers: Vec::new(),
            others_by: Some(NamedBy::Uri),
        };
        assert_eq!(
            known(&config, Some(certificate("spiffe://a/b"))),
            Ok("spiffe://a/b".to_owned())
        );
        assert_eq!(known(&config, Some(certificate("a b"))), Err(401));
        let by_mail = Written {
            others_by: Some(NamedBy::Mail),
            ..config
        };
        assert_eq!(known(&by_mail, Some(certificate("spiffe://a/b"))), Err(401));
    }

    #[test]
    fn what_would_let_in_everybody_or_nobody_is_refused() {
        let nobody = Written {
            consumers: Vec::new(),
            others_by: None,
        };
        assert!(Mtls::new(&nobody).is_err());
        let everybody = Written {
            consumers: vec![holder("a", None, None)],
            others_by: None,
        };
        assert!(Mtls::new(&everybody).is_err_and(|why| why.contains("any certificate")));
    }
}
