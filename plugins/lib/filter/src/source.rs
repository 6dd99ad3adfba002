//! Where an image comes from.

use std::{io::Read, path::PathBuf, time::Duration};

use rivero_plugin_api::{Error, Result, host};
use rivero_uri::{Access, Location, Policy, Refusal, UriSettings};
use tokio::time::timeout;
use url::Url;

use crate::{Image, Unreadable};

/// Bytes of a file with an image.
const LARGEST: usize = 20 << 20;
/// For all of an image that comes by HTTP.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place that the policy of URIs allows to read from.
#[derive(Clone, Debug)]
pub struct Source {
    location: Location,
    policy: Policy,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing can be read from there.
    #[error("Invalid URI: {0}")]
    Uri(String),
    /// What is there is no image.
    #[error("Invalid Media: {0}")]
    Media(#[from] Unreadable),
}

impl LoadError {
    /// Type of the Error event, as players have it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Uri(_) => "INVALID_URI",
            Self::Media(_) => "INVALID_MEDIA",
        }
    }

    fn uri(error: impl ToString) -> Self {
        Self::Uri(error.to_string())
    }
}

impl Source {
    /// Reads and checks what a client gave: a path, or a `file`, `http` or `https` URI.
    ///
    /// # Errors
    /// 40107 when it makes no sense or the policy refuses it, 40003 when the configuration of the
    /// policy does not fit
    pub fn parse(uri: &str) -> Result<Self> {
        let settings: UriSettings = match host() {
            Some(host) => host.configuration("UriEndpoint")?,
            None => UriSettings::default(),
        };
        Self::with(uri, &settings)
    }

    fn with(uri: &str, settings: &UriSettings) -> Result<Self> {
        let location = if uri.starts_with('/') && !uri.contains('\0') {
            Location::File(PathBuf::from(uri))
        } else {
            Location::parse(uri, &settings.default_path)?
        };
        if let Location::Remote(url) = &location
            && !matches!(url.scheme(), "http" | "https")
        {
            return Err(Error::illegal_parameter(format!(
                "images come from files, http and https, not from {}",
                url.scheme()
            )));
        }
        let policy = Policy::new(settings);
        policy
            .check(&location, Access::Read)
            .map_err(|refusal: Refusal| Error::from(refusal))?;
        Ok(Self { location, policy })
    }

    /// Reads the image. Files are read on the caller's thread.
    ///
    /// # Errors
    /// [`LoadError`]
    pub(crate) async fn load(&self) -> Result<Image, LoadError> {
        let bytes = match &self.location {
            Location::File(path) => {
                let file = self.policy.open(path).map_err(LoadError::uri)?;
                let mut bytes = Vec::new();
                file.take(LARGEST as u64 + 1)
                    .read_to_end(&mut bytes)
                    .map_err(LoadError::uri)?;
                within_limit(bytes)?
            }
            Location::Remote(url) => {
                timeout(PATIENCE, self.download(url)).await.map_err(|_| {
                    LoadError::Uri(format!("{}: too slow", rivero_http::authority(url)))
                })??
            }
        };
        Ok(Image::decode(&bytes)?)
    }

    async fn download(&self, url: &Url) -> Result<Vec<u8>, LoadError> {
        let mut answer = rivero_http::get(url, None, &self.policy)
            .await
            .map_err(LoadError::uri)?;
        if answer.status != 200 {
            let host = rivero_http::authority(url);
            return Err(LoadError::Uri(format!("{host} answers {}", answer.status)));
        }
        let mut bytes = Vec::new();
        while let Some(part) = answer.next().await.map_err(LoadError::uri)? {
            bytes.extend_from_slice(&part);
            bytes = within_limit(bytes)?;
        }
        Ok(bytes)
    }
}

fn within_limit(bytes: Vec<u8>) -> Result<Vec<u8>, LoadError> {
    if bytes.len() > LARGEST {
        return Err(LoadError::Uri(format!(
            "the file has more than {LARGEST} bytes"
        )));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(uri: &str) -> Result<Source> {
        Source::with(uri, &UriSettings::default())
    }

    async fn failure(path: &std::path::Path) -> LoadError {
        let source = source(path.to_str().unwrap()).unwrap();
        source.load().await.unwrap_err()
    }

    #[test]
    fn a_path_is_what_it_says_and_a_uri_what_it_means() {
        let location = |uri| source(uri).unwrap().location;
        let file = |path: &str| Location::File(path.into());
        assert_eq!(location("/tmp/a%20b.png"), file("/tmp/a%20b.png"));
        assert_eq!(location("file:///tmp/a%20b.png"), file("/tmp/a b.png"));
        assert_eq!(location("hat.png"), file("/var/lib/kurento/hat.png"));
        assert_eq!(location("http://host/a.png").scheme(), "http");
    }

    #[test]
    fn what_the_policy_refuses_is_told_at_once() {
        for uri in [
            "/etc/passwd",
            "file:///proc/self/mem",
            "/tmp/../etc/passwd",
            "http://169.254.169.254/a.png",
            "rtsp://host/a.png",
            "/tmp/\0",
            "",
        ] {
            let error = source(uri).unwrap_err();
            assert_eq!(error.code, 40107, "{uri}: {error}");
        }
    }

    #[tokio::test]
    async fn files_that_are_no_images_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        assert_eq!(failure(directory.path()).await.kind(), "INVALID_URI");
        let missing = directory.path().join("missing.png");
        assert_eq!(failure(&missing).await.kind(), "INVALID_URI");
        let empty = file("empty.png", b"");
        assert_eq!(failure(&empty).await.kind(), "INVALID_MEDIA");
        let text = file("text.png", b"a text");
        assert_eq!(failure(&text).await.kind(), "INVALID_MEDIA");
        let huge = file("huge.png", b"");
        let length = LARGEST as u64 + 1;
        std::fs::File::options()
            .write(true)
            .open(&huge)
            .unwrap()
            .set_len(length)
            .unwrap();
        let failure = failure(&huge).await;
        assert!(failure.to_string().contains("more than"), "{failure}");
    }
}
