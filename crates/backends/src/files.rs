//! Files of a folder, for GET and HEAD: conditional requests, single ranges, an index for folders, and no way out of
//! the folder.
//!
//! A worker never touches the disk: whatever may block runs on the slow runtime. A file of up to 64 KiB comes back in
//! one piece, a larger one as a stream of which two pieces at the most are in memory. Several ranges in one request
//! are answered with the whole file, as RFC 9110 §14.2 allows: nobody but attackers asks for them.
//!
//! The entity tag is made of the time of the last change (nanoseconds) and the length, so a file must not be changed
//! in place without its time changing too; what deploys files renames them into place.

mod conditions;
mod content_type;
mod open;
mod path;
mod stream;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use portcullis_config::route::ToFiles;
use portcullis_core::{
    Backend, Body, Ctx, Error, Headers, Known, Method, Reply, Request, Response, Result, Status, codes,
};
use rustix::io::Errno;
use tokio::runtime::Handle;

use crate::field_value::is_field_value;
use conditions::{Conditions, Selected, Validators};
use path::Wanted;
use stream::FileStream;

const ALLOW: &str = "GET, HEAD, OPTIONS";

/// A file of up to so many bytes is read whole before the answer starts: 64 KiB covers most pages, scripts and icons,
/// and saves them the hops between worker and slow runtime that a stream takes.
const READ_WHOLE: u64 = 64 * 1024;

/// Answers with the files of a folder.
pub struct Files {
    folder: Arc<Folder>,
    strip: Box<str>,
    cache_control: Option<Box<str>>,
    slow: Handle,
}

/// What work on the slow runtime needs to know.
struct Folder {
    root: PathBuf,
    index: PathBuf,
    fallback: Option<PathBuf>,
}

/// A file that is open, and what is known about it.
struct Opened {
    file: File,
    length: u64,
    content_type: &'static str,
    validators: Validators,
}

/// What the slow runtime made of a request.
enum Served {
    /// The path names a folder and lacks the slash at its end.
    Redirect,
    /// A file answers, with all or some or none of its content.
    File {
        opened: Opened,
        selected: Selected,
        content: Content,
    },
}

enum Content {
    None,
    Whole(Bytes),
    Stream(Range<u64>),
}

impl Files {
    /// Files of the folder that `config` names, relative to `base`. Where the file doesn't say what to strip from
    /// paths, it is `route_prefix`: the fixed part of the route's path. `slow` is the runtime whose threads may block.
    ///
    /// # Errors
    /// Says what is wrong: the folder or the fallback can't be opened, or a setting can never work.
    pub fn new(config: &ToFiles, base: &Path, route_prefix: &str, slow: Handle) -> std::result::Result<Files, String> {
        let root = base.join(&config.files);
        open::folder(&root).map_err(|error| format!("can't open the folder {}: {error}", root.display()))?;
        let strip = config.strip.as_deref().unwrap_or(route_prefix);
        let strip = strip.strip_suffix('/').unwrap_or(strip);
        if !(strip.is_empty() || strip.starts_with('/')) {
            return Err(format!("`strip` must start with a slash: `{strip}`"));
        }
        let named = |setting: &str, file: &str| match path::relative(&format!("/{file}"), "") {
            Some(Wanted { path, folder: false }) if !file.contains('%') => Ok(path),
            _ => Err(format!("`{setting}` must name a file within the folder: `{file}`")),
        };
        let index = named("index", &config.index)?;
        let fallback = config
            .fallback
            .as_deref()
            .map(|file| named("fallback", file))
            .transpose()?;
        let cache_control = config.cache_control.as_deref();
        if cache_control.is_some_and(|value| !is_field_value(value)) {
            return Err("`cache_control` holds a control character".to_owned());
        }
        let folder = Folder { root, index, fallback };
        if let Some(file) = &folder.fallback {
            folder.check_fallback(file)?;
        }
        Ok(Files {
            folder: Arc::new(folder),
            strip: strip.into(),
            cache_control: cache_control.map(Into::into),
            slow,
        })
    }

    async fn serve(&self, request: &Request, now: SystemTime) -> Result<Response> {
        let wanted = path::relative(request.target.path(), &self.strip).ok_or_else(not_found)?;
        let conditions = Conditions::of(request);
        let folder = Arc::clone(&self.folder);
        let get = request.method == Method::Get;
        let work = self
            .slow
            .spawn_blocking(move || folder.serve(&wanted, &conditions, get, now));
        match work
            .await
            .map_err(|error| Error::new(&codes::INTERNAL).with_cause(error))??
        {
            Served::Redirect => Ok(redirect(request)),
            Served::File {
                opened,
                selected,
                content,
            } => Ok(self.answer(opened, &selected, content)),
        }
    }

    fn answer(&self, opened: Opened, selected: &Selected, content: Content) -> Response {
        let mut headers = Headers::with_capacity(8, 320);
        headers.append(Known::Etag, opened.validators.etag());
        if let Some(modified) = opened.validators.modified() {
            headers.append(Known::LastModified, httpdate::fmt_http_date(modified));
        }
        if let Some(cache_control) = &self.cache_control {
            headers.append(Known::CacheControl, &**cache_control);
        }
        let (status, range) = match selected {
            Selected::NotModified => {
                return Response {
                    status: Status::NOT_MODIFIED,
                    headers,
                    body: Body::Empty,
                };
            }
            Selected::Whole => (Status::OK, 0..opened.length),
            Selected::Part(range) => (Status::PARTIAL_CONTENT, range.clone()),
        };
        headers.append(Known::AcceptRanges, "bytes");
        headers.append(Known::ContentType, opened.content_type);
        // What the table of types says is what a browser must take it for: a text that looks like a script is none.
        headers.append("X-Content-Type-Options", "nosniff");
        if status == Status::PARTIAL_CONTENT {
            let (first, last, length) = (range.start, range.end - 1, opened.length);
            headers.append(Known::ContentRange, format!("bytes {first}-{last}/{length}"));
        }
        let body = match content {
            Content::None => {
                headers.append(Known::ContentLength, (range.end - range.start).to_string());
                Body::Empty
            }
            Content::Whole(bytes) => Body::from(bytes),
            Content::Stream(range) => Body::Stream(Box::new(FileStream::new(opened.file, range, self.slow.clone()))),
        };
        Response { status, headers, body }
    }
}

impl Backend for Files {
    fn call<'a>(&'a self, cx: &'a mut Ctx, request: Request) -> Reply<'a> {
        match request.method {
            Method::Get | Method::Head => {
                let now = cx.received;
                Reply::later(async move { self.serve(&request, now).await })
            }
            Method::Options => Response::new(Status::NO_CONTENT)
                .with_header(Known::Allow, ALLOW)
                .into(),
            _ => Error::new(&codes::METHOD_NOT_ALLOWED)
                .with_header(Known::Allow, ALLOW)
                .into(),
        }
    }
}

impl Folder {
    /// Finds and reads what is wanted. Blocks.
    fn serve(&self, wanted: &Wanted, conditions: &Conditions, get: bool, now: SystemTime) -> Result<Served> {
        let found = match self.find(wanted, now) {
            Err(error) if is_missing(&error) => match &self.fallback {
                Some(fallback) => self.open(fallback, now).map(Some),
                None => Err(error),
            },
            found => found,
        };
        let Some(opened) = found.map_err(|error| failed(&error))? else {
            return Ok(Served::Redirect);
        };
        let selected = conditions.select(&opened.validators, opened.length, now)?;
        let range = match &selected {
            Selected::NotModified => 0..0,
            Selected::Whole => 0..opened.length,
            Selected::Part(range) => range.clone(),
        };
        let content = if !get || selected == Selected::NotModified {
            Content::None
        } else if range.end - range.start <= READ_WHOLE {
            let bytes = stream::read(&opened.file, range).map_err(|error| failed(&error))?;
            Content::Whole(bytes)
        } else {
            Content::Stream(range)
        };
        Ok(Served::File {
            opened,
            selected,
            content,
        })
    }

    /// Opens the file, or the index of the folder. Nothing: it is a folder with an index, asked for without a slash.
    fn find(&self, wanted: &Wanted, now: SystemTime) -> io::Result<Option<Opened>> {
        if wanted.folder {
            return self.open(&wanted.path.join(&self.index), now).map(Some);
        }
        match self.open(&wanted.path, now) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                self.open(&wanted.path.join(&self.index), now).map(|_| None)
            }
            opened => opened.map(Some),
        }
    }

    fn open(&self, path: &Path, now: SystemTime) -> io::Result<Opened> {
        // The folder is opened anew each time, so that a link to the current release can be turned to the next one.
        let root = open::folder(&self.root)?;
        let (file, metadata) = open::beneath(&root, path)?;
        let validators = Validators::of(&metadata, now);
        Ok(Opened {
            file,
            length: metadata.len(),
            content_type: content_type::of(path),
            validators,
        })
    }

    fn check_fallback(&self, file: &Path) -> std::result::Result<(), String> {
        let opened = self.open(file, SystemTime::UNIX_EPOCH);
        opened
            .map(drop)
            .map_err(|error| format!("can't open the fallback {}: {error}", file.display()))
    }
}

/// The folder's own address: relative links of its index lead to the wrong place without the slash.
fn redirect(request: &Request) -> Response {
    let query = request
        .target
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let location = format!("{}/{query}", request.target.path());
    Response::new(Status::PERMANENT_REDIRECT).with_header(Known::Location, location)
}

fn not_found() -> Error {
    Error::new(&codes::RESOURCE_NOT_FOUND)
}

/// Whether nothing is there, in contrast to something that must not be served.
fn is_missing(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG)
    )
}

/// What a client may know of a failure: a file that must not be read looks like one that isn't there.
fn failed(error: &io::Error) -> Error {
    let code = match Errno::from_io_error(error) {
        Some(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::ISDIR) => &codes::RESOURCE_NOT_FOUND,
        Some(Errno::XDEV | Errno::LOOP | Errno::ACCESS | Errno::PERM | Errno::NXIO) => &codes::RESOURCE_NOT_FOUND,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM) => &codes::OVERLOADED,
        _ if error.kind() == io::ErrorKind::IsADirectory => &codes::RESOURCE_NOT_FOUND,
        _ => &codes::FILE_FAILED,
    };
    Error::new(code).with_cause(error.to_string())
}

#[cfg(test)]
mod tests;
