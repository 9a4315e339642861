//! What the tests of drivers against servers have in common.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use portcullis_tables::statement::{Access, Isolation, Script, Session, Step};

use crate::settings::Settings;

/// What a database is opened with.
pub(crate) fn settings(url: &str) -> Settings {
    Settings {
        name: "test".to_owned(),
        url: url.to_owned(),
        namespaces: Vec::new(),
        migrations: None,
        connections: 4,
        queue: 100,
        wait: Duration::from_secs(2),
        statement_timeout: Duration::from_secs(5),
        busy_timeout: Duration::from_secs(1),
        pooled: false,
        look: Duration::from_secs(10),
    }
}

/// The name of the database that is opened so.
pub(crate) fn name_of(settings: &Settings) -> &str {
    settings.url.rsplit_once('/').unwrap().1
}

/// A script of those steps, for nobody in particular.
pub(crate) fn script(access: Access, steps: Vec<Step>) -> Script {
    Script {
        access,
        isolation: Isolation::Default,
        session: Session::default(),
        steps,
        roll_back: false,
        timeout: Duration::from_secs(5),
    }
}
