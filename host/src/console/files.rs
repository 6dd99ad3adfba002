//! The files of the page: made by its own build, and served from memory.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use hyper::body::Bytes;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};

use crate::http::Body;
use crate::regular_file;

/// The files, with their types. `host/console/build.mjs` makes them.
const FILES: [(&str, &str); 4] = [
    ("index.html", "text/html; charset=utf-8"),
    ("console.js", "text/javascript; charset=utf-8"),
    ("layout.js", "text/javascript; charset=utf-8"),
    ("console.css", "text/css; charset=utf-8"),
];
/// Bytes of a file at most.
const MAX_SIZE: u64 = 8 << 20;

/// Everything comes from here, no script or style stands in the page, nobody shows it in a frame, and it
/// speaks to nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    trusted-types console; require-trusted-types-for 'script'";

/// The files that were found at the start.
#[derive(Debug)]
pub(super) struct Files(Result<Vec<File>, Missing>);

#[derive(Debug)]
struct File {
    name: &'static str,
    content_type: &'static str,
    bytes: Bytes,
    tag: HeaderValue,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
enum Missing {
    #[error(
        "The files of the console are in none of the usual places: beside the program in 'console', or in ../share/rivero/console. \
         'make build' makes them; mediaServer.console.path names another place."
    )]
    Directory,
    #[error(
        "The console's file {} cannot be used: {reason}. 'make build' makes it.", file.display()
    )]
    File { file: PathBuf, reason: String },
}

impl Files {
    /// Those in a directory.
    pub(super) fn read(directory: Option<&Path>) -> Files {
        let Some(directory) = directory else {
            return Files(Err(Missing::Directory));
        };
        let files = FILES.into_iter().map(|(name, content_type)| {
            let file = directory.join(name);
            let bytes = read_file(&file).map_err(|reason| Missing::File { file, reason })?;
            Ok(File {
                name,
                content_type,
                tag: tag(&bytes),
                bytes: bytes.into(),
            })
        });
        let files: Result<Vec<File>, Missing> = files.collect();
        Files(files.inspect_err(|missing| tracing::warn!("there is no console: {missing}")))
    }

    /// The answer to who asks for a file by this name, or for the page without any.
    pub(super) fn answer(&self, name: &str, headers: &HeaderMap) -> Response<Body> {
        let files = match &self.0 {
            Ok(files) => files,
            Err(missing) => {
                let text = format!("{missing}\n");
                return text_of(StatusCode::SERVICE_UNAVAILABLE, text);
            }
        };
        let name = if name.is_empty() { "index.html" } else { name };
        let Some(file) = files.iter().find(|file| file.name == name) else {
            return text_of(StatusCode::NOT_FOUND, "The console has no such file\n");
        };
        let known = headers.get(IF_NONE_MATCH);
        let is_known = known.is_some_and(|known| {
            let mut tags = known.to_str().unwrap_or_default().split(',');
            tags.any(|tag| tag.trim().trim_start_matches("W/") == file.tag)
        });
        let mut response = if is_known {
            let mut response = Response::default();
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            Response::new(Body::from(file.bytes.clone()))
        };
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(file.content_type));
        fields.insert(ETAG, file.tag.clone());
        secured(response)
    }
}

/// A text for people.
pub(super) fn text_of(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    secured(response)
}

/// The answer with the fields that all answers of the console have.
pub(super) fn secured(mut response: Response<Body>) -> Response<Body> {
    let fields: [(HeaderName, &'static str); 5] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        // Asked for again each time, which costs nothing while it is the same.
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in fields {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

fn read_file(file: &Path) -> Result<Vec<u8>, String> {
    regular_file::read(file, MAX_SIZE).map_err(|error| error.to_string())
}

/// The same for the same bytes, in every process of this build.
fn tag(bytes: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    let tag = format!("\"{:x}-{:016x}\"", bytes.len(), hasher.finish());
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}
