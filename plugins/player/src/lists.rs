//! Playlists that name files and streams to be played one after the other: M3U and PLS.
//!
//! Neither has a standard. An M3U has a URI or a name in each line that is empty or begins with `#` otherwise; it has
//! its name in common with the playlists of HLS, which `rivero_hls` reads. A PLS has lines `File1=`, `File2=` …

use std::path::PathBuf;

use rivero_hls::playlist;
use rivero_uri::{Location, redact_uri};
use url::Url;

use crate::failure::Failure;

/// Bytes of such a list at most.
const LONGEST: usize = 1 << 20;
/// Entries of all lists of one playback at most.
pub(crate) const MOST_ENTRIES: usize = 1000;
/// Lists may name lists, as those of radios do, but not for ever.
pub(crate) const DEEPEST: u32 = 3;

/// Schemes that a list of another server may lead to: none that names files of this one or waits for what anybody sends.
const REMOTE: [&str; 10] = [
    "http", "https", "rtsp", "rtsps", "rtspt", "rtspu", "rtspst", "rtmp", "rtmps", "srt",
];

/// Where a list comes from.
#[derive(Debug, Clone)]
pub(crate) enum Base {
    File(PathBuf),
    Remote(Url),
}

/// A playlist.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) base: Base,
}

/// Whether something is a playlist, by its first bytes.
pub(crate) fn is_list(beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    text.starts_with("#EXTM3U") || is_pls(text)
}

/// Whether something is a playlist by its name, although it may not begin as one.
pub(crate) fn is_list_name(path: &str) -> bool {
    let ending = path
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("m3u" | "m3u8" | "pls"))
}

/// The same, by what a server says that it is (`Content-Type` in lower case).
pub(crate) fn is_list_type(media: &str) -> bool {
    media.contains("mpegurl") || media.contains("scpls")
}

fn is_pls(text: &str) -> bool {
    let first = text.trim_start().lines().next().unwrap_or_default();
    first.trim().eq_ignore_ascii_case("[playlist]")
}

impl Text {
    /// Whether it has the segments or the variants of a stream.
    pub(crate) fn is_hls(&self) -> bool {
        playlist::is_hls(&self.text)
    }

    /// What it names, in order.
    ///
    /// # Errors
    /// [`Failure::Media`] where that is nothing, or too much; [`Failure::Uri`] where something leads nowhere
    pub(crate) fn entries(&self) -> Result<Vec<Location>, Failure> {
        let invalid = |text: &str| Failure::Media(text.to_owned());
        if self.text.len() > LONGEST {
            return Err(invalid("the playlist has more than 1 MB"));
        }
        let text = self.text.trim_start_matches('\u{feff}');
        let names = if is_pls(text) { pls(text) } else { m3u(text) };
        if names.is_empty() {
            return Err(invalid("the playlist names nothing"));
        }
        if names.len() > MOST_ENTRIES {
            return Err(invalid("the playlist has more than 1000 entries"));
        }
        names
            .into_iter()
            .map(|name| self.base.resolve(name))
            .collect()
    }
}

fn m3u(text: &str) -> Vec<&str> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

fn pls(text: &str) -> Vec<&str> {
    let mut entries: Vec<(u32, &str)> = { text.lines() }
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let (word, number) = name.trim().split_at_checked(4)?;
            let number = number
                .parse()
                .ok()
                .filter(|_| word.eq_ignore_ascii_case("file"))?;
            Some((number, value.trim()))
        })
        .filter(|(_, value)| !value.is_empty())
        .collect();
    entries.sort_by_key(|(number, _)| *number);
    entries.into_iter().map(|(_, value)| value).collect()
}

impl Base {
    /// What a name in such a list means.
    fn resolve(&self, name: &str) -> Result<Location, Failure> {
        let malformed = || Failure::Uri(format!("{:?} in a playlist is no URI", redact_uri(name)));
        match self {
            // Names of files are none of URIs: they may contain anything.
            Self::File(path) if !name.contains("://") => {
                let directory = path.parent().ok_or_else(malformed)?;
                Ok(Location::File(directory.join(name)))
            }
            Self::File(_) => Ok(Location::parse(name, "")?),
            Self::Remote(url) => {
                let url = url.join(name).map_err(|_| malformed())?;
                if !REMOTE.contains(&url.scheme()) {
                    let scheme = url.scheme();
                    return Err(Failure::Uri(format!(
                        "a playlist of a server must not lead to {scheme} URIs"
                    )));
                }
                Ok(Location::Remote(url))
            }
        }
    }

    /// For the URLs of HLS.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(crate) fn url(&self) -> Result<Url, Failure> {
        match self {
            Self::Remote(url) => Ok(url.clone()),
            Self::File(path) => Url::from_file_path(path)
                .map_err(|()| Failure::Uri(format!("{} is no absolute path", path.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str, base: Base) -> Result<Vec<String>, Failure> {
        let text = text.to_owned();
        let name = |location| match location {
            Location::File(path) => path.display().to_string(),
            Location::Remote(url) => url.to_string(),
        };
        Ok(Text { text, base }
            .entries()?
            .into_iter()
            .map(name)
            .collect())
    }

    fn file() -> Base {
        Base::File("/media/list.m3u".into())
    }

    fn remote() -> Base {
        Base::Remote("http://radio.test/lists/list.pls".parse().unwrap())
    }

    #[test]
    fn names_are_below_the_list_and_uris_lead_anywhere() {
        let text = "\u{feff}#EXTM3U\r\n#EXTINF:9,A song\r\nA song #1.mp3\r\n\r\n/other/b.ogg\r\nhttp://radio.test/live\r\n";
        let expected = [
            "/media/A song #1.mp3",
            "/other/b.ogg",
            "http://radio.test/live",
        ];
        assert_eq!(entries(text, file()).unwrap(), expected);
    }

    #[test]
    fn a_pls_has_numbered_entries() {
        let text = "[playlist]\nNumberOfEntries=2\nFile2=b.mp3\nTitle2=x\nfile1=http://other.test/a\nFile10=\n";
        let expected = ["http://other.test/a", "http://radio.test/lists/b.mp3"];
        assert_eq!(entries(text, remote()).unwrap(), expected);
    }

    #[test]
    fn a_list_of_a_server_names_no_files_of_this_one() {
        for name in ["file:///etc/hostname", "udp://127.0.0.1:5000", "fd://0"] {
            let failure = entries(&format!("#EXTM3U\n{name}"), remote()).unwrap_err();
            assert!(matches!(failure, Failure::Uri(_)), "{failure}");
        }
        let path = entries("#EXTM3U\n/etc/hostname", remote()).unwrap();
        assert_eq!(path, ["http://radio.test/etc/hostname"]);
    }

    #[test]
    fn lists_are_bounded() {
        assert!(entries("#EXTM3U\n", file()).is_err());
        assert!(entries(&"a\n".repeat(MOST_ENTRIES + 1), file()).is_err());
        assert!(entries(&"#\n".repeat(LONGEST), file()).is_err());
    }

    #[test]
    fn lists_are_told_from_media() {
        for beginning in [
            "#EXTM3U\n",
            "\u{feff}#EXTM3U",
            "[Playlist]\r\nFile1=a",
            "\n[playlist]",
        ] {
            assert!(is_list(beginning.as_bytes()), "{beginning}");
        }
        assert!(!is_list(b"\x1a\x45\xdf\xa3 #EXTM3U") && !is_list(b""));
        assert!(is_list_name("/a/b.M3U") && !is_list_name("/a.m3u/b"));
        assert!(is_list_type("application/vnd.apple.mpegurl; charset=utf-8"));
    }
}
