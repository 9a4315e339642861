//! Tables of a database as REST resources: one at the route's own path, or several as an API below it.
//!
//! The files are the way of a request: `place` finds what the path leads to, `negotiation` and `session` what the fields
//! say, then `reading`, `writing`, `calling` or `transacting` let the grammar understand it, SQL be made of it and the
//! database run it, and `answer` makes a response of what comes back. `live` keeps the API that all is resolved against,
//! `shapes` counts what was run, and `failure` tells what went wrong.

pub mod doctor;
pub mod settings;
pub mod shapes;

mod answer;
mod calling;
mod costly;
mod count;
mod description;
mod exposed;
mod failure;
mod link;
mod live;
mod negotiation;
mod place;
mod range;
mod reading;
mod session;
mod streamed;
mod transacting;
mod writing;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use portcullis_config::route::To;
use portcullis_core::{
    Backend, Body, Consumer, Ctx, Error, Headers, Known, Method, Reply, Request, Response, Result, Status, Target,
    codes,
};
use portcullis_tables::api::{Api, Resource};
use portcullis_tables::grammar::{self, Caller, Preferences};
use portcullis_tables::schema::Schema;
use portcullis_tables::statement::{Access, Isolation, Script, Session, Step};

use self::description::Descriptions;
use self::doctor::Watched;
use self::exposed::Route;
use self::live::Live;
pub use self::live::Open;
use self::place::{Level, Place};
use self::session::Roles;
use self::shapes::Shapes;

/// Bytes of an answer that are held until all of it is there: what is smaller gets a length, a tag and links; what is
/// larger is sent as its rows come. It is what one request may take of memory, several times over.
const HOLD: usize = 256 << 10;

/// Bytes of content that are read on the worker: less than a millisecond's work.
const MOST_AT_ONCE: usize = 64 << 10;

/// A backend that answers from tables and views of a database.
#[derive(Debug)]
pub struct Table {
    open: Arc<Open>,
    live: Arc<Live>,
    roles: Option<Roles>,
    /// How many segments the fixed part of the route's path has.
    base_segments: usize,
    /// Whether the route's own path is the collection of the one resource.
    is_one: bool,
    /// Whether several changes may be asked for at once.
    transactions: bool,
    /// Who may see plans.
    plans: Vec<Box<str>>,
    /// Whether the API is described, and the descriptions that were made.
    is_described: bool,
    descriptions: Descriptions,
    shapes: Arc<Shapes>,
    /// Rows of a table from which on it isn't read from end to end.
    reject_full_scan: Option<u64>,
    watched: Option<Arc<Watched>>,
}

/// A request on its way: what all steps of answering it need to know.
struct Asked<'a> {
    table: &'a Table,
    api: &'a Arc<Api>,
    caller: Caller<'a>,
    consumer: Option<Arc<Consumer>>,
    method: &'a Method,
    target: &'a Target,
    headers: &'a Headers,
    preferences: Preferences,
    session: Session,
    now: SystemTime,
}

impl Table {
    /// The tables that `to` shows of a database. `base_segments` is the number of segments that the fixed part of the
    /// route's path has: `/v1/questions` has two.
    ///
    /// # Errors
    /// Names the table, column or method that there is not, with what was probably meant.
    pub fn new(open: &Arc<Open>, to: &To, base_segments: usize) -> std::result::Result<Table, String> {
        let route = route_of(to)?;
        let plans = match &route {
            Route::One(_) => Vec::new(),
            Route::Several(tables) => tables.plans.roles.iter().map(|role| role.as_str().into()).collect(),
        };
        let reject_full_scan = match &route {
            Route::One(_) => None,
            Route::Several(tables) => tables.reject_full_scan.map(u64::from),
        };
        Ok(Table {
            roles: open.role().map(Roles::new),
            base_segments,
            is_one: matches!(route, Route::One(_)),
            transactions: matches!(&route, Route::Several(tables) if tables.transactions),
            plans,
            is_described: matches!(&route, Route::Several(tables) if tables.openapi),
            descriptions: Descriptions::default(),
            shapes: Arc::default(),
            reject_full_scan,
            watched: None,
            live: open.api(route)?,
            open: open.clone(),
        })
    }

    /// The same, by the name and path of its route: how its statements find rows is looked at while it serves.
    #[must_use]
    pub fn watched(mut self, route: &str, path: &str) -> Table {
        let watched = Arc::new(Watched::new(route, path, self.live.clone(), self.shapes.clone()));
        self.open.watch(&watched);
        self.watched = Some(watched);
        self
    }

    /// What a route exposes of a database with that schema.
    ///
    /// # Errors
    /// Those of [`Table::new`].
    pub fn api(schema: &Arc<Schema>, to: &To) -> std::result::Result<Api, String> {
        let exposed = route_of(to)?.exposed(schema)?;
        Api::new(schema.clone(), exposed)
    }

    /// The collection that a path leads to on a route with that API, by its place there.
    pub fn collection(path: &str, base_segments: usize, to: &To, api: &Api) -> Option<usize> {
        match Place::of(path, base_segments, matches!(to, To::Table(_)), api)? {
            Place::Collection(resource) => Some(resource),
            _ => None,
        }
    }

    /// What [`Table::new`] would say about that configuration and schema, without an open database.
    ///
    /// # Errors
    /// Those of [`Table::new`].
    pub fn check(schema: &Arc<Schema>, to: &To) -> std::result::Result<(), String> {
        Table::api(schema, to).map(drop)
    }

    /// The statements that were run for it.
    pub fn shapes(&self) -> &Arc<Shapes> {
        &self.shapes
    }

    async fn answer(&self, cx: &Ctx, request: Request) -> Result<Response> {
        let Request {
            method,
            target,
            headers,
            body,
            ..
        } = request;
        let api = self.live.now();
        let place = Place::of(target.path(), self.base_segments, self.is_one, &api)
            .ok_or_else(|| Error::new(&codes::RESOURCE_NOT_FOUND))?;
        let consumer = cx.consumer.as_deref();
        let asked = Asked {
            table: self,
            api: &api,
            caller: Caller { consumer },
            consumer: cx.consumer.clone(),
            method: &method,
            target: &target,
            headers: &headers,
            preferences: Preferences::of(&headers)?,
            session: match &self.roles {
                Some(roles) => roles.session(consumer)?,
                None => Session::default(),
            },
            now: cx.received,
        };
        match place {
            Place::Collection(resource) => asked.collection(resource, body).await,
            Place::Row(resource, key) => asked.row(resource, key, body).await,
            Place::Query(resource) => asked.long_query(resource, body).await,
            Place::Call(name) => asked.call(&name, body).await,
            Place::Transaction if self.transactions => asked.transaction(body).await,
            Place::Description if self.is_described => asked.describe().await,
            Place::Transaction | Place::Description => Err(Error::new(&codes::RESOURCE_NOT_FOUND)),
        }
    }
}

impl Asked<'_> {
    async fn collection(&self, resource: usize, body: Body) -> Result<Response> {
        let said = &self.api.resources()[resource];
        permit(said, self.method, Level::Collection)?;
        match self.method {
            Method::Options => Ok(options(said, Level::Collection)),
            Method::Post => self.insert(resource, body).await,
            Method::Patch => self.update(resource, body).await,
            Method::Delete => self.delete(resource).await,
            _ => self.list(resource, &grammar::pairs(self.target.query())?).await,
        }
    }

    async fn row(&self, resource: usize, key: &str, body: Body) -> Result<Response> {
        let said = &self.api.resources()[resource];
        let key = grammar::key(self.api, resource, key)?;
        permit(said, self.method, Level::Row)?;
        match self.method {
            Method::Options => Ok(options(said, Level::Row)),
            Method::Put => self.put(resource, &key, body).await,
            Method::Patch => self.update_row(resource, &key, body).await,
            Method::Delete => self.delete_row(resource, &key).await,
            _ => self.read_row(resource, &key).await,
        }
    }

    /// The type of the request's content, without parameters, in lower case; empty where it has none.
    fn media_type(&self) -> String {
        let field = self.headers.get_str(Known::ContentType).unwrap_or_default();
        let essence = field.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }

    /// A script of these steps for this request.
    fn script(&self, access: Access, steps: Vec<Step>) -> Script {
        Script {
            access,
            isolation: Isolation::Default,
            session: self.session(),
            steps,
            roll_back: self.preferences.roll_back == Some(true),
            timeout: self.table.open.database().settings().statement_timeout,
        }
    }

    /// What `parse` makes of that many bytes of content: where they are many, away from the worker.
    async fn parsed<T, P>(&self, bytes: usize, parse: P) -> Result<T>
    where
        T: Send + 'static,
        P: FnOnce(&Api, &Caller<'_>) -> Result<T> + Send + 'static,
    {
        let Some(slow) = self.table.open.slow().filter(|_| bytes > MOST_AT_ONCE) else {
            return parse(self.api, &self.caller);
        };
        let (api, consumer) = (self.api.clone(), self.consumer.clone());
        let parsing = slow.spawn_blocking(move || {
            let consumer = consumer.as_deref();
            parse(&api, &Caller { consumer })
        });
        parsing
            .await
            .unwrap_or_else(|lost| Err(Error::new(&codes::INTERNAL).with_cause(lost)))
    }

    /// The session of this request's script.
    fn session(&self) -> Session {
        let mut session = self.session.clone();
        session.time_zone.clone_from(&self.preferences.time_zone);
        session
    }

    /// Tells who counts statements that this one was run.
    fn ran(&self, statement: &Arc<str>, began: Instant, rows: u64) {
        let method = self.method.label();
        self.table
            .shapes
            .ran(method, statement, began.elapsed(), rows, self.now);
    }
}

/// Refuses a method that isn't taken there.
fn permit(resource: &Resource, method: &Method, level: Level) -> Result<()> {
    if place::allows(resource, method, level) {
        return Ok(());
    }
    Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, place::allowed(resource, level)))
}

impl Backend for Table {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        Reply::later(self.answer(cx, request))
    }
}

fn options(resource: &Resource, level: Level) -> Response {
    let response = Response::new(Status::NO_CONTENT).with_header(Known::Allow, place::allowed(resource, level));
    if place::allows(resource, &Method::Patch, level) {
        // RFC 5789 §3.1
        return response.with_header("Accept-Patch", "application/merge-patch+json, application/json");
    }
    response
}

fn route_of(to: &To) -> std::result::Result<Route, String> {
    match to {
        To::Table(to) => Ok(Route::One(to.clone())),
        To::Tables(to) => Ok(Route::Several(Box::new(to.tables.clone()))),
        _ => Err("the route leads to no table".to_owned()),
    }
}
