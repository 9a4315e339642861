//! Dates as HTTP writes them (RFC 9110 §5.6.7).

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A date in the one form that is sent: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub type ImfFixdate = [u8; 29];

/// The last second that the form can tell: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

thread_local! {
    static LATEST: Cell<(u64, ImfFixdate)> = const { Cell::new((u64::MAX, [b' '; 29])) };
}

/// The date of this moment. It is written once a second and thread.
pub fn now() -> ImfFixdate {
    let second = seconds(SystemTime::now());
    let (latest, text) = LATEST.get();
    if latest == second {
        return text;
    }
    let text = write(second);
    LATEST.set((second, text));
    text
}

/// Writes a date, to the second. What lies before 1970 or after 9999, as a file's time may, becomes the nearest date
/// that doesn't.
pub fn format(time: SystemTime) -> ImfFixdate {
    write(seconds(time))
}

/// Reads a date in any of the three forms that HTTP has had (RFC 9110 §5.6.7); `None` for anything else.
pub fn parse(text: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
        .min(LAST_SECOND)
}

fn write(second: u64) -> ImfFixdate {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
    text.as_bytes().try_into().expect("the form has 29 characters")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read() {
        let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(&format(time), b"Sun, 06 Nov 1994 08:49:37 GMT");
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(parse(form.as_bytes()), Some(time), "{form}");
        }
        for garbage in [&b""[..], b"yesterday", b"Sun, 06 Nov 1994 08:49:37", b"\xff"] {
            assert_eq!(parse(garbage), None);
        }
    }

    #[test]
    fn no_time_is_too_strange() {
        assert_eq!(
            &format(UNIX_EPOCH - Duration::from_secs(1)),
            b"Thu, 01 Jan 1970 00:00:00 GMT"
        );
        let far = UNIX_EPOCH + Duration::from_secs(LAST_SECOND + 1);
        assert_eq!(&format(far), b"Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn now_is_now() {
        let before = seconds(SystemTime::now());
        let told = seconds(parse(&now()).unwrap());
        assert!(told >= before && told <= seconds(SystemTime::now()));
    }
}
