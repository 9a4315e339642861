//! Those that are compared, as processes.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::engine::{Engine, Shop, run_script, templates};
use crate::bench::cases::Port;
use crate::bench::proxies::{CPU, Proxy, pinned};
use crate::bench::steady::place;
use crate::process;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Portcullis,
    /// The service of `conformance/peers/tables/handwritten`.
    ByHand,
    PocketBase,
    Datasette,
    PostGraphile,
}

impl Kind {
    pub(super) const PEERS: [Kind; 3] = [Kind::PocketBase, Kind::Datasette, Kind::PostGraphile];

    /// Its name, and its program's.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Portcullis => "portcullis",
            Kind::ByHand => "by-hand",
            Kind::PocketBase => "pocketbase",
            Kind::Datasette => "datasette",
            Kind::PostGraphile => "postgraphile",
        }
    }

    /// Whether it can do anything on an engine.
    pub(super) fn knows(self, engine: Engine) -> bool {
        match self {
            Kind::Portcullis | Kind::ByHand => true,
            Kind::PocketBase | Kind::Datasette => engine == Engine::Sqlite,
            Kind::PostGraphile => engine == Engine::Postgres,
        }
    }
}

/// One that runs alone on its processor, as a rule idle while another is loaded.
pub(super) struct Subject {
    pub(super) kind: Kind,
    process: Proxy,
}

impl Subject {
    /// Starts it on the shop, and waits until it takes connections.
    ///
    /// # Errors
    /// When it doesn't; with what it said.
    pub(super) fn start(kind: Kind, program: &Path, shop: &Shop, folder: &Path) -> Result<Subject, String> {
        let [port] = place::ports()?;
        let url = shop.url(kind.name())?;
        let mut command = pinned(CPU, program);
        match kind {
            Kind::Portcullis => {
                let file = configure(folder, port, &url)?;
                command.arg("run").arg(file).env("PORTCULLIS_WORKERS", "1");
            }
            Kind::ByHand => {
                command.args([&port.to_string(), &url]).env("WORKERS", "1");
            }
            Kind::PocketBase => pocketbase(&mut command, program, folder, port, &url)?,
            Kind::Datasette => {
                let path = url.trim_start_matches("sqlite:");
                // The database's name in paths is the file's.
                command.args(["serve", path, "--host", "127.0.0.1", "--port", &port.to_string()]);
                command.args(["--setting", "suggest_facets", "off"]);
            }
            Kind::PostGraphile => {
                command
                    .envs([("PORT", port.to_string()), ("DATABASE_URL", url)])
                    .envs([("NODE_ENV", "production"), ("GRAPHILE_ENV", "production")]);
            }
        }
        let log = folder.join(format!("{}.log", kind.name()));
        let output = File::create(&log).map_err(|failure| failure.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(|failure| failure.to_string())?)
            .stderr(output)
            .spawn()
            .map_err(|failure| format!("{} can't be started: {failure}", kind.name()))?;
        let process = Proxy::started(child, port, port).ready(kind.name(), &log)?;
        Ok(Subject { kind, process })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.process.address(Port::Clear)
    }
}

fn configure(folder: &Path, port: u16, url: &str) -> Result<PathBuf, String> {
    let template = templates().join("portcullis.yaml.template");
    let text = std::fs::read_to_string(&template).map_err(|failure| format!("{}: {failure}", template.display()))?;
    let file = folder.join("portcullis.yaml");
    let text = text.replace("${PORT}", &port.to_string()).replace("${URL}", url);
    std::fs::write(&file, text).map_err(|failure| failure.to_string())?;
    Ok(file)
}

/// It has tables of its own, which are made by its migrations and filled before it starts.
fn pocketbase(command: &mut Command, program: &Path, folder: &Path, port: u16, url: &str) -> Result<(), String> {
    let data = folder.join("pocketbase");
    let places = [
        format!("--dir={}", data.display()),
        format!("--migrationsDir={}", templates().join("pocketbase").display()),
    ];
    process::output(Command::new(program).args(["migrate", "up"]).args(&places))?;
    run_script(
        &data.join("data.db"),
        &templates().join("pocketbase/fill.sql"),
        Some(url.trim_start_matches("sqlite:")),
    )?;
    command
        .arg("serve")
        .arg(format!("--http=127.0.0.1:{port}"))
        .args(&places);
    command.env("GOMAXPROCS", "1");
    Ok(())
}
