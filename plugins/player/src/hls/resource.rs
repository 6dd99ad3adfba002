//! What the URLs of playlists lead to, as far as they may lead anywhere.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use bytes::Bytes;
use rivero_hls::playlist::{LONGEST_TEXT, Part};
use rivero_uri::{Access, Location, Policy};
use url::Url;

use crate::{download::Download, failure::Failure};

/// Bytes of a file that are read at once.
const PIECE: u64 = 64 << 10;

/// Fetches what playlists name.
#[derive(Debug, Clone)]
pub(super) struct Fetcher {
    policy: Policy,
    /// Only a playlist that is a file of this server may name files.
    may_read_files: bool,
}

/// What a URL leads to, piece by piece.
pub(super) enum Resource {
    Http(Box<Download>),
    File { file: File, left: u64 },
}

impl Fetcher {
    /// For what is named by a playlist at this URL.
    pub(super) fn new(policy: Policy, base: &Url) -> Self {
        Self {
            policy,
            may_read_files: base.scheme() == "file",
        }
    }

    /// The same, for another playlist.
    pub(super) fn for_playlist(&self, base: &Url) -> Self {
        Self::new(self.policy.clone(), base)
    }

    /// Asks for a resource, or a part of it.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(super) async fn open(&self, url: &Url, part: Option<Part>) -> Result<Resource, Failure> {
        match (url.scheme(), part) {
            ("http" | "https", None) => {
                let download = Download::begin(url, self.policy.clone()).await?;
                Ok(Resource::Http(Box::new(download)))
            }
            ("http" | "https", Some(Part { offset, length })) => {
                let bytes = offset..offset.saturating_add(length);
                let download = Download::part(url, self.policy.clone(), bytes);
                Ok(Resource::Http(Box::new(download)))
            }
            ("file", part) if self.may_read_files => self.open_file(url, part),
            (scheme, _) => Err(Failure::Uri(format!(
                "an HLS playlist that did not come from a file must not lead to {scheme} URLs"
            ))),
        }
    }

    fn open_file(&self, url: &Url, part: Option<Part>) -> Result<Resource, Failure> {
        let location = Location::parse(url.as_str(), "")?;
        self.policy.check(&location, Access::Read)?;
        let Location::File(path) = &location else {
            return Err(Failure::Uri(format!("{} is no file", url.path())));
        };
        let mut file = self.policy.open(path)?;
        if let Some(part) = part {
            file.seek(SeekFrom::Start(part.offset))
                .map_err(|error| Failure::Uri(format!("{}: {error}", path.display())))?;
        }
        let left = part.map_or(u64::MAX, |part| part.length);
        Ok(Resource::File { file, left })
    }

    /// A playlist, and where it came from in the end.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(super) async fn text(&self, url: &Url) -> Result<(String, Url), Failure> {
        let mut resource = self.open(url, None).await?;
        let found = match &resource {
            Resource::Http(download) => download.url().clone(),
            Resource::File { .. } => url.clone(),
        };
        let text = resource.all(LONGEST_TEXT).await?;
        Ok((String::from_utf8_lossy(&text).into_owned(), found))
    }

    /// A whole resource, or a whole part of it, of `most` bytes.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(super) async fn all(
        &self,
        url: &Url,
        part: Option<Part>,
        most: usize,
    ) -> Result<Bytes, Failure> {
        self.open(url, part).await?.all(most).await
    }
}

impl Resource {
    /// The next bytes; `None` at the end. Nothing is lost when it is given up meanwhile.
    ///
    /// # Errors
    /// When they cannot be read
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match self {
            Self::Http(download) => download.next().await,
            Self::File { file, left } => {
                let mut piece = Vec::new();
                let length = file.take(PIECE.min(*left)).read_to_end(&mut piece)?;
                *left -= length as u64;
                Ok((length > 0).then(|| piece.into()))
            }
        }
    }

    async fn all(&mut self, most: usize) -> Result<Bytes, Failure> {
        let failed = |error: io::Error| Failure::Uri(error.to_string());
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await.map_err(failed)? {
            all.extend_from_slice(&bytes);
            if all.len() > most {
                let text = format!("what an HLS playlist leads to has more than {most} bytes");
                return Err(Failure::Uri(text));
            }
        }
        Ok(all.into())
    }
}
