//! An idle connection must hold next to nothing.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};

use super::load::Connection;
use super::{Line, load, upstream::Upstream};
use crate::gate::Gate;

const IDLE: usize = 10_000;
const WAVE: usize = 50;

/// What an idle connection may hold: a connection itself, and with TLS its keys and what rustls reads into.
const ALLOWED: f64 = 2048.0;
const ALLOWED_BY_TLS: f64 = 12.0 * 1024.0;

/// # Errors
/// When the gate doesn't start or a request fails.
pub(crate) fn run(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let gate = start(binary, &upstream, "")?;
    measure(&gate, ALLOWED, || load::connect(gate.address, WAVE))
}

/// The same with connections by TLS, each by a full handshake.
///
/// # Errors
/// When the gate doesn't start, or a handshake or a request fails.
pub(crate) fn run_over_tls(binary: &Path) -> Result<Vec<Line>, String> {
    let upstream = Upstream::start()?;
    let made = rcgen::generate_simple_self_signed(vec!["gate.test".to_owned()]).map_err(|error| error.to_string())?;
    let folder = std::env::temp_dir();
    let write = |name: &str, content: String| {
        let path = folder.join(format!("portcullis-xtask-{}-{name}", std::process::id()));
        std::fs::write(&path, content).map_err(|error| error.to_string())?;
        Ok::<_, String>(path)
    };
    let (cert, key) = (
        write("gate.pem", made.cert.pem())?,
        write("gate.key", made.signing_key.serialize_pem())?,
    );
    let certificate = format!("{{cert: '{}', key: '{}'}}", cert.display(), key.display());
    let gate = start(binary, &upstream, &format!(", tls: {{certificates: [{certificate}]}}"));
    for path in [cert, key] {
        let _ = std::fs::remove_file(path);
    }
    let gate = gate?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);
    measure(&gate, ALLOWED_BY_TLS, || {
        load::connect_secure(gate.address, &config, WAVE)
    })
}

fn start(binary: &Path, upstream: &Upstream, tls: &str) -> Result<Gate, String> {
    let configuration = format!(
        "listeners:\n  - {{bind: 127.0.0.1:0, timeouts: {{idle: 10m}}{tls}}}\nadmin: {{bind: '127.0.0.1:0'}}\n\
         services: {{up: 'http://{}'}}\nroutes:\n  - {{path: /**, to: {{service: up}}}}\n",
        upstream.address
    );
    Gate::start(binary, "idle", &configuration, 2)
}

fn measure(
    gate: &Gate,
    allowed: f64,
    connect: impl Fn() -> Result<Vec<Connection>, String>,
) -> Result<Vec<Line>, String> {
    let request = [load::get("/hello")];
    // What every gate needs that has served anything is no cost of an idle connection.
    load::run(&mut connect()?, &request, 2000)?;
    let before = gate.memory();
    let mut idle = Vec::with_capacity(IDLE);
    // In waves that the queue of the upstream's listener can hold.
    for _ in 0..IDLE / WAVE {
        let mut wave = connect()?;
        load::run(&mut wave, &request, WAVE)?;
        idle.extend(wave);
    }
    let after = gate.memory();
    let each = bytes(after.saturating_sub(before)) / bytes_of(IDLE);
    // They are all still there: none was closed to save memory.
    for wave in idle.chunks_mut(WAVE) {
        load::run(wave, &request, WAVE)?;
    }
    Ok(vec![
        Line::new("memory before", format!("{before} KiB"), "", true),
        Line::new(
            format!("memory with {IDLE} idle connections"),
            format!("{after} KiB"),
            "",
            true,
        ),
        Line::new(
            "for each",
            format!("{each:.0} bytes"),
            format!("≤ {allowed:.0} bytes"),
            each <= allowed,
        ),
        Line::new("that still answer", IDLE.to_string(), IDLE.to_string(), true),
    ])
}

fn bytes(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) * 1024.0
}

fn bytes_of(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
