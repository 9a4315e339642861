//! When a certificate is to be renewed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::validity::Validity;

/// How soon after its start a certificate may be renewed because the authority advises it. A mistake of an authority
/// would otherwise make us order without end.
const ADVICE_HEEDED_AFTER: Duration = Duration::from_secs(86_400);

/// When to order: at once where there is no certificate; otherwise as long before its end as was asked for, or a third of
/// its lifetime, or earlier where the authority advises it (RFC 9773, section 4.2).
///
/// A certificate is let live for a third of its lifetime in any case, so that a wish that is longer than its lifetime
/// does not make one order follow another.
pub(crate) fn due(held: Option<&Validity>, renew_before: Option<Duration>, advised: Option<SystemTime>) -> SystemTime {
    let Some(held) = held else { return UNIX_EPOCH };
    let third = held.lifetime() / 3;
    let before = renew_before.unwrap_or(third).min(third * 2);
    let planned = held.ends - before;
    let advised = advised.map(|advised| advised.max(held.starts + third.min(ADVICE_HEEDED_AFTER)));
    advised.map_or(planned, |advised| advised.min(planned))
}

/// A moment within the window that an authority advises: another one for each certificate, so that not all the world's
/// are renewed at once, and the same one for every gate that holds it.
pub(crate) fn moment_within(window: (SystemTime, SystemTime), serial: &[u8]) -> SystemTime {
    let hash = Sha256::digest(serial);
    let share = f64::from(u16::from_be_bytes([hash[0], hash[1]])) / f64::from(u16::MAX);
    let length = window.1.duration_since(window.0).unwrap_or_default();
    window.0 + length.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn at(day: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(day * DAY)
    }

    fn days(count: u64) -> Duration {
        Duration::from_secs(count * DAY)
    }

    fn held() -> Validity {
        Validity {
            starts: at(1000),
            ends: at(1090),
            serial: vec![1],
            authority_key: None,
        }
    }

    #[test]
    fn a_third_of_the_lifetime_is_left_unless_told_otherwise() {
        let held = held();
        let cases = [
            (None, None, 1060),
            (Some(10), None, 1080),
            (Some(60), None, 1030),
            // Longer than two thirds would be without end.
            (Some(61), None, 1030),
            (Some(3650), None, 1030),
            // The authority may want it earlier, not later.
            (None, Some(1040), 1040),
            (None, Some(1080), 1060),
            (Some(10), Some(1070), 1070),
            // It can't want it at once for ever.
            (None, Some(900), 1001),
        ];
        for (before, advised, expected) in cases {
            assert_eq!(
                due(Some(&held), before.map(days), advised.map(at)),
                at(expected),
                "{before:?} {advised:?}"
            );
        }
        assert_eq!(due(None, Some(days(10)), None), UNIX_EPOCH);
    }

    #[test]
    fn a_certificate_of_seconds_is_renewed_within_them() {
        let start = at(1000);
        let held = Validity {
            starts: start,
            ends: start + Duration::from_secs(9),
            ..held()
        };
        assert_eq!(due(Some(&held), None, None), start + Duration::from_secs(6));
        assert_eq!(
            due(Some(&held), None, Some(start - Duration::from_secs(1))),
            start + Duration::from_secs(3)
        );
    }

    #[test]
    fn the_moment_lies_in_the_window_and_differs_by_certificate() {
        let window = (at(1000), at(1010));
        let moments: Vec<_> = (0..20_u8).map(|serial| moment_within(window, &[serial])).collect();
        assert!(moments.iter().all(|moment| (window.0..=window.1).contains(moment)));
        assert!(moments.iter().any(|moment| *moment < at(1003)) && moments.iter().any(|moment| *moment > at(1007)));
        assert_eq!(moment_within(window, &[1]), moments[1]);
        assert_eq!(moment_within((at(1010), at(1000)), &[1]), at(1010));
    }
}
