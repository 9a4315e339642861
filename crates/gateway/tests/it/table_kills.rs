//! What is left when the database server or the gate is killed while others write.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portcullis_servers::{MariaDb, Postgres};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::folder::Folder;
use super::gate::{Gate, eventually};

const SCHEMA: &str = "
CREATE TABLE singles (mark bigint NOT NULL PRIMARY KEY);
CREATE TABLE halves (mark bigint NOT NULL, half varchar(8) NOT NULL, PRIMARY KEY (mark, half));
CREATE TABLE parents (mark bigint NOT NULL PRIMARY KEY);
CREATE TABLE children (mark bigint NOT NULL PRIMARY KEY, parent bigint NOT NULL REFERENCES parents (mark));
CREATE TABLE accounts (id integer NOT NULL PRIMARY KEY, balance integer NOT NULL, version integer NOT NULL DEFAULT 1);
INSERT INTO accounts (id, balance) VALUES (1, 1000), (2, 1000), (3, 1000);
";

/// How soon after a server is back somebody's write is acknowledged.
const RECOVERY: Duration = Duration::from_secs(2);

/// A server that can be killed, and a database of it.
struct Killable<S>(S, String);

trait Server {
    fn url(&self) -> String;
    fn sql(&self, sql: &str) -> String;
    fn kill(&mut self);
    fn restart(&mut self);
}

/// Each kind of server has the same controls of its own.
macro_rules! servers {
    ($($kind:ty),*) => {
        $(impl Server for Killable<$kind> {
            fn url(&self) -> String {
                self.0.url_for(&self.1)
            }

            fn sql(&self, sql: &str) -> String {
                self.0.run_sql(&self.1, sql).unwrap()
            }

            fn kill(&mut self) {
                self.0.kill().unwrap();
            }

            fn restart(&mut self) {
                self.0.restart().unwrap();
            }
        })*
    };
}

servers!(Postgres, MariaDb);

/// What was acknowledged: the table and the mark.
#[derive(Default)]
struct Told {
    marks: Mutex<Vec<(&'static str, u64)>>,
    count: AtomicU64,
    next: AtomicU64,
}

impl Told {
    fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    fn mark(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }

    fn acknowledged(&self, table: &'static str, mark: u64) {
        self.marks.lock().unwrap().push((table, mark));
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn postgres_may_be_killed() {
    let server = Postgres::builder().durable().start().unwrap();
    let database = server.fresh_database().unwrap();
    survives(&mut Killable(server, database));
}

#[test]
fn mariadb_may_be_killed() {
    let server = MariaDb::builder().durable().start().unwrap();
    let database = server.fresh_database().unwrap();
    survives(&mut Killable(server, database));
}

fn survives(server: &mut dyn Server) {
    server.sql(SCHEMA);
    let configuration = format!(
        "listeners: [127.0.0.1:0]\ndatabases: {{shop: {{url: '{}', pool: {{max: 8}}}}}}\nroutes:\n- path: /**\n  to: {{tables: {{database: shop, \
         transactions: true, tables: {{singles: {{}}, halves: {{}}, parents: {{}}, children: {{}}, accounts: {{version: version}}}}}}}}\n",
        server.url()
    );
    let told = Arc::new(Told::default());
    let mut folder = Folder::new();
    // The server dies, and then the gate.
    for _ in 0..2 {
        let gate = Gate::start_in(folder, &configuration);
        let writers = writers(gate.address(), &told);
        more_is_told(&told, 40);
        server.kill();
        // What was under way has its answers by now.
        eventually("a refusal", || gate.get("/accounts/1").status == 503);
        server.restart();
        let begun = Instant::now();
        more_is_told(&told, 1);
        assert!(begun.elapsed() <= RECOVERY, "the pool took {:?}", begun.elapsed());
        more_is_told(&told, 40);
        folder = gate.kill();
        for writer in writers {
            writer.join().unwrap();
        }
        all_is_there(server, &told);
    }
}

fn more_is_told(told: &Told, more: u64) {
    let before = told.count();
    eventually("writes", || told.count() >= before + more);
}

/// Looks past the gate: what was acknowledged is there, and nothing is there by half.
fn all_is_there(server: &dyn Server, told: &Told) {
    for table in ["singles", "halves", "children"] {
        let there: HashSet<u64> = server
            .sql(&format!("SELECT mark FROM {table};"))
            .lines()
            .map(|mark| mark.trim().parse().unwrap())
            .collect();
        let marks = told.marks.lock().unwrap();
        let lost: Vec<_> = marks
            .iter()
            .filter(|(of, mark)| *of == table && !there.contains(mark))
            .collect();
        assert!(lost.is_empty(), "{table}: lost {lost:?} of {}", marks.len());
        assert!(marks.iter().any(|(of, _)| *of == table), "{table}: nothing was told");
    }
    let number = |sql: &str| server.sql(sql).trim().parse::<i64>().unwrap();
    let lonely = number("SELECT count(*) FROM (SELECT mark FROM halves GROUP BY mark HAVING count(*) <> 2) AS lonely;");
    assert_eq!(lonely, 0, "halves are alone");
    let childless =
        number("SELECT count(*) FROM parents WHERE NOT EXISTS (SELECT 1 FROM children WHERE parent = parents.mark);");
    assert_eq!(childless, 0, "half of a transaction is there");
    assert_eq!(number("SELECT sum(balance) FROM accounts;"), 3000);
    assert!(
        number("SELECT max(version) FROM accounts;") > 1,
        "nothing was transferred"
    );
}

type Writer = fn(&mut Client, &Told) -> std::io::Result<()>;

/// Threads that write until their connection breaks.
fn writers(address: SocketAddr, told: &Arc<Told>) -> Vec<JoinHandle<()>> {
    let kinds: [Writer; 5] = [single, both_halves, parent_and_child, transfer, transfer];
    let write = |kind: Writer| {
        let told = Arc::clone(told);
        std::thread::spawn(move || {
            let mut client = Client::connect(address);
            while kind(&mut client, &told).is_ok() {}
        })
    };
    kinds.into_iter().map(write).collect()
}

fn single(client: &mut Client, told: &Told) -> std::io::Result<()> {
    let mark = told.mark();
    let answer = send(client, "POST", "/singles", &json!({"mark": mark}))?;
    note(told, "singles", mark, &answer, 201);
    Ok(())
}

fn both_halves(client: &mut Client, told: &Told) -> std::io::Result<()> {
    let mark = told.mark();
    let rows = json!([{"mark": mark, "half": "left"}, {"mark": mark, "half": "right"}]);
    let answer = send(client, "POST", "/halves", &rows)?;
    note(told, "halves", mark, &answer, 201);
    Ok(())
}

fn parent_and_child(client: &mut Client, told: &Told) -> std::io::Result<()> {
    let mark = told.mark();
    let operations = json!({"ops": [
        {"as": "p", "insert": "parents", "values": {"mark": mark}},
        {"insert": "children", "values": {"mark": mark, "parent": {"$ref": "p.mark"}}},
    ]});
    let answer = send(client, "POST", "/$tx", &operations)?;
    note(told, "children", mark, &answer, 200);
    Ok(())
}

/// Moves money between two accounts that may have changed meanwhile: then nothing happens.
fn transfer(client: &mut Client, told: &Told) -> std::io::Result<()> {
    let (from, to) = match told.next.load(Ordering::Relaxed) % 3 {
        0 => (1, 2),
        1 => (2, 3),
        _ => (3, 1),
    };
    let (Some(from), Some(to)) = (account(client, from)?, account(client, to)?) else {
        return Ok(());
    };
    let patch = |(id, balance, tag): &(u64, i64, String), more: i64| json!({"patch": format!("accounts/{id}"), "if_match": tag, "values": {"balance": balance + more}});
    let answer = send(
        client,
        "POST",
        "/$tx",
        &json!({"ops": [patch(&from, -7), patch(&to, 7)]}),
    )?;
    assert!(matches!(answer.status, 200 | 409 | 412 | 500 | 503 | 504), "{answer}");
    Ok(())
}

fn account(client: &mut Client, id: u64) -> std::io::Result<Option<(u64, i64, String)>> {
    client.send(format!("GET /accounts/{id} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let answer = client.try_answer(false)?;
    if answer.status != 200 {
        return Ok(None);
    }
    let tag = answer.field("etag").unwrap().to_owned();
    Ok(Some((id, answer.json()["balance"].as_i64().unwrap(), tag)))
}

fn send(client: &mut Client, method: &str, target: &str, body: &Value) -> std::io::Result<Answer> {
    let body = body.to_string();
    client.send(format!(
        "{method} {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    client.try_answer(false)
}

/// Notes what was acknowledged. Anything else is a server that isn't there, or an outcome that nobody knows.
fn note(told: &Told, table: &'static str, mark: u64, answer: &Answer, expected: u16) {
    if answer.status == expected {
        told.acknowledged(table, mark);
    } else {
        assert!(matches!(answer.status, 500 | 503 | 504), "{answer}");
    }
}
