//! What InnoDB itself tells of all tables at once, to accounts that may ask (the privilege PROCESS, and SELECT on its
//! statistics). The same from `information_schema` has MariaDB open each table, which takes ten times as long.

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable as _;

use super::{Referring, queries, rows};

/// How many rows InnoDB believes each table to have; else what the server says.
///
/// # Errors
/// One line: what the server had against it.
pub(super) async fn numbers_of_rows(connection: &mut Conn, namespace: &str) -> Result<HashMap<String, u64>, String> {
    let counted: Vec<(String, u64)> = match rows(connection, queries::ROWS_OF_INNODB, namespace).await {
        Ok(counted) => counted,
        Err(_) => rows(connection, queries::ROWS, namespace).await?,
    };
    let mut numbers: HashMap<String, u64> = HashMap::with_capacity(counted.len());
    for (name, count) in counted {
        // A partition is a line of its own: `table#P#partition`.
        let table = name
            .split_once("#P#")
            .or_else(|| name.split_once("#p#"))
            .map_or(name.as_str(), |(table, _)| table);
        let number = numbers.entry(table.to_owned()).or_default();
        *number = number.saturating_add(count);
    }
    Ok(numbers)
}

/// The references as InnoDB keeps them; no other engine of MariaDB has any. `None` where the account may not ask for that,
/// or a name is another one as a file's, which InnoDB has them by.
pub(super) async fn references(connection: &mut Conn, namespace: &str) -> Option<Vec<Referring>> {
    if !is_plain(namespace) {
        return None;
    }
    let keys: Vec<(String, String, String)> = connection.query(queries::REFERENCES_OF_INNODB).await.ok()?;
    let parts: Vec<(String, String, String)> = connection.query(queries::REFERRING_OF_INNODB).await.ok()?;
    let mut columns: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for (id, column, referred) in parts {
        columns.entry(id).or_default().push((column, referred));
    }
    let mut references = Vec::new();
    for (id, table, referred) in keys {
        let Some((of, table)) = table.split_once('/') else {
            continue;
        };
        if of != namespace {
            continue;
        }
        let (referred_namespace, referred_table) = referred.split_once('/')?;
        if ![table, referred_namespace, referred_table].into_iter().all(is_plain) {
            return None;
        }
        let name = id.split_once('/').map_or(id.as_str(), |(_, name)| name);
        for (column, referred_column) in columns.remove(&id).unwrap_or_default() {
            references.push((
                table.to_owned(),
                name.to_owned(),
                column,
                referred_namespace.to_owned(),
                referred_table.to_owned(),
                referred_column,
            ));
        }
    }
    Some(references)
}

/// The indexes that are no B-trees: table, name and kind. `None` as with [`references`].
pub(super) async fn methods(connection: &mut Conn, namespace: &str) -> Option<Vec<(String, String, String)>> {
    if !is_plain(namespace) {
        return None;
    }
    let found: Vec<(String, String, String)> = connection.query(queries::METHODS_OF_INNODB).await.ok()?;
    let mut methods = Vec::new();
    for (table, index, method) in found {
        let Some((of, table)) = table.split_once('/') else {
            continue;
        };
        if of == namespace {
            methods.push((is_plain(table).then(|| table.to_owned())?, index, method));
        }
    }
    Some(methods)
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
