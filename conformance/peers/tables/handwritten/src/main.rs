//! Orders of a shop over HTTP, written by hand for one schema: what a team would have without a gate that knows tables.
//!
//! `tables-by-hand PORT sqlite:PATH|postgres://…|mysql://…` serves at that port of the loopback address. `WORKERS` is the
//! number of threads that serve.

mod mariadb;
mod orders;
mod postgres;
mod sqlite;
mod web;

use crate::orders::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("tables-by-hand PORT URL".into());
    };
    let port: u16 = port.parse()?;
    let workers = std::env::var("WORKERS").map_or(Ok(2), |number| number.parse())?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?
        .block_on(serve(port, &url))
}

async fn serve(port: u16, url: &str) -> Result<(), Failure> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        web::serve(port, sqlite::Sqlite::open(path)?).await
    } else if url.starts_with("postgres") {
        web::serve(port, postgres::Postgres::open(url)?).await
    } else {
        web::serve(port, mariadb::MariaDb::open(url)?).await
    }
}
