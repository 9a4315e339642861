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
    EarlyData = "Early-Data";
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
    XConsumerRoles = "X-Consumer-Roles";
    XConsumerScopes = "X-Consumer-Scopes";
    XForwardedFor = "X-Forwarded-For";
    XForwardedHost = "X-Forwarded-Host";
    XForwardedPort = "X-Forwarded-Port";
    XForwardedProto = "X-Forwarded-Proto";
    XRequestId = "X-Request-Id";
}

const _: () = assert!(NAMES.len() <= 64, "Known::bit has room for 64 names");

/// For each key, the one known name of that key.
static BY_KEY: [Option<Known>; KEYS] = by_key();

const KEYS: usize = 512;

/// A number that tells the known names apart, made of a name's length and of the letters at which they differ most: the
/// first, the fourth from the end, the last. Names that differ in case only have the same one.
const fn key(name: &[u8], mix: [usize; 4]) -> usize {
    let len = name.len();
    let fourth = len.saturating_sub(4);
    let letters = [
        name[0] as usize | 0x20,
        name[fourth] as usize | 0x20,
        name[len - 1] as usize | 0x20,
    ];
    let mixed = (len * mix[0]) ^ (letters[0] * mix[1]) ^ (letters[1] * mix[2]) ^ (letters[2] * mix[3]);
    (mixed >> 3) % KEYS
}

/// With these no two known names have the same key: the first that will do, found while compiling.
const MIX: [usize; 4] = {
    let mut seed = 1;
    loop {
        let mut mix = [0; 4];
        let mut at = 0;
        while at < mix.len() {
            // A linear congruential generator; its high bits are good enough.
            seed = (seed * 1_103_515_245 + 12_345) % (1 << 31);
            mix[at] = (seed >> 16) | 1;
            at += 1;
        }
        if tells_apart(mix) {
            break mix;
        }
    }
};

const fn tells_apart(mix: [usize; 4]) -> bool {
    let mut taken = [false; KEYS];
    let mut at = 0;
    while at < NAMES.len() {
        let key = key(NAMES[at].1.as_bytes(), mix);
        if taken[key] {
            return false;
        }
        taken[key] = true;
        at += 1;
    }
    true
}

const fn by_key() -> [Option<Known>; KEYS] {
    let mut table = [None; KEYS];
    let mut at = 0;
    while at < NAMES.len() {
        let (known, text) = NAMES[at];
        table[key(text.as_bytes(), MIX)] = Some(known);
        at += 1;
    }
    table
}

impl Known {
    /// Which known name these bytes are, without regard to case.
    pub fn from_name(name: &[u8]) -> Option<Known> {
        if name.is_empty() {
            return None;
        }
        let known = BY_KEY[key(name, MIX)]?;
        let text = known.as_str().as_bytes();
        // Most names come in their usual case, or in small letters.
        (text == name || text.eq_ignore_ascii_case(name)).then_some(known)
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
