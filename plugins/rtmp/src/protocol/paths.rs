//! What a publisher and an ingest take for the same stream.

/// Application and stream as one path, without queries: encoders put the key into the stream's name or all of it into
/// the application, slashes in front, behind and twice, and a query behind either.
pub(crate) fn path(app: &str, name: &str) -> String {
    let parts = [app, name].map(|part| part.split('?').next().unwrap_or_default());
    let parts = parts.iter().flat_map(|part| part.split('/'));
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field report 35.
    #[test]
    fn encoders_divide_a_url_in_many_ways() {
        for (app, name) in [
            ("live", "key"),
            ("live/key", ""),
            ("live/", "/key"),
            ("/live", "key/"),
            ("live", "key?token=a/b"),
            ("live?token=a/b", "key"),
            ("live/key?token=a/b", ""),
        ] {
            assert_eq!(path(app, name), "live/key", "{app} {name}");
        }
        assert_eq!(path("a/b/c", "key"), "a/b/c/key");
        assert_eq!((&*path("", "key"), &*path("", "")), ("key", ""));
    }
}
