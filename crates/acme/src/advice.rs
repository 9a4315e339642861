//! When an authority advises to renew a certificate (ARI, RFC 9773).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{CertificateIdentifier, Error};
use rustls::pki_types::Der;

use crate::account;
use crate::failure::{Failure, Kind};
use crate::schedule;
use crate::settings::Settings;
use crate::storage::Storage;
use crate::transport::{NotBefore, Transport};
use crate::validity::Validity;

/// Between two questions, where the authority says nothing else, and after one without an answer (RFC 9773, section
/// 4.3.3).
const AGAIN: Duration = Duration::from_secs(6 * 3600);

/// What an authority can say at the least and at the most about when to ask again (RFC 9773, section 4.3.2).
const AGAIN_WITHIN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(86_400));

/// What an authority advised.
#[derive(Clone, Debug)]
pub(crate) struct Advice {
    /// When to renew; `None` where it has no opinion.
    pub(crate) moment: Option<SystemTime>,
    /// How long to wait until it is asked again.
    pub(crate) again: Duration,
}

impl Advice {
    fn none() -> Advice {
        Advice {
            moment: None,
            again: AGAIN,
        }
    }
}

/// What a certificate is called at its authority (RFC 9773, section 4.1); nothing for one that doesn't name the key that
/// signed it.
pub(crate) fn identifier(held: &Validity) -> Option<CertificateIdentifier<'static>> {
    let key = held.authority_key.as_deref()?;
    Some(CertificateIdentifier::new(
        Der::from_slice(key),
        Der::from_slice(&held.serial),
    ))
}

/// Asks the authority when to renew a certificate. One that gives no advice is asked again later all the same: it may
/// have learnt to.
///
/// # Errors
/// Why it could not be asked.
pub(crate) async fn ask(settings: &Settings, storage: &Arc<Storage>, held: &Validity) -> Result<Advice, Failure> {
    let Some(identifier) = identifier(held) else {
        return Ok(Advice::none());
    };
    let transport = Transport::new(settings.ca.as_deref(), NotBefore::default())
        .map_err(|why| Failure::new(Kind::Unreached, why))?;
    let Some(account) = account::known(settings, storage, transport).await? else {
        return Ok(Advice::none());
    };
    match account.renewal_info(&identifier).await {
        Ok((info, again)) => {
            let time = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
            let window = &info.suggested_window;
            let window = (time(window.start.unix_timestamp()), time(window.end.unix_timestamp()));
            Ok(Advice {
                moment: Some(schedule::moment_within(window, &held.serial)),
                again: again.clamp(AGAIN_WITHIN.0, AGAIN_WITHIN.1),
            })
        }
        Err(Error::Unsupported(_)) => Ok(Advice::none()),
        Err(error) => Err(Failure::of("can't ask when to renew", &error)),
    }
}
