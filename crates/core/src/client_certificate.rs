//! Who a client is by the certificate that it showed.

/// The certificate by which a client proved who it is. It was verified against the listener's authorities, and the
/// client has the key to it.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The subject in the form of RFC 4514, such as `CN=ann,O=Example`. It may be empty.
    pub subject: Box<str>,
    /// Its alternative names that are hosts.
    pub dns_names: Box<[Box<str>]>,
    /// Its alternative names that are URIs, such as SPIFFE identities.
    pub uris: Box<[Box<str>]>,
    /// Its alternative names that are addresses of electronic mail.
    pub mail_addresses: Box<[Box<str>]>,
    /// The SHA-256 of the whole certificate.
    pub fingerprint: [u8; 32],
    /// The certificate itself, as DER.
    pub der: Box<[u8]>,
}
