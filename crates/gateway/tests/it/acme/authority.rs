//! An authority that speaks ACME over TLS, and believes nothing that it has not checked: signatures, nonces, URLs, and
//! that names lead to whom they are issued to.

use std::collections::HashSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, IsCa, Issuer, KeyPair, PublicKeyData, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use x509_cert::der::{Decode, Encode};
use x509_cert::request::CertReq;

use super::jws::{Signed, decode, thumbprint};
use super::validation;
use super::wire::{self, Answer, Asked, ok, problem};
use crate::it::folder::Folder;
use crate::it::gate::PATIENCE;

/// The secret of accounts that the authority has already.
pub(super) const BOUND: (&str, &[u8]) = ("gate-1", b"the key of gate 1");

/// A running authority. It ends with the process.
pub(super) struct Authority {
    inner: Arc<Inner>,
}

/// How an authority behaves.
#[derive(Clone)]
pub(super) struct Manner {
    /// How long its certificates are valid.
    pub(super) lifetime: Duration,
    /// How long before now they begin to be.
    pub(super) backdated: Duration,
    /// Whether accounts must be bound.
    pub(super) binds: bool,
    /// Which certificates it advises to renew at once, by their place, where it gives advice.
    pub(super) advises: Option<usize>,
    /// For how many seconds it wants no more orders.
    pub(super) overrun: Option<u32>,
}

impl Default for Manner {
    fn default() -> Self {
        let day = Duration::from_secs(86_400);
        Manner {
            lifetime: 90 * day,
            backdated: Duration::ZERO,
            binds: false,
            advises: None,
            overrun: None,
        }
    }
}

struct Inner {
    address: SocketAddr,
    manner: Manner,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    nonces: HashSet<String>,
    given: u64,
    /// Whether a nonce was refused that was good, as an authority may.
    refused_one: bool,
    accounts: Vec<(Value, Value)>,
    orders: Vec<Order>,
    /// Where names lead; `None` while nobody has said so.
    places: Option<Vec<SocketAddr>>,
}

struct Order {
    account: usize,
    wanted: Value,
    domains: Vec<String>,
    /// What came of the question for each name.
    proven: Vec<Option<Result<(), String>>>,
    chain: Option<String>,
    /// Whether it was looked at since it was finished: it takes until then.
    asked: bool,
}

impl Authority {
    /// Starts one. Whom to trust to reach it is in `ca.pem` of the folder.
    pub(super) fn start(folder: &Folder, manner: Manner) -> Authority {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        folder.write("ca.pem", own.cert.pem());
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (issuer, root) = issuer();
        let inner = Arc::new(Inner {
            address: listener.local_addr().unwrap(),
            manner,
            root,
            issuer,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let serving = inner.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (inner, config) = (serving.clone(), config.clone());
                std::thread::spawn(move || inner.serve(stream, config));
            }
        });
        Authority { inner }
    }

    /// The URL of its directory.
    pub(super) fn directory(&self) -> String {
        self.inner.url("/directory")
    }

    /// What its certificates are verified by.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.inner.root.clone()
    }

    /// Says where all names lead: it asks at each of the places, and believes what all of them answer.
    pub(super) fn names_lead_to(&self, places: &[SocketAddr]) {
        self.inner.state().places = Some(places.to_vec());
        self.inner.changed.notify_all();
    }

    /// What was ordered, in that order.
    pub(super) fn orders(&self) -> Vec<Value> {
        self.inner
            .state()
            .orders
            .iter()
            .map(|order| order.wanted.clone())
            .collect()
    }

    /// What was said as accounts were opened or changed last.
    pub(super) fn accounts(&self) -> Vec<Value> {
        self.inner
            .state()
            .accounts
            .iter()
            .map(|(_, said)| said.clone())
            .collect()
    }
}

fn issuer() -> (Issuer<'static, KeyPair>, CertificateDer<'static>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "An authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().der().clone();
    (Issuer::new(params, key), root)
}

impl Inner {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Answers one request; a handshake that fails ends it.
    fn serve(&self, stream: TcpStream, config: Arc<ServerConfig>) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        let Some(asked) = wire::read(&mut stream) else { return };
        let is_head = asked.method == "HEAD";
        let answer = self.answer(&asked);
        let _ = stream.write_all(answer.head(&self.nonce()).as_bytes());
        if !is_head {
            let _ = stream.write_all(answer.body.as_bytes());
        }
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }

    fn nonce(&self) -> String {
        let mut state = self.state();
        state.given += 1;
        let nonce = format!("nonce-{}", state.given);
        state.nonces.insert(nonce.clone());
        nonce
    }

    fn answer(&self, asked: &Asked) -> Answer {
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/directory") => {
                let mut directory = json!({
                    "newNonce": self.url("/new-nonce"),
                    "newAccount": self.url("/new-account"),
                    "newOrder": self.url("/new-order"),
                });
                if self.manner.advises.is_some() {
                    directory["renewalInfo"] = json!(self.url("/renewal"));
                }
                ok(200, directory)
            }
            ("HEAD", "/new-nonce") => ok(200, Value::Null),
            ("GET", path) if path.starts_with("/renewal/") => self.advice(path),
            ("POST", _) => self.signed(asked),
            _ => problem(404, "malformed", "there is no such thing"),
        }
    }

    /// Answers a signed request.
    fn signed(&self, asked: &Asked) -> Answer {
        assert_eq!(asked.fields["content-type"], "application/jose+json");
        assert!(asked.fields["user-agent"].starts_with("portcullis/"));
        let signed = Signed::read(&serde_json::from_slice(&asked.body).unwrap());
        assert_eq!(signed.header["url"], self.url(&asked.path), "signed for elsewhere");
        {
            let mut state = self.state();
            let known = state.nonces.remove(signed.header["nonce"].as_str().unwrap());
            if !known || !std::mem::replace(&mut state.refused_one, true) {
                return problem(400, "badNonce", "take another");
            }
        }
        if asked.path == "/new-account" {
            return self.new_account(&signed);
        }
        assert!(signed.header["jwk"].is_null(), "both a key and an account");
        let account = number(signed.header["kid"].as_str().unwrap());
        let key = self.state().accounts[account].0.clone();
        signed.assert_signed_by(&key);
        let (kind, place) = asked.path[1..].split_once('/').unwrap_or((&asked.path[1..], ""));
        match kind {
            "new-order" => match self.manner.overrun {
                None => self.new_order(account, &signed),
                Some(seconds) => Answer {
                    retry_after: seconds,
                    ..problem(429, "rateLimited", "too many orders of late")
                },
            },
            "account" => {
                self.state().accounts[account].1["contact"] = signed.json().unwrap()["contact"].clone();
                ok(200, json!({"status": "valid"}))
            }
            "order" => self.order(number(place)),
            "authorization" => self.authorization(place),
            "challenge" => self.challenge(place, &key, &signed),
            "finalize" => self.finalize(number(place), &signed),
            "certificate" => Answer {
                status: 200,
                location: None,
                retry_after: 1,
                kind: "application/pem-certificate-chain",
                body: self.state().orders[number(place)].chain.clone().unwrap(),
            },
            _ => problem(404, "malformed", "there is no such thing"),
        }
    }

    fn new_account(&self, signed: &Signed) -> Answer {
        let key = &signed.header["jwk"];
        signed.assert_signed_by(key);
        let said = signed.json().unwrap();
        assert_eq!(said["termsOfServiceAgreed"], true);
        if self.manner.binds {
            let binding = &said["externalAccountBinding"];
            if binding.is_null() {
                return problem(403, "externalAccountRequired", "who are you?");
            }
            Signed::read(binding).assert_binds(key, &self.url("/new-account"), BOUND);
        }
        let mut state = self.state();
        state.accounts.push((key.clone(), said));
        let location = self.url(&format!("/account/{}", state.accounts.len() - 1));
        Answer {
            location: Some(location),
            ..ok(201, json!({"status": "valid"}))
        }
    }

    fn new_order(&self, account: usize, signed: &Signed) -> Answer {
        let wanted = signed.json().unwrap();
        let names = wanted["identifiers"].as_array().unwrap().iter();
        let domains: Vec<String> = names
            .map(|name| {
                assert_eq!(name["type"], "dns");
                name["value"].as_str().unwrap().to_owned()
            })
            .collect();
        let place = {
            let mut state = self.state();
            let proven = vec![None; domains.len()];
            state.orders.push(Order {
                account,
                wanted,
                domains,
                proven,
                chain: None,
                asked: false,
            });
            state.orders.len() - 1
        };
        Answer {
            location: Some(self.url(&format!("/order/{place}"))),
            status: 201,
            ..self.order(place)
        }
    }

    fn order(&self, place: usize) -> Answer {
        let mut state = self.state();
        let order = &mut state.orders[place];
        let authorizations: Vec<String> = (0..order.domains.len())
            .map(|name| self.url(&format!("/authorization/{place}/{name}")))
            .collect();
        let proven = |wanted: fn(&Result<(), String>) -> bool| {
            let mut names = order.proven.iter();
            move |all: bool| {
                let mut is = |name: &Option<Result<(), String>>| name.as_ref().is_some_and(wanted);
                if all { names.all(&mut is) } else { names.any(&mut is) }
            }
        };
        let status = match &order.chain {
            // The first look after it was finished comes too early.
            Some(_) if order.asked => "valid",
            Some(_) => "processing",
            None if proven(Result::is_err)(false) => "invalid",
            None if proven(Result::is_ok)(true) => "ready",
            None => "pending",
        };
        order.asked = order.chain.is_some();
        let mut answer = json!({
            "status": status,
            "identifiers": order.wanted["identifiers"],
            "authorizations": authorizations,
            "finalize": self.url(&format!("/finalize/{place}")),
        });
        if status == "valid" {
            answer["certificate"] = json!(self.url(&format!("/certificate/{place}")));
        }
        if let Some(replaces) = order.wanted.get("replaces") {
            answer["replaces"] = replaces.clone();
        }
        ok(200, answer)
    }

    fn authorization(&self, path: &str) -> Answer {
        let state = self.state();
        let (order, name) = place(path);
        let (domain, proven) = (&state.orders[order].domains[name], &state.orders[order].proven[name]);
        let (status, error) = match proven {
            None => ("pending", None),
            Some(Ok(())) => ("valid", None),
            Some(Err(why)) => ("invalid", Some(why)),
        };
        let challenges = ["dns-01", "http-01", "tls-alpn-01"].map(|kind| {
            let mut challenge = json!({
                "type": kind,
                "url": self.url(&format!("/challenge/{order}/{name}/{kind}")),
                "token": token(order, name),
                "status": status,
            });
            if let Some(why) = error {
                challenge["error"] = json!({"type": "urn:ietf:params:acme:error:unauthorized", "detail": why});
            }
            challenge
        });
        let identifier = json!({"type": "dns", "value": domain});
        ok(
            200,
            json!({"identifier": identifier, "status": status, "challenges": challenges}),
        )
    }

    /// Asks at all the places where the name leads.
    fn challenge(&self, path: &str, key: &Value, signed: &Signed) -> Answer {
        assert_eq!(signed.json(), Some(json!({})));
        let (path, kind) = path.rsplit_once('/').unwrap();
        let (order, name) = place(path);
        let (places, domain) = {
            let waiting = self.state();
            let (state, _) = self
                .changed
                .wait_timeout_while(waiting, PATIENCE, |state| state.places.is_none())
                .unwrap();
            let places = state.places.clone().expect("nobody says where names lead");
            (places, state.orders[order].domains[name].clone())
        };
        let token = token(order, name);
        let expected = format!("{token}.{}", thumbprint(key));
        let proven = places.iter().try_for_each(|address| match kind {
            "http-01" => validation::by_request(*address, &domain, &token, &expected),
            _ => validation::by_handshake(*address, &domain, &expected),
        });
        self.state().orders[order].proven[name] = Some(proven);
        ok(
            200,
            json!({
                "type": kind,
                "url": self.url(&format!("/challenge/{order}/{name}/{kind}")),
                "token": token,
                "status": "processing",
            }),
        )
    }

    fn finalize(&self, place: usize, signed: &Signed) -> Answer {
        let request = decode(signed.json().unwrap()["csr"].as_str().unwrap());
        let request = CertReq::from_der(&request).expect("no request for a certificate");
        let key = Key::of(&request);
        let mut state = self.state();
        let order = &mut state.orders[place];
        assert!(order.account < usize::MAX && order.proven.iter().all(|name| *name == Some(Ok(()))));
        let wanted = request.info.to_der().unwrap();
        for domain in &order.domains {
            let name = [&[0x82, u8::try_from(domain.len()).unwrap()], domain.as_bytes()].concat();
            assert!(wanted.windows(name.len()).any(|window| window == name), "no {domain}");
        }
        let now = SystemTime::now() - self.manner.backdated;
        let mut params = CertificateParams::new(order.domains.clone()).unwrap();
        params.not_before = now.into();
        params.not_after = (now + self.manner.lifetime).into();
        params.serial_number = Some(SerialNumber::from(u64::try_from(place + 1).unwrap()));
        params.use_authority_key_identifier_extension = true;
        order.chain = Some(params.signed_by(&key, &self.issuer).unwrap().pem());
        drop(state);
        self.order(place)
    }

    /// Advises to renew at once, or in a year (RFC 9773, section 4.2).
    fn advice(&self, path: &str) -> Answer {
        let (_, serial) = path.rsplit_once('.').expect("no certificate is named");
        let serial = usize::from(*BASE64_URL_SAFE_NO_PAD.decode(serial).unwrap().last().unwrap());
        let year = if self.manner.advises == Some(serial - 1) {
            2020
        } else {
            2999
        };
        let window = json!({"start": format!("{year}-01-01T00:00:00Z"), "end": format!("{year}-01-02T00:00:00Z")});
        ok(200, json!({"suggestedWindow": window}))
    }
}

fn token(order: usize, name: usize) -> String {
    format!("token_of-{order}-{name}")
}

/// The last number in a URL or path.
fn number(text: &str) -> usize {
    text.rsplit('/').next().unwrap().parse().unwrap()
}

/// An order and a name of it.
fn place(path: &str) -> (usize, usize) {
    let (order, name) = path.split_once('/').unwrap();
    (order.parse().unwrap(), name.parse().unwrap())
}

/// The key of a request for a certificate, which must have signed it.
struct Key(Vec<u8>);

impl Key {
    fn of(request: &CertReq) -> Key {
        let key = request.info.public_key.subject_public_key.raw_bytes().to_vec();
        let algorithm = &aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1;
        aws_lc_rs::signature::UnparsedPublicKey::new(algorithm, &key)
            .verify(&request.info.to_der().unwrap(), request.signature.raw_bytes())
            .expect("the request is signed wrongly");
        Key(key)
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}
