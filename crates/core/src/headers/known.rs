//! The names of fields that the gate itself knows.

/// A field name to look for or to write.
#[derive(Clone, Copy, Debug)]
pub enum Name<'n> {
    /// A well-known name in its usual case.
    Known(Known),
    /// A well-known name in a case of its own.
    Cased(Known, &'n str),
    /// Any other name.
    Other(&'n str),
}

impl<'n> Name<'n> {
    /// The name as it will be written.
    pub fn as_str(&self) -> &'n str {
        match *self {
            Name::Known(known) => known.as_str(),
            Name::Cased(_, name) | Name::Other(name) => name,
        }
    }

    /// Which well-known name it is.
    pub fn known(&self) -> Option<Known> {
        match *self {
            Name::Known(known) | Name::Cased(known, _) => Some(known),
            Name::Other(name) => {
                debug_assert!(Known::from_name(name.as_bytes()).is_none(), "a well-known name: {name}");
                None
            }
        }
    }
}

impl From<Known> for Name<'_> {
    fn from(known: Known) -> Self {
        Name::Known(known)
    }
}

impl<'n> From<&'n str> for Name<'n> {
    fn from(name: &'n str) -> Self {
        match Known::from_name(name.as_bytes()) {
            Some(known) => Name::Cased(known, name),
            None => Name::Other(name),
        }
    }
}

impl<'n> From<&'n String> for Name<'n> {
    fn from(name: &'n String) -> Self {
        Name::from(name.as_str())
    }
}

macro_rules! known_names {
    ($($variant:ident = $text:literal;)*) => {
        /// The field names that this program itself reads or writes on the way of a request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the registered names say it")]
        pub enum Known { $($variant,)* }

        const NAMES: &[(Known, &str)] = &[$((Known::$variant, $text),)*];

        impl Known {
            /// The name in its usual case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Known::$variant => $text,)* }
            }
        }
    };
}

known_names! {
    Accept = "Accept";
    AcceptEncoding = "Accept-Encoding";
    AcceptRanges = "Accept-Ranges";
    AccessControlRequestHeaders = "Access-Control-Request-Headers";
    AccessControlRequestMethod = "Access-Control-Request-Method";
    Age = "Age";
    Allow = "Allow";
    Authorization = "Authorization";
    CacheControl = "Cache-Control";
    ClientCert = "Client-Cert";
    ClientCertChain = "Client-Cert-Chain";
    Connection = "Connection";
    ContentEncoding = "Content-Encoding";
    ContentLength = "Content-Length";
    ContentRange = "Content-Range";
    ContentType = "Content-Type";
    Cookie = "Cookie";
    Date = "Date";
    Etag = "ETag";
    Expect = "Expect";
    Forwarded = "Forwarded";
    Host = "Host";
    Http2Settings = "HTTP2-Settings";
    IfMatch = "If-Match";
    IfModifiedSince = "If-Modified-Since";
    IfNoneMatch = "If-None-Match";
    IfRange = "If-Range";
    IfUnmodifiedSince = "If-Unmodified-Since";
    KeepAlive = "Keep-Alive";
    LastModified = "Last-Modified";
    Link = "Link";
    Location = "Location";
    Origin = "Origin";
    Prefer = "Prefer";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyAuthorization = "Proxy-Authorization";
    ProxyConnection = "Proxy-Connection";
    ProxyStatus = "Proxy-Status";
    Range = "Range";
    RateLimit = "RateLimit";
    RateLimitPolicy = "RateLimit-Policy";
    Referer = "Referer";
    RetryAfter = "Retry-After";
    Server = "Server";
    SetCookie = "Set-Cookie";
    StrictTransportSecurity = "Strict-Transport-Security";
    Te = "TE";
    Traceparent = "traceparent";
    Trailer = "Trailer";
    TransferEncoding = "Transfer-Encoding";
    Upgrade = "Upgrade";
    UserAgent = "User-Agent";
    Vary = "Vary";
    Via = "Via";
    WwwAuthenticate = "WWW-Authenticate";
    XConsumer = "X-Consumer";
    XForwardedFor = "X-Forwarded-For";
    XForwardedHost = "X-Forwarded-Host";
    XForwardedPort = "X-Forwarded-Port";
    XForwardedProto = "X-Forwarded-Proto";
    XRequestId = "X-Request-Id";
}

const _: () = assert!(NAMES.len() <= 64, "Known::bit has room for 64 names");

/// For each length of a name, the known names of that length.
const LONGEST: usize = 30;
static BY_LENGTH: [[Option<Known>; 10]; LONGEST + 1] = by_length();

const fn by_length() -> [[Option<Known>; 10]; LONGEST + 1] {
    let mut table = [[None; 10]; LONGEST + 1];
    let mut at = 0;
    while at < NAMES.len() {
        let (known, text) = NAMES[at];
        let mut slot = 0;
        while table[text.len()][slot].is_some() {
            slot += 1;
        }
        table[text.len()][slot] = Some(known);
        at += 1;
    }
    table
}

impl Known {
    /// Which known name these bytes are, without regard to case.
    pub fn from_name(name: &[u8]) -> Option<Known> {
        let candidates = BY_LENGTH.get(name.len())?;
        let (first, last) = (name.first()? | 0x20, name.last()? | 0x20);
        candidates.iter().map_while(|known| *known).find(|known| {
            let text = known.as_str().as_bytes();
            // Most names differ at their ends, and most that don't come in their usual case.
            text[0] | 0x20 == first
                && text[text.len() - 1] | 0x20 == last
                && (text == name || text.eq_ignore_ascii_case(name))
        })
    }

    /// The bit that stands for this name in a set of names.
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// The names of a set; see [`Known::bit`].
    pub fn in_set(mut set: u64) -> impl Iterator<Item = Known> {
        std::iter::from_fn(move || {
            let (known, _) = NAMES.get(set.trailing_zeros() as usize)?;
            set &= set - 1;
            Some(*known)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case() {
        for (known, text) in NAMES {
            assert_eq!(Known::from_name(text.to_ascii_lowercase().as_bytes()), Some(*known));
            assert_eq!(Known::from_name(text.to_ascii_uppercase().as_bytes()), Some(*known));
        }
        assert_eq!(Known::from_name(b"x-anything"), None);
        assert_eq!(Known::from_name(b""), None);
        assert_eq!(Known::from_name(&[b'a'; 200]), None);
    }
}
