//! What the server measures of itself as a whole.

use std::sync::Weak;

use rivero_plugin_api::supervise;

use super::Core;
use super::factories::Factories;
use super::health;
use super::media_figures::of_media;
use super::server_manager::PROTOCOL_VERSION;
use crate::accounts::{Accounts, Resource};
use crate::events::Events;
use crate::modules::State;
use crate::observe::metrics::{Family, Kind, Labels, Metrics, count};
use crate::observe::{logging, usage};
use crate::registry::Registry;

/// The page of a core. Its figures are taken from one moment to the next, not all at once.
pub(super) fn page(core: &Weak<Core>) -> Metrics {
    let core = core.clone();
    Metrics::new(vec![Box::new(move || {
        // The page is a part of what it is about.
        core.upgrade().map_or_else(Vec::new, |core| of_core(&core))
    })])
}

fn of_core(core: &Core) -> Vec<Family> {
    let mut families = of_registry(&core.registry);
    families.extend(of_process());
    families.extend(of_accounts(&core.accounts));
    families.extend(of_events(&core.events));
    families.extend(core.requests.families());
    families.extend(core.monitor.families());
    families.extend(health::families(|check| core.problems(check).len()));
    families.extend(of_media(&core.plane.figures()));
    families.extend(of_modules(core.factories.as_ref()));
    let mut by_module = core.lanes.figures();
    by_module.extend(core.factories.metrics());
    let names = core.factories.names();
    for family in &mut by_module {
        family.retain(|labels| {
            // What was counted of a file that is gone is of no use to anybody.
            let serves = |name| names.as_ref().is_none_or(|names| names.contains(name));
            labels.get("module").is_none_or(serves)
        });
    }
    families.extend(by_module);
    families
}

/// Of the objects.
#[must_use]
fn of_registry(registry: &Registry) -> Vec<Family> {
    let gauge = |name, help, value: usize| Family::of(name, Kind::Gauge, help, count(value as u64));
    let mut by_class = Family::new(
        "objects_by_class",
        Kind::Gauge,
        "Objects by class and the file of the module that made them.",
    );
    for (class, module, number) in registry.census() {
        let labels = [("class", class.into()), ("module", (&*module).into())];
        by_class.add(Labels::new(labels).unwrap_or_default(), count(number));
    }
    vec![
        by_class,
        gauge(
            "objects",
            "Objects, the server manager excepted.",
            registry.object_count(),
        ),
        gauge("pipelines", "Media pipelines.", registry.pipelines().len()),
        gauge(
            "sessions",
            "Sessions that hold objects.",
            registry.session_count(),
        ),
    ]
}

/// Of what clients have and how much of it they may have together.
fn of_accounts(accounts: &Accounts) -> Vec<Family> {
    let gauge = |name, help: &'static str| Family::new(name, Kind::Gauge, help);
    let mut used = gauge(
        "client_resources",
        "What all clients have together, by the last part of the key of its limit.",
    );
    let mut most = gauge(
        "client_resources_limit",
        "What all clients may have together: mediaServer.limits.",
    );
    for resource in Resource::ALL {
        let labels = Labels::one("resource", resource.name());
        used.add(labels.clone(), count(accounts.usage(resource)));
        let bounds = accounts.limits().of(resource);
        most.add(labels, count(bounds.total));
    }
    let connections = Family::of(
        "connections",
        Kind::Gauge,
        "Open WebSocket connections.",
        count(accounts.usage(Resource::Connections)),
    );
    vec![used, most, connections]
}

/// Of events on their way to clients.
fn of_events(events: &Events) -> Vec<Family> {
    let counter = |name, help, value| Family::of(name, Kind::Counter, help, count(value));
    vec![
        counter(
            "events_total",
            "Events that were raised and that somebody had subscribed to.",
            events.raised(),
        ),
        counter(
            "events_dropped_total",
            "Events that were dropped because too many of their client waited.",
            events.dropped(),
        ),
        Family::of(
            "events_waiting",
            Kind::Gauge,
            "Events that wait to be made messages of.",
            count(events.waiting() as u64),
        ),
    ]
}

/// Of the files of modules.
fn of_modules(factories: &dyn Factories) -> Vec<Family> {
    let mut modules = Family::new("modules", Kind::Gauge, "Files of modules by their state.");
    let installed = factories.installed();
    for state in [State::Live, State::Retiring] {
        let number = installed.iter().filter(|module| module.state == state);
        modules.add(
            Labels::one("state", state.as_str()),
            count(number.count() as u64),
        );
    }
    let refused = count(factories.refused().len() as u64);
    modules.add(Labels::one("state", "refused"), refused);
    vec![modules]
}

/// Of the process and its log.
#[must_use]
fn of_process() -> Vec<Family> {
    let resident = count(usage::memory_kib()) * 1024.0;
    let cpu = usage::cpu_time().as_secs_f64();
    let counter = |name, help, value| Family::of(name, Kind::Counter, help, value);
    let mut panics = Family::new(
        "panics_total",
        Kind::Counter,
        "Panics that were contained, by place.",
    );
    for (place, number) in supervise::panics() {
        panics.add(Labels::one("place", &place), count(number));
    }
    vec![
        panics,
        build_info(),
        Family::of("resident_bytes", Kind::Gauge, "Resident memory.", resident),
        counter("cpu_seconds_total", "CPU time used.", cpu),
        counter(
            "log_lines_lost_total",
            "Lines of the log that could not be written in time.",
            count(logging::lost_lines()),
        ),
        counter(
            "log_lines_suppressed_total",
            "Lines of the log beyond what one place in the program may write.",
            count(logging::suppressed_lines()),
        ),
    ]
}

fn build_info() -> Family {
    let mut info = Family::new(
        "build_info",
        Kind::Gauge,
        "1, with what the server is as labels.",
    );
    let labels = [
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("protocol", PROTOCOL_VERSION.into()),
        ("architecture", std::env::consts::ARCH.into()),
    ];
    info.add(Labels::new(labels).unwrap_or_default(), 1.0);
    info
}
