//! The command line.

mod bench;
mod check;
mod diff;
mod explain;
mod index;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::UnknownArgumentValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::index::index_in_words;
use crate::explain::Asked;
use crate::server;
use crate::source::Source;

/// The one gate in front of your services: an API gateway in one binary and one file.
///
/// A request enters through a listener, a route claims it, policies guard it, and a backend answers it: a pool of
/// servers, a table of a database, files, a fixed answer or a redirection.
#[derive(Parser)]
#[command(name = "portcullis", version, max_term_width = 100, after_help = FIRST_STEPS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

// Lines of examples fit into 80 columns, because a narrow terminal breaks longer ones anywhere.
const FIRST_STEPS: &str = "First steps:
  portcullis proxy http://127.0.0.1:9000       stands in front of a server
  portcullis schema > portcullis.schema.json   lets an editor complete the file
  portcullis check portcullis.yaml             says all that is wrong with it
  portcullis run portcullis.yaml               serves
  portcullis diff portcullis.yaml              says what a reload would change
  portcullis explain GET /questions            says which route answers and why
  portcullis bench http://127.0.0.1:8080/      measures a server under load

Signals of a running gateway: HUP reloads the file, TERM ends after the requests in progress, USR1 reopens logs,
USR2 starts the program's file anew in place of this one.";

/// The file that commands take when none is named.
const DEFAULT_FILE: &str = "portcullis.yaml";

#[derive(Subcommand)]
enum Command {
    /// Serve, until a signal ends it.
    ///
    /// Compiles the file, opens databases and runs their migrations, and only then listens. SIGHUP or POST /reload on
    /// the admin listener loads the file again; one that is wrong changes nothing. Exit code 1: it could not start, and
    /// standard error says why.
    #[command(after_help = "Examples:
  portcullis run                      serves what portcullis.yaml says
  portcullis run --watch site.yaml    reloads when the file changes
  PORT=8081 portcullis run site.yaml  where the file says ${PORT}")]
    Run {
        #[command(flatten)]
        configuration: Configuration,
        /// Write the number of the process that serves to this file. After an upgrade it is the new one's.
        #[arg(long, value_name = "PATH")]
        pid_file: Option<PathBuf>,
        /// Reload when the file, or a file with a secret of it, has changed and come to rest, which is seen within about
        /// two seconds. A file that is wrong is refused once, and what is in force stays.
        #[arg(long)]
        watch: bool,
    },
    /// Say everything that is wrong with a configuration, and change nothing.
    ///
    /// Certificates are loaded, services and tables are looked up in what is there, routes that never match are named.
    /// Migrations that are still to run are tried on a copy of the database in memory. Exit code 0: it can run; 1: it
    /// can't; 3: it can, but there are warnings and --strict was given.
    #[command(after_help = "Examples:
  portcullis check                                    before a reload
  portcullis check --strict --format json site.yaml   in a pipeline")]
    Check {
        #[command(flatten)]
        configuration: Configuration,
        /// How to write problems.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
        /// Take warnings as a failure.
        #[arg(long)]
        strict: bool,
    },
    /// Say what a reload would change, and change nothing.
    ///
    /// Compares what the file says, with all defaults, with what the running gate has in force, or with another file, and
    /// names each listener, service, set of policies and route that comes (+), goes (-) or changes (~). What needs a restart
    /// or ends something says so. Secrets are never shown. Between files one that differs is a change; a running gate tells
    /// nobody its own, so that whether they differ remains unknown.
    ///
    /// Exit code 0: no differences; 1: one side is wrong or can't be reached; 3: there are differences.
    #[command(after_help = "Examples:
  portcullis diff                              against the gate at its `admin.bind`
  portcullis diff new.yaml --against old.yaml  between two files
  portcullis diff --against http://127.0.0.1:9901 --format json")]
    Diff {
        #[command(flatten)]
        configuration: Configuration,
        /// The running gate's admin listener, such as `http://127.0.0.1:9901`, or another file. By default the address
        /// under `admin` in the file.
        #[arg(long, value_name = "URL|FILE")]
        against: Option<String>,
        /// How to write the differences.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Say which route answers a request, what guards it, and why other routes don't.
    ///
    /// Exit code 0: a route claims the request; 1: none does, or the configuration is wrong.
    #[command(after_help = "Examples:
  portcullis explain GET /questions/7
  portcullis explain GET /questions --file site.yaml --all
  portcullis explain POST http://example.com/questions -H 'Accept-Version: 2'
  portcullis explain GET /questions --live http://127.0.0.1:9901")]
    Explain {
        /// The method, such as GET.
        method: String,
        /// A URL or a path: `http://api.example.com/questions?level=eq.1` or `/questions`.
        url: String,
        /// A header field of the request: `-H 'Host: example.com'`.
        #[arg(short = 'H', long = "header", value_name = "FIELD")]
        headers: Vec<String>,
        /// The configuration.
        #[arg(short, long, visible_alias = "config", default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Ask the gate that runs: which route its configuration in force has for the request, and what each target would say to
        /// it now. Without a URL, the gate whose `admin` the configuration names.
        #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
        live: Option<String>,
        /// Show every route. Without it, those that come near; or, where no route claims the request, the first 50.
        #[arg(long)]
        all: bool,
        /// How to write the answer.
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Say how the questions that tables are asked find their rows, and which indexes would help.
    ///
    /// Every filter and every order that a route allows is a question, whether somebody asked it yet or not. Nothing is
    /// changed, and no index is made: statements that would make one are printed.
    #[command(after_help = "Examples:
  portcullis index report
  portcullis index report --live
  portcullis index check --rows 100000 site.yaml
  portcullis index explain GET '/v1/orders?state=eq.open'")]
    Index {
        #[command(subcommand)]
        what: Index,
    },
    /// Write the JSON Schema of the configuration, for editors.
    #[command(after_help = "Examples:
  portcullis schema > portcullis.schema.json
  portcullis schema --bench > bench.schema.json
and as the first line of the file:
  # yaml-language-server: $schema=./portcullis.schema.json")]
    Schema {
        /// That of the file of a load test, in its place.
        #[arg(long)]
        bench: bool,
    },
    /// Load a server, measure it and judge it.
    ///
    /// Requests start when they are due, whatever became of earlier ones, and their latency counts from then: a server that
    /// stands still can't hide it. What comes of it is judged by objectives, and compared with what was measured before.
    ///
    /// Without a rate, 100 requests a second for 10 seconds.
    #[command(after_help = bench::EXAMPLES)]
    Bench(Box<bench::Bench>),
    /// Stand in front of servers with no file at all.
    ///
    /// Requests are spread over the targets and logged to standard output.
    #[command(after_help = "Examples:
  portcullis proxy http://127.0.0.1:9000
  portcullis proxy http://10.0.0.1:9000 http://10.0.0.2:9000
  portcullis proxy http://10.0.0.1 --bind 0.0.0.0:8080 --admin 127.0.0.1:9901")]
    Proxy {
        /// Servers, such as `http://127.0.0.1:9000`.
        #[arg(required = true, value_name = "TARGET")]
        targets: Vec<String>,
        /// Where to listen.
        #[arg(long, default_value = "127.0.0.1:8080")]
        bind: std::net::SocketAddr,
        /// Where operators ask for health and metrics. By default nowhere.
        #[arg(long)]
        admin: Option<std::net::SocketAddr>,
    },
    /// Write a reference page of the documentation.
    #[command(hide = true)]
    Reference {
        /// Which one.
        #[arg(value_enum)]
        page: crate::reference::Page,
    },
}

#[derive(Subcommand)]
enum Index {
    /// Say of each table how its questions find their rows, which indexes would help, and which are of no use.
    ///
    /// Indexes are tried out by planning: SQLite on an empty copy of the schema in memory, PostgreSQL where the database has the
    /// extension HypoPG. On others they are guessed, and marked as unverified.
    Report {
        /// The configuration.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Only this route, by its name or path.
        #[arg(long, value_name = "ROUTE")]
        route: Option<String>,
        /// Ask the gate that runs, which knows what was asked, how often, and how long it took. Without a URL, the gate whose
        /// `admin` the configuration names.
        #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
        live: Option<String>,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Find the filters and orders that are allowed and would read a whole table.
    ///
    /// Exit code 0: there are none; 1: there are, or the configuration is wrong.
    Check {
        /// The configuration.
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Rows of a table from which on it must not be read whole. A table of which nobody knows how many it has is taken for
        /// larger.
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        rows: u64,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say how one question finds its rows: its statement, its plan, and what that means.
    Explain {
        /// The method: GET.
        method: String,
        /// A URL or a path of a collection: `/v1/orders?state=eq.open`. Rules of callers are left out.
        url: String,
        /// The configuration.
        #[arg(short, long, visible_alias = "config", default_value = DEFAULT_FILE)]
        file: PathBuf,
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Configuration {
    /// The configuration.
    #[arg(default_value = DEFAULT_FILE)]
    file: PathBuf,
    // Here the file needs no option, unlike with `explain`, so whoever uses one is told.
    #[arg(
        short = 'f',
        long = "file",
        alias = "config",
        value_name = "FILE",
        hide = true,
        value_parser = file_without_option()
    )]
    _option: Option<String>,
}

fn file_without_option() -> UnknownArgumentValueParser {
    UnknownArgumentValueParser::suggest("name the file alone: portcullis run FILE, portcullis check FILE")
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Does what the command line asks for.
pub(crate) fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.command {
        None => {
            let mut command = <Arguments as clap::CommandFactory>::command();
            print(&command.render_long_help().to_string());
            ExitCode::SUCCESS
        }
        Some(Command::Run {
            configuration,
            pid_file,
            watch,
        }) => server::run(Source::file(configuration.file), watch, pid_file.as_deref()),
        Some(Command::Check {
            configuration,
            format,
            strict,
        }) => check::run(configuration.file, format == Format::Json, strict),
        Some(Command::Diff {
            configuration,
            against,
            format,
        }) => diff::run(configuration.file, against, format == Format::Json),
        Some(Command::Explain {
            method,
            url,
            headers,
            file,
            live,
            all,
            format,
        }) => explain::run(explain::Wish {
            asked: Asked { method, url, headers },
            file,
            live,
            all,
            json: format == Format::Json,
        }),
        Some(Command::Index { what }) => match what {
            Index::Report {
                file,
                route,
                live,
                json,
            } => index::run(&file, index::Wish::Report { route, live }, json),
            Index::Check { file, rows, json } => index::run(&file, index::Wish::Check { rows }, json),
            Index::Explain {
                method,
                url,
                file,
                json,
            } => index::run(&file, index::Wish::Explain { method, url }, json),
        },
        Some(Command::Bench(bench)) => bench::run(*bench),
        Some(Command::Schema { bench }) => {
            let schema = match bench {
                true => portcullis_config::bench::schema(),
                false => portcullis_config::schema(),
            };
            print(&format!("{schema:#}\n"));
            ExitCode::SUCCESS
        }
        Some(Command::Proxy { targets, bind, admin }) => {
            server::run(Source::text(proxy_file(&targets, bind, admin)), false, None)
        }
        Some(Command::Reference { page }) => {
            print(&crate::reference::render(page));
            ExitCode::SUCCESS
        }
    }
}

/// The file that `portcullis proxy` stands for.
fn proxy_file(targets: &[String], bind: std::net::SocketAddr, admin: Option<std::net::SocketAddr>) -> String {
    // A dollar sign in an argument is not a reference to a variable.
    let targets: Vec<String> = targets.iter().map(|target| target.replace('$', "$$")).collect();
    let mut file = serde_json::json!({
        "listeners": [{"bind": bind}],
        "services": {"upstream": {"targets": targets}},
        "policies": {"log": {"access_log": {}}},
        "everywhere": ["log"],
        "routes": [{"path": "/**", "to": {"service": "upstream"}}],
    });
    if let Some(admin) = admin {
        file["admin"] = serde_json::json!({"bind": admin});
    }
    file.to_string()
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no failure.
pub(crate) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Writes to standard error. What is complained of may repeat what a file or a server says; a terminal would obey control characters
/// in it, so they are shown in its place.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", harmless(text));
}

fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            control if control.is_control() => shown.extend(control.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_no_complaint() {
        assert_eq!(harmless("a\n\tb\u{1b}[2J\rü"), "a\n\tb\\u{1b}[2J\\rü");
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_file_of_a_proxy_is_valid() {
        let targets = ["http://127.0.0.1:9000".to_owned(), "https://[::1]:9001".to_owned()];
        let bind = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        Source::text(proxy_file(&targets, bind, Some(bind)))
            .load()
            .expect("the file is valid");
    }
}
