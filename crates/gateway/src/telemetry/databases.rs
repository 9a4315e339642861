//! Open databases, as OpenMetrics text.

use std::sync::Arc;

use portcullis_backends::table::Open;
use portcullis_databases::Database;
use portcullis_policies::metrics::family::Family;

/// A number of each database, and how to read it.
struct Number {
    family: Family,
    read: fn(&Database) -> u64,
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Database) -> u64) -> Number {
    let family = Family::gauge(name, &["database"], help);
    Number { family, read }
}

const NUMBERS: &[Number] = &[
    gauge(
        "portcullis_schema_generation",
        "How many states of its tables the gate has seen, from 1.",
        Database::generation,
    ),
    gauge(
        "portcullis_database_connections",
        "Connections that are open for requests.",
        |database| database.load().connections as u64,
    ),
    gauge(
        "portcullis_database_connections_busy",
        "Connections that are at work for a request.",
        |database| database.load().busy as u64,
    ),
    gauge(
        "portcullis_database_waiting",
        "Requests that wait for a connection.",
        |database| database.load().waiting as u64,
    ),
];

const SCHEMA_FAILURES: Family = Family::counter(
    "portcullis_schema_failures",
    &["database"],
    "Times that its tables could not be looked at, or a route could not follow a change of them; the log says why.",
);

const ACCESSES: Family = Family::counter(
    "portcullis_sql_access",
    &["route", "class"],
    "Statements that were run, by the dearest step of their plan: `clustered` and `covering` are the cheapest, `full_scan` reads a \
     whole table. A statement is counted once its plan is known, which takes some seconds.",
);

/// The numbers of all databases. While a reload is under way, one that is opened anew may be there twice.
pub(super) fn render(mut databases: Vec<Arc<Open>>, out: &mut String) {
    databases.dedup_by(|one, other| one.database().name() == other.database().name());
    for Number { family, read } in NUMBERS {
        family.announce(out);
        for open in &databases {
            family.sample(&[open.database().name()], read(open.database()), out);
        }
    }
    SCHEMA_FAILURES.announce(out);
    for open in &databases {
        SCHEMA_FAILURES.sample(&[open.database().name()], open.failures(), out);
    }
    ACCESSES.announce(out);
    // A route that a reload made anew may be there twice, as long as the old one has requests.
    let mut sums = std::collections::BTreeMap::new();
    for (route, class, count) in databases.iter().flat_map(|open| open.accesses()) {
        *sums.entry((route, class)).or_insert(0) += count;
    }
    for ((route, class), count) in sums {
        ACCESSES.sample(&[&route, class], count, out);
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    NUMBERS
        .iter()
        .map(|number| &number.family)
        .chain([&SCHEMA_FAILURES, &ACCESSES])
}
