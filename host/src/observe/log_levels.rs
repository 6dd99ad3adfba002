//! What is logged of whom, changed while the server runs.
//!
//! `RUST_LOG` (or `GST_DEBUG`) gives the levels at the start. Beside that, the server and each module
//! may be given a level of their own. The lines of all modules pass through one place, so that the
//! filter of `tracing` cannot tell them apart: it lets through what the most talkative one may say, and
//! who asks for a module asks here.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// The name under which the server itself is given a level.
pub const SERVER: &str = "server";
/// The targets of the server itself.
const SERVER_TARGETS: [&str; 2] = ["rivero", "rivero_media"];
/// The target of all lines of modules.
const MODULES_TARGET: &str = "module";
/// Names that may have a level of their own.
const MOST: usize = 1_024;

/// Puts a filter in the place of the one that is in use.
type Apply = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send>;

static LEVELS: LazyLock<Levels> = LazyLock::new(Levels::default);

/// The levels of everybody who has one of their own.
type Given = BTreeMap<String, LevelFilter>;

#[derive(Default)]
struct Levels {
    given: ArcSwap<Given>,
    log: Mutex<Option<Base>>,
}

/// What the log was started with.
struct Base {
    directives: String,
    apply: Apply,
}

/// Why a level is not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unchanged {
    /// Another program's subscriber is in place.
    #[error("the log is not this server's")]
    NotOurs,
    /// Nobody has so many modules.
    #[error("{MOST} names have a level already")]
    TooMany,
    /// The filter could not be replaced.
    #[error("{0}")]
    Filter(String),
}

/// Names what is in use, and how it is replaced.
pub(super) fn start(directives: String, apply: Apply) {
    *LEVELS.log.lock() = Some(Base { directives, apply });
}

/// The levels at the start, in the language of `RUST_LOG`; empty without a log.
#[must_use]
pub fn base() -> String {
    let log = LEVELS.log.lock();
    log.as_ref()
        .map_or_else(String::new, |base| base.directives.clone())
}

/// Who has been given a level, [`SERVER`] or a module's file without its ending, and which.
#[must_use]
pub fn given() -> Arc<BTreeMap<String, LevelFilter>> {
    LEVELS.given.load_full()
}

/// Gives somebody a level, or takes it away.
///
/// # Errors
/// When nothing is changed.
pub fn set(name: &str, level: Option<LevelFilter>) -> Result<(), Unchanged> {
    let log = LEVELS.log.lock();
    let base = log.as_ref().ok_or(Unchanged::NotOurs)?;
    let mut given = Given::clone(&LEVELS.given.load());
    match level {
        Some(level) => drop(given.insert(name.to_owned(), level)),
        None => drop(given.remove(name)),
    }
    if given.len() > MOST {
        return Err(Unchanged::TooMany);
    }
    let filter = EnvFilter::try_new(directives(&base.directives, &given));
    let filter = filter.map_err(|error| Unchanged::Filter(error.to_string()))?;
    // Before the filter lets more through: a module that has a level of its own must not be taken for
    // one that has none.
    LEVELS.given.store(Arc::new(given));
    (base.apply)(filter).map_err(Unchanged::Filter)
}

/// What a module may log.
#[must_use]
pub fn of_module(module: &str) -> LevelFilter {
    let given = LEVELS.given.load();
    if given.is_empty() {
        return LevelFilter::current();
    }
    match given.get(module) {
        Some(level) => *level,
        None => of_modules(&base()).min(LevelFilter::current()),
    }
}

/// The filter that lets through what anybody may say.
fn directives(base: &str, given: &Given) -> String {
    let mut all = base.to_owned();
    let mut add = |target: &str, level: LevelFilter| {
        let separator = if all.is_empty() { "" } else { "," };
        all.push_str(&format!("{separator}{target}={level}"));
    };
    if let Some(level) = given.get(SERVER) {
        SERVER_TARGETS.iter().for_each(|target| add(target, *level));
    }
    let modules = given.iter().filter(|(name, _)| *name != SERVER);
    if let Some(most) = modules.map(|(_, level)| *level).max() {
        add(MODULES_TARGET, most.max(of_modules(base)));
    }
    all
}

/// The level of modules by these directives.
fn of_modules(directives: &str) -> LevelFilter {
    let (mut general, mut own) = (None, None);
    for directive in directives.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some((MODULES_TARGET, level)) => own = level.parse().ok(),
            Some(_) => {}
            None if directive == MODULES_TARGET => own = Some(LevelFilter::TRACE),
            None => general = directive.parse().ok().or(general),
        }
    }
    own.or(general).unwrap_or(LevelFilter::ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_modules_is_read_from_the_directives() {
        for (text, level) in [
            ("info", LevelFilter::INFO),
            ("info,module=debug", LevelFilter::DEBUG),
            ("module=warn,trace", LevelFilter::WARN),
            ("rivero=debug", LevelFilter::ERROR),
            ("warn,module", LevelFilter::TRACE),
            ("", LevelFilter::ERROR),
        ] {
            assert_eq!(of_modules(text), level, "{text}");
        }
    }

    #[test]
    fn the_filter_lets_through_what_the_most_talkative_may_say() {
        let given = |names: &[(&str, LevelFilter)]| -> Given {
            let names = names.iter();
            names
                .map(|(name, level)| ((*name).to_owned(), *level))
                .collect()
        };
        let quiet = given(&[("webrtc", LevelFilter::ERROR)]);
        assert_eq!(directives("info", &quiet), "info,module=info");
        let both = given(&[
            ("webrtc", LevelFilter::TRACE),
            ("player", LevelFilter::OFF),
            (SERVER, LevelFilter::DEBUG),
        ]);
        assert_eq!(
            directives("info", &both),
            "info,rivero=debug,rivero_media=debug,module=trace"
        );
        assert_eq!(directives("", &given(&[])), "");
    }
}
