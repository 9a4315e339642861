//! A small OpenID provider, as strict as a real one about codes, verifiers and tokens to renew.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::upstream::{Peer, Received, Upstream};

/// The name and password of the one client.
pub(crate) const CLIENT: (&str, &str) = ("gate", "password of the gate");

/// A provider at which `ann` logs in without being asked.
pub(crate) struct Provider {
    upstream: Upstream,
    state: Arc<State>,
}

struct State {
    issuer: String,
    signer: EcdsaKeyPair,
    numbers: AtomicUsize,
    /// Codes that were given out, with what was asked for.
    codes: Mutex<HashMap<String, BTreeMap<String, String>>>,
    /// The one token to renew that is good.
    renewing: Mutex<Option<String>>,
    renewals: AtomicUsize,
    /// Whether ID tokens are of another login than theirs.
    confuses_logins: AtomicBool,
}

impl Provider {
    /// One whose tokens for access last so many seconds.
    pub(crate) fn new(expires_in: u64) -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            signer: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            numbers: AtomicUsize::new(0),
            codes: Mutex::default(),
            renewing: Mutex::default(),
            renewals: AtomicUsize::new(0),
            confuses_logins: AtomicBool::new(false),
        });
        let serving = state.clone();
        let upstream = Upstream::playing_on(listener, move |peer| {
            while let Some(request) = peer.request() {
                serving.answer(peer, &request, expires_in);
            }
        });
        Provider { upstream, state }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.state.issuer
    }

    /// The requests for that path.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let requests = self.upstream.requests();
        requests
            .iter()
            .filter(|request| request.target().starts_with(path))
            .count()
    }

    /// How often a session was renewed.
    pub(crate) fn renewals(&self) -> usize {
        self.state.renewals.load(Ordering::SeqCst)
    }

    /// Ends all sessions.
    pub(crate) fn revoke(&self) {
        *self.state.renewing.lock().unwrap() = None;
    }

    /// From now on ID tokens are of another login.
    pub(crate) fn confuse_logins(&self) {
        self.state.confuses_logins.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn answer(&self, peer: &mut Peer, request: &Received, expires_in: u64) {
        let (path, query) = request.target().split_once('?').unwrap_or((request.target(), ""));
        match path {
            "/.well-known/openid-configuration" => peer.answer("200 OK", &self.document()),
            "/keys" => peer.answer("200 OK", &self.keys()),
            "/authorize" => {
                let location = self.authorize(pairs(query));
                peer.send(format!(
                    "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
                ));
            }
            "/token" => match self.tokens(request, expires_in) {
                Ok(tokens) => peer.answer("200 OK", &tokens.to_string()),
                Err(error) => peer.answer("400 Bad Request", &json!({ "error": error }).to_string()),
            },
            _ => peer.answer("404 Not Found", ""),
        }
    }

    fn document(&self) -> String {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "end_session_endpoint": at("/end"),
            "jwks_uri": at("/keys"),
            "authorization_response_iss_parameter_supported": true,
        })
        .to_string()
    }

    fn keys(&self) -> String {
        let point = self.signer.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": x, "y": y}]}).to_string()
    }

    /// Logs the person in, and sends the browser back.
    fn authorize(&self, asked: BTreeMap<String, String>) -> String {
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT.0);
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let code = self.new_name("code");
        let location = format!(
            "{}?code={code}&state={}&iss={}",
            asked["redirect_uri"], asked["state"], self.issuer
        );
        self.codes.lock().unwrap().insert(code, asked);
        location
    }

    fn tokens(&self, request: &Received, expires_in: u64) -> Result<Value, &'static str> {
        let encoded = format!("{}:{}", CLIENT.0, CLIENT.1.replace(' ', "%20"));
        if request.field("authorization") != Some(&format!("Basic {}", STANDARD.encode(encoded))) {
            return Err("invalid_client");
        }
        let form = pairs(std::str::from_utf8(&request.body).unwrap());
        let nonce = match form["grant_type"].as_str() {
            "authorization_code" => Some(self.redeem(&form)?),
            _ => {
                let mut renewing = self.renewing.lock().unwrap();
                if renewing.take().as_ref() != Some(&form["refresh_token"]) {
                    return Err("invalid_grant");
                }
                self.renewals.fetch_add(1, Ordering::SeqCst);
                None
            }
        };
        let token = self.new_name("renewing");
        *self.renewing.lock().unwrap() = Some(token.clone());
        Ok(json!({
            "access_token": "a", "token_type": "Bearer", "expires_in": expires_in,
            "refresh_token": token, "id_token": self.id_token(nonce), "scope": "openid orders",
        }))
    }

    /// The nonce of the login whose code this is. A code is good once (RFC 6749 §4.1.2).
    fn redeem(&self, form: &BTreeMap<String, String>) -> Result<String, &'static str> {
        let asked = self
            .codes
            .lock()
            .unwrap()
            .remove(&form["code"])
            .ok_or("invalid_grant")?;
        let verifier = digest::digest(&digest::SHA256, form["code_verifier"].as_bytes());
        let is_same = URL_SAFE_NO_PAD.encode(verifier) == asked["code_challenge"];
        if is_same && form["redirect_uri"] == asked["redirect_uri"] {
            Ok(asked["nonce"].clone())
        } else {
            Err("invalid_grant")
        }
    }

    fn id_token(&self, nonce: Option<String>) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": self.issuer, "sub": "ann", "aud": CLIENT.0, "exp": now + 300, "iat": now, "roles": ["staff"],
        });
        if self.confuses_logins.load(Ordering::SeqCst) {
            claims["nonce"] = json!("of another login");
        } else if let Some(nonce) = nonce {
            claims["nonce"] = json!(nonce);
        }
        let header = json!({"alg": "ES256", "kid": "one", "typ": "JWT"}).to_string();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.signer.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn new_name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.numbers.fetch_add(1, Ordering::SeqCst))
    }
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
