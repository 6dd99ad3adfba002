//! Pages for supervisors: `/healthz`, `/readyz` and `/health` everywhere, `/metrics` and the console where only they
//! look.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::ACCEPT;
use serde_json::{Value, json};

use crate::console::{self, Console};
use crate::core::{Check, Core};
use crate::http::{Page, PageRequest, Router};
use crate::lifecycle::Phase;
use crate::modules::overdue_calls;
use crate::protocol::methods::Methods;

/// The pages of a port with the WebSocket.
#[must_use]
pub(crate) fn control(methods: &Arc<Methods>, on_loopback: bool) -> Router {
    let router = Router::new(|_| Page::text(StatusCode::UPGRADE_REQUIRED, "This is a WebSocket\n"));
    // Details are where metrics are.
    let router = with_health(router, methods, on_loopback);
    match on_loopback {
        true => with_metrics(router, methods),
        // Who calls the server from elsewhere need not know how it is.
        false => router.page("/metrics", |_| {
            Page::text(
                StatusCode::NOT_FOUND,
                "Metrics are on the management port\n",
            )
        }),
    }
}

/// The pages of the management port.
#[must_use]
pub(crate) fn management(methods: &Arc<Methods>, console: &Arc<Console>) -> Router {
    let router = Router::new(|_| {
        let pages = "There are /healthz, /readyz, /health, /metrics and /console here\n";
        Page::text(StatusCode::NOT_FOUND, pages)
    });
    let console = console.clone();
    let router = router.area(console::PATH, move |method, asked| {
        console.answer(method, asked)
    });
    with_metrics(with_health(router, methods, true), methods)
}

/// `has_details`: what is wrong names files and directories, which are no business of whoever calls the server
/// from elsewhere.
fn with_health(router: Router, methods: &Arc<Methods>, has_details: bool) -> Router {
    let probe = |good: &'static str, checks: &'static [Check]| {
        let methods = methods.clone();
        move |request: &PageRequest<'_>| {
            let report = Report::of(methods.core(), good, checks);
            report.page(has_details && request.sees_all && wants_json(request))
        }
    };
    let of_old = methods.clone();
    router
        .status("/healthz", probe("ok", &[Check::Watchdog]))
        .status("/readyz", probe("ready", &Check::ALL))
        .page("/health", move |_| health(of_old.core().lifecycle.phase()))
}

fn with_metrics(router: Router, methods: &Arc<Methods>) -> Router {
    let methods = methods.clone();
    router.page("/metrics", move |_| metrics_page(&methods))
}

fn wants_json(request: &PageRequest<'_>) -> bool {
    let accepts = request.headers.get_all(ACCEPT).iter();
    let mut accepts = accepts.filter_map(|accept| accept.to_str().ok());
    accepts.any(|accept| accept.contains("application/json"))
}

/// What a probe found out.
struct Report {
    good: &'static str,
    checks: Vec<(Check, Vec<String>)>,
}

impl Report {
    fn of(core: &Core, good: &'static str, checks: &[Check]) -> Report {
        let checks = checks.iter().map(|check| (*check, core.problems(*check)));
        Report {
            good,
            checks: checks.collect(),
        }
    }

    fn page(&self, in_detail: bool) -> Page {
        let is_good = self.checks.iter().all(|(_, problems)| problems.is_empty());
        let status = match is_good {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        let word = match is_good {
            true => self.good.to_owned(),
            false => format!("not {}", self.good),
        };
        if !in_detail {
            return Page::text(status, word + "\n");
        }
        let checks = self.checks.iter().map(|(check, problems)| {
            let details = json!({"ok": problems.is_empty(), "problems": problems});
            (check.name().to_owned(), details)
        });
        let details = json!({"status": word, "checks": Value::Object(checks.collect())});
        Page {
            content_type: "application/json",
            ..Page::text(status, format!("{details}\n"))
        }
    }
}

/// Whether a load balancer should send anybody here.
fn health(phase: Phase) -> Page {
    match phase {
        Phase::Running | Phase::HandedOver => {
            // Calls that do not return are a reason to look, and none to send nobody here.
            let overdue = overdue_calls().into_iter();
            let lines = std::iter::once("ok".to_owned()).chain(overdue);
            Page::text(
                StatusCode::OK,
                lines.map(|line| line + "\n").collect::<String>(),
            )
        }
        phase => Page::text(StatusCode::SERVICE_UNAVAILABLE, format!("{phase}\n")),
    }
}

fn metrics_page(methods: &Methods) -> Page {
    Page {
        status: StatusCode::OK,
        content_type: "text/plain; version=0.0.4; charset=utf-8",
        body: methods.core().metrics.page().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(report: &Report, in_detail: bool) -> (u16, String) {
        let page = report.page(in_detail);
        let text = String::from_utf8_lossy(&page.body).into_owned();
        (page.status.as_u16(), text)
    }

    #[test]
    fn one_problem_is_enough_and_details_are_for_some() {
        let mut report = Report {
            good: "ready",
            checks: Check::ALL.map(|check| (check, Vec::new())).to_vec(),
        };
        assert_eq!(body(&report, false), (200, "ready\n".into()));
        report.checks[2].1.push("/m/x.so: is no module".into());
        assert_eq!(body(&report, false), (503, "not ready\n".into()));
        let (status, text) = body(&report, true);
        let details: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &details["status"]), (503, &json!("not ready")));
        let modules = json!({"ok": false, "problems": ["/m/x.so: is no module"]});
        assert_eq!(details["checks"]["modules"], modules);
        assert_eq!(details["checks"]["watchdog"]["ok"], true);
    }
}
