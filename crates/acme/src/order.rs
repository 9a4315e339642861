//! One order, from the account to the certificate in the storage (RFC 8555, section 7.4).

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use crate::account;
use crate::back_off::seconds;
use crate::bundle;
use crate::challenges::Question;
use crate::failure::{self, Failure};
use crate::settings::{ChallengeKind, Settings};
use crate::storage::{Shelf, Storage, file_name};
use crate::transport::{NotBefore, Transport};

/// How long the answers to an authority are kept at the most, should whoever asked for them die.
const ANSWERED_FOR: Duration = Duration::from_secs(3600);

/// Asks again for a state that the authority has not reached yet, where it doesn't say when to.
const POLLING: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_secs(120));

/// Gets a certificate for the names, with a new key, and gives back the file of both.
///
/// `replaced` is the certificate that it takes the place of, where the authority wants to know (RFC 9773, section 5).
///
/// # Errors
/// Why there is none. The authority is bothered no further then.
pub(crate) async fn obtain(
    settings: &Settings,
    storage: &Arc<Storage>,
    replaced: Option<CertificateIdentifier<'_>>,
) -> Result<Vec<u8>, Failure> {
    let not_before = NotBefore::default();
    let transport = Transport::new(settings.ca.as_deref(), not_before.clone())
        .map_err(|why| Failure::new(failure::Kind::Unreached, why))?;
    let work = async {
        let account = account::open(settings, storage, transport).await?;
        let mut order = place(settings, storage, &account, replaced).await?;
        let questions = questions(settings, &mut order).await?;
        let answered = Answered::give(storage, questions).await?;
        prove(settings, &mut order, !answered.files.is_empty()).await?;
        let bundle = finish(settings, &mut order).await?;
        answered.take_back().await;
        Ok(bundle)
    };
    let outcome: Result<Vec<u8>, Failure> = work.await;
    outcome.map_err(|failure| Failure {
        not_before: not_before.get(),
        ..failure
    })
}

async fn place(
    settings: &Settings,
    storage: &Arc<Storage>,
    account: &Account,
    replaced: Option<CertificateIdentifier<'_>>,
) -> Result<Order, Failure> {
    let names: Vec<_> = settings.domains.iter().cloned().map(Identifier::Dns).collect();
    if let Some(replaced) = replaced {
        // It is a courtesy: an authority that knows better gets an order without it.
        if let Ok(order) = account.new_order(&NewOrder::new(&names).replaces(replaced)).await {
            return Ok(order);
        }
    }
    match account.new_order(&NewOrder::new(&names)).await {
        Ok(order) => Ok(order),
        Err(error) => {
            account::forget_if_unknown(settings, storage, &error).await?;
            Err(Failure::of("can't order", &error))
        }
    }
}

/// What the authority asks for the order.
async fn questions(settings: &Settings, order: &mut Order) -> Result<Vec<Question>, Failure> {
    let (kind, known_as) = match settings.challenge {
        ChallengeKind::TlsAlpn => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        ChallengeKind::Http => (ChallengeType::Http01, "http-01"),
    };
    let expires = seconds(SystemTime::now() + ANSWERED_FOR);
    let mut questions = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| Failure::of("can't read what to prove", &error))?;
        let domain = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            status => return Err(Failure::refused(format!("{domain}: the authority says {status:?}"))),
        }
        let Some(challenge) = authorization.challenge(kind.clone()) else {
            let words = format!("{domain}: the authority does not offer {known_as}; see `challenge`");
            return Err(Failure::refused(words));
        };
        // It becomes part of a path, and the name of a file (RFC 8555, section 8.3).
        let token = challenge.token.clone();
        if token.is_empty() || token.len() > 256 || !token.bytes().all(is_base64url) {
            return Err(Failure::refused(format!("{domain}: the authority's token is none")));
        }
        questions.push(Question {
            domain,
            token,
            answer: challenge.key_authorization().as_str().to_owned(),
            expires,
            by_tls: settings.challenge == ChallengeKind::TlsAlpn,
        });
    }
    Ok(questions)
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Lets the authority ask, and waits until it believes.
async fn prove(settings: &Settings, order: &mut Order, asked: bool) -> Result<(), Failure> {
    if asked {
        // Until every gate that shares the storage answers.
        tokio::time::sleep(settings.pace.settle).await;
    }
    let kind = match settings.challenge {
        ChallengeKind::TlsAlpn => ChallengeType::TlsAlpn01,
        ChallengeKind::Http => ChallengeType::Http01,
    };
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|error| Failure::of("can't read what to prove", &error))?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        if let Some(mut challenge) = authorization.challenge(kind.clone()) {
            let domain = challenge.identifier().to_string();
            let ready = challenge.set_ready().await;
            ready.map_err(|error| Failure::of(&format!("can't prove {domain}"), &error))?;
        }
    }
    match order.poll_ready(&POLLING).await {
        Ok(OrderStatus::Ready | OrderStatus::Valid) => Ok(()),
        Ok(_) => Err(disbelieved(order, None).await),
        Err(Error::Api(problem)) => Err(disbelieved(order, Some(failure::in_words(&problem))).await),
        Err(error) => Err(Failure::of("can't prove the names", &error)),
    }
}

/// What the authority says of each name that it does not believe to be ours.
async fn disbelieved(order: &mut Order, said: Option<String>) -> Failure {
    let mut words = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let domain = authorization.identifier().to_string();
        let Ok(state) = authorization.refresh().await else {
            break;
        };
        let problems = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        words.extend(problems.map(|problem| format!("{domain}: the authority says {}", failure::in_words(problem))));
    }
    words.dedup();
    match (words.is_empty(), said) {
        (false, _) => Failure::refused(words.join("; ")),
        (true, Some(said)) => Failure::refused(format!("can't prove the names: the authority says {said}")),
        (true, None) => Failure::refused("can't prove the names, and the authority does not say why"),
    }
}

/// Hands in a key and gets the certificate for it.
async fn finish(settings: &Settings, order: &mut Order) -> Result<Vec<u8>, Failure> {
    let made = |error: rcgen::Error| Failure::refused(format!("can't make a key: {error}"));
    let mut params = CertificateParams::new(settings.domains.clone()).map_err(made)?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate().map_err(made)?;
    let request = params.serialize_request(&key).map_err(made)?;
    order
        .finalize_csr(request.der())
        .await
        .map_err(|error| Failure::of("can't hand in the key", &error))?;
    let chain = order
        .poll_certificate(&POLLING)
        .await
        .map_err(|error| Failure::of("can't fetch the certificate", &error))?;
    let bundle = bundle::write(&key.serialize_pem(), &chain);
    bundle::read(&bundle, &settings.domains)
        .map_err(|why| Failure::refused(format!("what the authority issued can't be used: {why}")))?;
    Ok(bundle)
}

/// Answers that are in the storage for all gates that share it. They are taken back when it is dropped.
struct Answered {
    storage: Arc<Storage>,
    files: Vec<String>,
}

impl Answered {
    async fn give(storage: &Arc<Storage>, questions: Vec<Question>) -> Result<Answered, Failure> {
        let mut answered = Answered {
            storage: storage.clone(),
            files: Vec::new(),
        };
        for question in questions {
            let file = file_name(&question.domain, &question.token);
            let bytes = serde_json::to_vec_pretty(&question)
                .map_err(|error| Failure::new(failure::Kind::Storage, error.to_string()))?;
            answered.files.push(file.clone());
            storage
                .aside(move |storage| storage.write(Shelf::Challenges, &file, &bytes))
                .await?;
        }
        Ok(answered)
    }

    async fn take_back(mut self) {
        let files = std::mem::take(&mut self.files);
        // One that stays is passed over when its time is over.
        let removed = self.storage.aside(move |storage| {
            remove(storage, &files);
            Ok(())
        });
        let _ = removed.await;
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        remove(&self.storage, &self.files);
    }
}

fn remove(storage: &Storage, files: &[String]) {
    for file in files {
        let _ = storage.remove(Shelf::Challenges, file);
    }
}
