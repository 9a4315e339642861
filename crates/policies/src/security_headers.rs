//! `security_headers` tells browsers to be careful.
//!
//! ```yaml
//! security_headers: {content_security_policy: "default-src 'self' https://cdn.example.com"}
//! ```
//!
//! What the backend says itself stays. Answers of the gate (refusals, failures) get the fields, too, for it is in pages of errors that
//! injected text is shown. `Strict-Transport-Security` goes out on HTTPS only, where it means something (RFC 6797 §7.2).

use portcullis_config::policy::security_headers::SecurityHeaders as Written;
use portcullis_core::{Ctx, Headers, Known, Name, Next, Policy, Reply, Request, Scheme};

/// Puts in fields that tell browsers to be careful.
#[derive(Debug)]
pub struct SecurityHeaders {
    fields: Headers,
    hsts: Box<str>,
}

impl SecurityHeaders {
    /// Compiles what the file says.
    ///
    /// # Errors
    /// When a value can't stand in a field.
    pub fn new(config: &Written) -> Result<SecurityHeaders, String> {
        let mut fields = Headers::new();
        for (name, value) in [
            ("Content-Security-Policy", config.content_security_policy.as_str()),
            (
                "Content-Security-Policy-Report-Only",
                &config.content_security_policy_report_only,
            ),
            ("X-Frame-Options", &config.frame_options),
            ("Referrer-Policy", &config.referrer_policy),
            ("Permissions-Policy", &config.permissions_policy),
            ("Cross-Origin-Opener-Policy", &config.opener_policy),
            ("Cross-Origin-Resource-Policy", &config.resource_policy),
            ("X-Content-Type-Options", if config.no_sniff { "nosniff" } else { "" }),
        ] {
            if value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(format!("the value of {name} holds a line break or a control character"));
            }
            if !value.is_empty() {
                fields.append(name, value);
            }
        }
        Ok(SecurityHeaders {
            fields,
            hsts: config.hsts.field_value().into(),
        })
    }

    /// Puts in what is not there.
    fn add_to(&self, headers: &mut Headers, scheme: Scheme) {
        for (known, name, value) in self.fields.iter_known() {
            let name = known.map_or(Name::Other(name), |known| Name::Cased(known, name));
            if !headers.contains(name) {
                headers.append(name, value);
            }
        }
        if scheme == Scheme::Https && !headers.contains(Known::StrictTransportSecurity) {
            headers.append(Known::StrictTransportSecurity, &*self.hsts);
        }
    }
}

impl Policy for SecurityHeaders {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, next: Next<'a>) -> Reply<'a> {
        let scheme = cx.scheme;
        Reply::later(async move {
            match next.run(cx, request).await {
                Ok(mut response) => {
                    self.add_to(&mut response.headers, scheme);
                    Ok(response)
                }
                Err(mut error) => {
                    self.add_to(error.headers_mut(), scheme);
                    Err(error)
                }
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use std::sync::Arc;

    use portcullis_core::{Error, codes};

    use super::*;
    use crate::trial::{Trial, context, request, send, send_as};

    fn policy(config: &Written) -> Arc<dyn Policy> {
        Arc::new(SecurityHeaders::new(config).unwrap())
    }

    const ALL: [(&str, &str); 7] = [
        (
            "content-security-policy",
            "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
        ),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
    ];

    fn check(trial: &Trial, but: &[&str]) {
        for (name, value) in ALL {
            if !but.contains(&name) {
                assert_eq!(trial.field(name).as_deref(), Some(value), "{name}");
            }
        }
    }

    #[test]
    fn what_the_backend_says_itself_stays() {
        let policy = policy(&Written::default());
        check(&send(&policy, request("GET", "/", &[]), &[]), &[]);
        let own = [
            ("X-FRAME-OPTIONS", "SAMEORIGIN"),
            ("Content-Security-Policy", "default-src *"),
        ];
        let trial = send(&policy, request("GET", "/", &[]), &own);
        check(&trial, &["x-frame-options", "content-security-policy"]);
        let answer = trial.answer();
        assert_eq!(answer.get_all("x-frame-options").collect::<Vec<_>>(), [b"SAMEORIGIN"]);
        assert_eq!(trial.field("content-security-policy").unwrap(), "default-src *");
    }

    #[test]
    fn https_is_asked_for_where_it_is_spoken() {
        let policy = policy(&Written::default());
        let trial = send(&policy, request("GET", "/", &[]), &[]);
        assert_eq!(trial.field("strict-transport-security"), None);
        let mut cx = context();
        cx.scheme = Scheme::Https;
        let trial = send_as(&policy, cx, request("GET", "/", &[]), &[]);
        assert_eq!(trial.field("strict-transport-security").unwrap(), "max-age=31536000");
    }

    #[test]
    fn refusals_have_them_too() {
        struct Refuses;
        impl Policy for Refuses {
            fn call<'a>(&'a self, _: &'a mut Ctx, _: Request, _: Next<'a>) -> Reply<'a> {
                Error::new(&codes::FORBIDDEN).into()
            }
        }
        let policies: [Arc<dyn Policy>; 2] = [policy(&Written::default()), Arc::new(Refuses)];
        let outer: Arc<dyn Policy> = Arc::new(Both(policies));
        check(&send(&outer, request("GET", "/", &[]), &[]), &[]);
    }

    /// Two policies as one, the outer one first.
    struct Both([Arc<dyn Policy>; 2]);

    impl Policy for Both {
        fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request, _: Next<'a>) -> Reply<'a> {
            Next::new(&self.0, &Nobody).run(cx, request)
        }
    }

    struct Nobody;

    impl portcullis_core::Backend for Nobody {
        fn call<'a>(&'a self, _: &'a mut Ctx, _: Request) -> Reply<'a> {
            Error::new(&codes::INTERNAL).into()
        }
    }

    #[test]
    fn an_empty_text_leaves_a_field_out_and_a_line_break_is_refused() {
        let config = Written {
            frame_options: String::new(),
            no_sniff: false,
            ..Written::default()
        };
        let trial = send(&policy(&config), request("GET", "/", &[]), &[]);
        assert_eq!(trial.field("x-frame-options"), None);
        assert_eq!(trial.field("x-content-type-options"), None);
        let config = Written {
            referrer_policy: "a\r\nSet-Cookie: b".to_owned(),
            ..Written::default()
        };
        assert!(SecurityHeaders::new(&config).is_err());
    }
}
