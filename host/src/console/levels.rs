//! Changes the levels of the log.

use hyper::{Response, StatusCode};
use tracing::level_filters::LevelFilter;

use super::files::text_of;
use super::{overview, parameter};
use crate::core::Core;
use crate::http::{Body, PageRequest};
use crate::observe::log_levels;

/// `?name=webrtc&level=debug`: gives the server or a module a level of its own, and takes it away without
/// `level`.
pub(super) fn change(core: &Core, asked: &PageRequest<'_>) -> Response<Body> {
    match try_change(core, asked) {
        Ok(()) => {
            let mut response = text_of(StatusCode::OK, "");
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Err((status, text)) => text_of(status, text + "\n"),
    }
}

fn try_change(core: &Core, asked: &PageRequest<'_>) -> Result<(), (StatusCode, String)> {
    let refused = |text: String| (StatusCode::BAD_REQUEST, text);
    let query = asked.query.unwrap_or_default();
    let name = parameter(query, "name").unwrap_or_default();
    // Nobody else logs anything, and what nobody has is not to fill the memory.
    let is_module = || {
        let installed = core.factories.installed();
        installed
            .iter()
            .any(|module| overview::stem(module) == name)
    };
    if name != log_levels::SERVER && !is_module() {
        return Err(refused("name: 'server' or a module's name".to_owned()));
    }
    let level = parameter(query, "level");
    let level = level.map(|text| text.parse::<LevelFilter>());
    let level = level.transpose().map_err(|_| {
        refused(
            "level: off, error, warn, info, debug or trace; without it, as at the start".to_owned(),
        )
    })?;
    log_levels::set(&name, level).map_err(|error| (StatusCode::CONFLICT, error.to_string()))?;
    let shown = level.map_or_else(|| "as at the start".to_owned(), |level| level.to_string());
    tracing::info!(from = %asked.from, name, "the console changed a level of the log: {shown}");
    Ok(())
}
