//! Where a database is.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

use crate::secret::MASK;

/// The URL of a database, which may hold a password: `Debug`, `Display` and `Serialize` give `***` in its place.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL itself, for its one use. Don't log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Whether a URL of a database says something that must not be shown.
pub(crate) fn is_secret(text: &str) -> bool {
    matches!(masked(text), Cow::Owned(_))
}

/// The URL with what must not be shown masked: the password of its authority (RFC 3986 §3.2.1), and parameters that are
/// one.
fn masked(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Cow::Borrowed(text);
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    // A password that is not encoded may hold a slash or an at sign: all up to the last at sign is taken for it.
    let user = place.rsplit_once('@').and_then(|(user, host)| {
        let (name, _) = user.split_once(':')?;
        Some(format!("{name}:{MASK}@{host}"))
    });
    let secret_query = query.filter(|query| query.to_ascii_lowercase().contains("pass"));
    if user.is_none() && secret_query.is_none() {
        return Cow::Borrowed(text);
    }
    let place = user.unwrap_or_else(|| place.to_owned());
    let query = match (query, secret_query) {
        (_, Some(_)) => format!("?{MASK}"),
        (Some(query), None) => format!("?{query}"),
        (None, None) => String::new(),
    };
    Cow::Owned(format!("{scheme}://{place}{query}"))
}

impl From<&str> for DatabaseUrl {
    fn from(text: &str) -> DatabaseUrl {
        DatabaseUrl(text.to_owned())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for DatabaseUrl {
    fn schema_name() -> Cow<'static, str> {
        "DatabaseUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "database-url",
            "pattern": "^(sqlite:.+|(postgres|postgresql|mysql|mariadb)://.+)$",
            "examples": ["sqlite:data/shop.db", "postgres://shop:${SHOP_PASSWORD}@db.internal/shop"],
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("sqlite:data/a.db", "sqlite:data/a.db"),
            ("postgres://db/shop", "postgres://db/shop"),
            ("postgres://shop@db/shop", "postgres://shop@db/shop"),
            (
                "postgres://shop:hunter2@db:5432/shop",
                "postgres://shop:***@db:5432/shop",
            ),
            (
                "mysql://shop:hu@n/ter2@db/shop?sslmode=require",
                "mysql://shop:***@db/shop?sslmode=require",
            ),
            ("postgres://db/shop?user=a&password=hunter2", "postgres://db/shop?***"),
            (
                "postgres://db/shop?sslmode=require",
                "postgres://db/shop?sslmode=require",
            ),
        ] {
            let url = DatabaseUrl::from(url);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), shown);
            assert_eq!(serde_json::json!(url), shown);
            assert_eq!(is_secret(url.expose()), shown.contains(MASK));
        }
    }
}
