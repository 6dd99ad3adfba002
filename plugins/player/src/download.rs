//! The bytes of a URL in order, from any place where the server can begin.

use std::io;

use bytes::Bytes;
use rivero_http::Answer;
use rivero_uri::Policy;
use url::Url;

use crate::failure::Failure;

/// A connection that breaks is made anew so often without anything coming.
const RETRIES: u32 = 3;

/// See the head of this file.
pub(crate) struct Download {
    /// After redirections.
    url: Url,
    policy: Policy,
    /// `None`: not asked for yet.
    answer: Option<Answer>,
    /// Nothing more comes.
    is_over: bool,
    position: u64,
    length: Option<u64>,
    /// The server can begin anywhere.
    is_seekable: bool,
    retries: u32,
}

impl Download {
    /// Asks for all of it.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(crate) async fn begin(url: &Url, policy: Policy) -> Result<Self, Failure> {
        // The whole, as a range, tells whether the server knows ranges.
        let mut answer = rivero_http::get(url, Some(0), &policy)
            .await
            .map_err(|error| Failure::Uri(error.to_string()))?;
        if answer.status == 416 {
            // Of nothing there is no first byte; or ranges are not understood.
            answer = rivero_http::get(url, None, &policy)
                .await
                .map_err(|error| Failure::Uri(error.to_string()))?;
        }
        if !answer.status.is_success() {
            let host = rivero_http::authority(&answer.url);
            return Err(Failure::Uri(format!("{host} answers {}", answer.status)));
        }
        let is_seekable = answer.status == 206;
        let length = if is_seekable {
            header(&answer, "content-range").and_then(total)
        } else {
            header(&answer, "content-length").and_then(|length| length.parse().ok())
        };
        Ok(Self {
            url: answer.url.clone(),
            policy,
            answer: Some(answer),
            is_over: false,
            position: 0,
            length,
            is_seekable,
            retries: 0,
        })
    }

    /// Whether [`Download::seek`] leads anywhere.
    pub(crate) fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    /// Bytes in all, where the server says so.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Who sends.
    pub(crate) fn host(&self) -> String {
        rivero_http::authority(&self.url)
    }

    /// Goes on from byte `place`, with the next call of [`Download::next`].
    pub(crate) fn seek(&mut self, place: u64) {
        if place != self.position || self.is_over {
            (self.position, self.answer, self.is_over) = (place, None, false);
        }
    }

    async fn ask(&mut self) -> io::Result<()> {
        if self.length.is_some_and(|length| self.position >= length) {
            self.is_over = true;
            return Ok(());
        }
        let answer = rivero_http::get(&self.url, Some(self.position), &self.policy)
            .await
            .map_err(io::Error::other)?;
        let begins = header(&answer, "content-range").and_then(first);
        match answer.status.as_u16() {
            206 if begins.is_none_or(|first| first == self.position) => self.answer = Some(answer),
            416 => self.is_over = true,
            status => {
                let text = format!("the server answers {status} to a part of what it has");
                return Err(io::Error::other(text));
            }
        }
        Ok(())
    }

    /// What comes next; `None` at the end. Nothing is lost when it is given up meanwhile.
    ///
    /// # Errors
    /// When the connection breaks for good
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.is_over {
            let Some(answer) = &mut self.answer else {
                self.ask().await?;
                continue;
            };
            let broken = match answer.next().await {
                Ok(Some(bytes)) => {
                    self.position += bytes.len() as u64;
                    self.retries = 0;
                    return Ok(Some(bytes));
                }
                Ok(None) if self.length.is_none_or(|length| self.position >= length) => {
                    self.is_over = true;
                    break;
                }
                Ok(None) => io::ErrorKind::UnexpectedEof.into(),
                Err(error) => error,
            };
            self.answer = None;
            if !self.can_retry() {
                return Err(broken);
            }
        }
        Ok(None)
    }

    fn can_retry(&mut self) -> bool {
        self.retries += 1;
        self.is_seekable && self.retries <= RETRIES
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name)?.to_str().ok()
}

/// Of `bytes 0-99/100` the last number (RFC 9110 §14.4).
fn total(range: &str) -> Option<u64> {
    range.rsplit_once('/')?.1.trim().parse().ok()
}

/// Of `bytes 0-99/100` the first.
fn first(range: &str) -> Option<u64> {
    let range = range.trim().strip_prefix("bytes")?.trim();
    range.split_once('-')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_content_range() {
        assert_eq!(total("bytes 0-99/100"), Some(100));
        assert_eq!(total("bytes 0-99/*"), None);
        assert_eq!(first("bytes 20-99/100"), Some(20));
        assert_eq!(first("bytes */100"), None);
    }
}
