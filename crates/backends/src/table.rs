//! A table of a database as a REST resource: the route's path is the collection, `/{key}` below it is one row.
//!
//! The files are the way of a request: `address` finds what the path leads to, `query` parses the query string,
//! `content` the body, `sql` makes statements of them, `database` runs those on threads of its own, `reading` and
//! `writing` are what runs there, and `failure` tells what went wrong.

pub mod database;
pub mod schema;

mod address;
mod content;
mod failure;
mod migrations;
mod percent;
mod preferences;
mod query;
mod queue;
mod reading;
mod resource;
mod sql;
mod writing;

use std::sync::Arc;

use bytes::Bytes;
use portcullis_config::route::tables::ToTable;
use portcullis_core::{
    Backend, Body, Ctx, Error, Headers, Known, Method, Reply, Request, Response, Result, Status, codes,
};

use self::address::Address;
use self::database::Database;
use self::preferences::Preferences;
use self::query::{Filter, Query};
use self::reading::Representation;
use self::resource::{Place, Resource};
use self::schema::Schema;
use self::writing::{Change, Changed, Shape};

/// A backend that answers from a table or view of a database.
#[derive(Debug)]
pub struct Table {
    database: Arc<Database>,
    resource: Arc<Resource>,
    base_segments: usize,
}

impl Table {
    /// A table of `database` as `config` shows it. `base_segments` is the number of segments that the path of the
    /// collection has: `/v1/questions` has two.
    ///
    /// # Errors
    /// Names the table, column or method that there is not, with what was probably meant.
    pub fn new(database: Arc<Database>, config: &ToTable, base_segments: usize) -> std::result::Result<Table, String> {
        let resource = Arc::new(Resource::new(database.schema(), config)?);
        Ok(Table {
            database,
            resource,
            base_segments,
        })
    }

    /// What [`Table::new`] would say about that configuration and schema, without an open database.
    ///
    /// # Errors
    /// Those of [`Table::new`].
    pub fn check(schema: &Schema, config: &ToTable) -> std::result::Result<(), String> {
        Resource::new(schema, config).map(|_| ())
    }

    async fn answer(&self, request: Request) -> Result<Response> {
        let address = Address::parse(request.target.path(), self.base_segments, &self.resource)
            .ok_or_else(|| Error::new(&codes::RESOURCE_NOT_FOUND))?;
        let place = address.place();
        if !self.resource.allows(&request.method, place) {
            return Err(Error::new(&codes::METHOD_NOT_ALLOWED).with_header(Known::Allow, self.resource.allowed(place)));
        }
        let query = request.target.query();
        match request.method {
            Method::Options => Ok(self.options(place)),
            Method::Post => {
                self.insert(&request.target, query, &request.headers, request.body)
                    .await
            }
            Method::Patch => self.update(address, query, &request.headers, request.body).await,
            Method::Delete => self.delete(address, query, &request.headers).await,
            _ => {
                self.read(address, query, &request.headers, request.method == Method::Head)
                    .await
            }
        }
    }

    fn options(&self, place: Place) -> Response {
        let response = Response::new(Status::NO_CONTENT).with_header(Known::Allow, self.resource.allowed(place));
        if self.resource.allows(&Method::Patch, place) {
            // RFC 5789 §3.1
            return response.with_header("Accept-Patch", "application/merge-patch+json, application/json");
        }
        response
    }

    async fn read(&self, address: Address<'_>, query: Option<&str>, headers: &Headers, head: bool) -> Result<Response> {
        let query = Query::parse(query, &self.resource)?;
        match address {
            Address::Row(key) => {
                let select = query.without_filters()?.select;
                let row = reading::row(&self.database, &self.resource, &key, select).await?;
                Ok(represent(row, headers, head))
            }
            Address::Collection => {
                let count = Preferences::of(headers).count;
                let rows = reading::list(&self.database, &self.resource, query, count).await?;
                // RFC 7240 §2
                let mut response = represent(rows, headers, head).with_header(Known::Vary, "Prefer");
                if count {
                    response.headers.append("Preference-Applied", "count=exact");
                }
                Ok(response)
            }
        }
    }

    async fn insert(
        &self,
        target: &portcullis_core::Target,
        query: Option<&str>,
        headers: &Headers,
        body: Body,
    ) -> Result<Response> {
        let select = Query::parse(query, &self.resource)?.without_filters()?.select;
        check_content_type(headers, &["application/json"])?;
        let body = body.read_to_end(self.resource.max_body).await?;
        let rows = content::parse_rows(&body, &self.resource)?;
        // One object is answered by an object, an array by an array, even if it holds but one.
        let one = body.trim_ascii_start().first() == Some(&b'{');
        let shown = Preferences::of(headers).representation.then_some(select);
        let change = Change::insert(
            &self.resource,
            rows,
            if one { Shape::Object } else { Shape::Array },
            shown,
        );
        let changed = writing::run(&self.database, &self.resource, change).await?;
        let mut response = Response::new(Status::CREATED);
        if let Some(key) = &changed.key {
            let path = target.path().trim_end_matches('/');
            response.headers.append(Known::Location, format!("{path}/{key}"));
        }
        Ok(with_representation(response, changed))
    }

    async fn update(
        &self,
        address: Address<'_>,
        query: Option<&str>,
        headers: &Headers,
        body: Body,
    ) -> Result<Response> {
        let (filters, select, shape) = self.affected(address, query, headers)?;
        check_content_type(headers, &["application/json", "application/merge-patch+json"])?;
        let body = body.read_to_end(self.resource.max_body).await?;
        let given = content::parse_object(&body, &self.resource)?;
        let shown = Preferences::of(headers).representation.then_some(select);
        let change = Change::update(&self.resource, given, &filters, shape, shown);
        self.change(change).await
    }

    async fn delete(&self, address: Address<'_>, query: Option<&str>, headers: &Headers) -> Result<Response> {
        let (filters, select, shape) = self.affected(address, query, headers)?;
        let shown = Preferences::of(headers).representation.then_some(select);
        let change = Change::delete(&self.resource, &filters, shape, shown);
        self.change(change).await
    }

    async fn change(&self, change: Change) -> Result<Response> {
        let changed = writing::run(&self.database, &self.resource, change).await?;
        let status = if changed.json.is_some() {
            Status::OK
        } else {
            Status::NO_CONTENT
        };
        Ok(with_representation(Response::new(status), changed))
    }

    /// Which rows a change is about, and which columns an answer shows.
    fn affected<'r>(
        &'r self,
        address: Address<'r>,
        query: Option<&str>,
        headers: &Headers,
    ) -> Result<(Vec<Filter<'r>>, Vec<usize>, Shape)> {
        // Rows have weak entity tags only, and If-Match compares strongly (RFC 9110 §13.1.1): to go on would pretend
        // that nobody else has changed the row.
        if headers.list(Known::IfMatch).any(|tag| tag != b"*") {
            return Err(Error::new(&codes::PRECONDITION_FAILED).with_detail("rows have no strong entity tag to match"));
        }
        let query = Query::parse(query, &self.resource)?;
        match address {
            Address::Row(key) => Ok((key, query.without_filters()?.select, Shape::Object)),
            Address::Collection => {
                let query = query.without_window()?;
                if query.filters.is_empty() {
                    let detail = "a change of the collection needs a filter, such as `column=eq.value`";
                    return Err(Error::new(&codes::BAD_QUERY).with_detail(detail));
                }
                Ok((query.filters, query.select, Shape::Array))
            }
        }
    }
}

impl Backend for Table {
    fn call<'a>(&'a self, _cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        Reply::later(self.answer(request))
    }
}

/// The answer with its content, or without it where the client has it already or asked for the fields only.
fn represent(representation: Representation, headers: &Headers, head: bool) -> Response {
    let Representation { json, tag, range } = representation;
    let response = Response::new(Status::OK).with_header(Known::Etag, &tag);
    let same = |member: &[u8]| member == b"*" || opaque(member) == opaque(tag.as_bytes());
    if headers.list(Known::IfNoneMatch).any(same) {
        return Response {
            status: Status::NOT_MODIFIED,
            ..response
        };
    }
    let response = match range {
        Some(range) => response.with_header(Known::ContentRange, range),
        None => response,
    };
    if head {
        let length = json.len().to_string();
        return response
            .with_header(Known::ContentType, "application/json")
            .with_header(Known::ContentLength, length);
    }
    response.with_body("application/json", Bytes::from(json))
}

/// A tag for the weak comparison, in which `W/` does not count (RFC 9110 §8.8.3.2).
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

fn with_representation(response: Response, changed: Changed) -> Response {
    match changed.json {
        None => response,
        Some(json) => response
            .with_header("Preference-Applied", "return=representation")
            .with_body("application/json", Bytes::from(json)),
    }
}

fn check_content_type(headers: &Headers, accepted: &[&str]) -> Result<()> {
    let given = headers.get_str(Known::ContentType).unwrap_or_default();
    let media_type = given.split(';').next().unwrap_or_default().trim();
    if accepted
        .iter()
        .any(|accepted| accepted.eq_ignore_ascii_case(media_type))
    {
        return Ok(());
    }
    let detail = format!("the content must be {}", accepted.join(" or "));
    Err(Error::new(&codes::UNSUPPORTED_CONTENT_TYPE).with_detail(detail))
}
