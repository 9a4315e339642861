//! A public key in PEM (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::refusal::Problem;

/// The longest file: an RSA key of 8192 bits has 1.5 KiB.
const LONGEST: usize = 16 * 1024;

/// The DER of the first public key in the text.
pub(crate) fn public_key(text: &[u8]) -> Result<Vec<u8>, Problem> {
    if text.len() > LONGEST {
        return Err(Problem::Pem("it is too long"));
    }
    let text = std::str::from_utf8(text).map_err(|_| Problem::Pem("it is not text"))?;
    let (_, rest) = text
        .split_once("-----BEGIN ")
        .ok_or(Problem::Pem("it has no line `-----BEGIN PUBLIC KEY-----`"))?;
    let (label, rest) = rest
        .split_once("-----")
        .ok_or(Problem::Pem("its first line has no end"))?;
    match label {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
        _ if label.ends_with("PRIVATE KEY") => return Err(Problem::Private),
        "CERTIFICATE" => {
            return Err(Problem::Pem(
                "it is a certificate; `openssl x509 -pubkey -noout` writes its key",
            ));
        }
        _ => return Err(Problem::Pem("it holds something else")),
    }
    let (content, _) = rest
        .split_once(&format!("-----END {label}-----"))
        .ok_or(Problem::Pem("its last line is missing"))?;
    let content: String = content.split_ascii_whitespace().collect();
    STANDARD
        .decode(content)
        .map_err(|_| Problem::Pem("its content is not Base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_found() {
        let pem = "A comment\n-----BEGIN PUBLIC KEY-----\nAQ\r\nID\n-----END PUBLIC KEY-----\nmore";
        assert_eq!(public_key(pem.as_bytes()), Ok(vec![1, 2, 3]));
    }

    #[test]
    fn other_things_are_told_apart() {
        let wrapped = |label: &str| format!("-----BEGIN {label}-----\nAQID\n-----END {label}-----\n");
        for label in [
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "EC PRIVATE KEY",
            "ENCRYPTED PRIVATE KEY",
        ] {
            assert_eq!(public_key(wrapped(label).as_bytes()), Err(Problem::Private));
        }
        for text in [
            wrapped("CERTIFICATE"),
            wrapped("PUBLIC KEY").replace("END", "FIN"),
            wrapped("PUBLIC KEY").replace("AQID", "A?ID"),
            "-----BEGIN PUBLIC KEY".to_owned(),
            String::new(),
            "x".repeat(LONGEST + 1),
        ] {
            assert!(matches!(public_key(text.as_bytes()), Err(Problem::Pem(_))), "{text}");
        }
        assert!(public_key(b"\xff").is_err());
    }
}
