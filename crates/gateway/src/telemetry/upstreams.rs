//! How targets fare, as OpenMetrics text.

use portcullis_backends::service::TargetTold;
use portcullis_policies::metrics::family::Family;

const HEALTHY: Family = Family::gauge(
    "portcullis_upstream_healthy",
    &["service", "target"],
    "1 unless the checks of the target fail or it is ejected.",
);

const CHECKS: Family = Family::counter(
    "portcullis_health_checks",
    &["service", "target", "result"],
    "Checks of each target, by `passed` and `failed`.",
);

const EJECTIONS: Family = Family::counter(
    "portcullis_upstream_ejections",
    &["service", "target", "reason"],
    "How often a target was left alone for what requests met, by the rule of `outlier` that found it.",
);

/// The numbers of all targets.
pub(super) fn render(targets: &[TargetTold], out: &mut String) {
    HEALTHY.announce(out);
    for it in targets {
        HEALTHY.sample(&[&it.service, &it.url], u8::from(it.health.healthy), out);
    }
    CHECKS.announce(out);
    for it in targets.iter().filter(|it| it.health.passed + it.health.failed > 0) {
        for (result, count) in [("passed", it.health.passed), ("failed", it.health.failed)] {
            CHECKS.sample(&[&it.service, &it.url, result], count, out);
        }
    }
    EJECTIONS.announce(out);
    for it in targets {
        for (reason, count) in &it.health.ejections {
            EJECTIONS.sample(&[&it.service, &it.url, reason], *count, out);
        }
    }
}

/// Every family, in the order of the text.
pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&HEALTHY, &CHECKS, &EJECTIONS].into_iter()
}
