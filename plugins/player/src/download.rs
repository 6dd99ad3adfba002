//! The bytes of a URL in order, from any place where the server can begin.

use std::{io, ops::Range};

use bytes::{Buf, Bytes};
use rivero_http::Answer;
use rivero_uri::Policy;
use url::Url;

use crate::{failure::Failure, unpacking::Unpacking};

/// A connection that breaks is made anew so often without anything coming.
const RETRIES: u32 = 3;
/// So much is read again, and thrown away, from a server that has said that it can begin anywhere and then cannot.
const MOST_REPEATED: u64 = 256 << 20;

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
    /// Bytes before `position` that come again.
    repeated: u64,
    /// The server has refused a part of what it has.
    refuses_parts: bool,
    /// What is unpacked on its way.
    unpacking: Option<Unpacking>,
    length: Option<u64>,
    /// The server can begin anywhere.
    is_seekable: bool,
    /// Only what is before `length` is wanted, which is more in whole.
    is_part: bool,
    retries: u32,
    /// The beginning, which was looked at and not taken.
    peeked: Option<Bytes>,
}

impl Download {
    /// Asks for all of it.
    ///
    /// # Errors
    /// [`Failure::Uri`]
    pub(crate) async fn begin(url: &Url, policy: Policy) -> Result<Self, Failure> {
        let answer = first_answer(url, &policy).await?;
        if !answer.status.is_success() {
            let host = rivero_http::authority(&answer.url);
            return Err(Failure::Uri(format!("{host} answers {}", answer.status)));
        }
        let unpacking = header(&answer, "content-encoding").and_then(Unpacking::of);
        // Places in what is packed are none in what is played.
        let is_seekable = answer.status == 206 && unpacking.is_none();
        let length = if unpacking.is_some() {
            None
        } else if is_seekable {
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
            repeated: 0,
            refuses_parts: false,
            unpacking,
            length,
            is_seekable,
            is_part: false,
            retries: 0,
            peeked: None,
        })
    }

    /// For some bytes of it, which are asked for with the first call of [`Download::next`].
    pub(crate) fn part(url: &Url, policy: Policy, bytes: Range<u64>) -> Self {
        Self {
            url: url.clone(),
            policy,
            answer: None,
            is_over: false,
            position: bytes.start,
            repeated: 0,
            refuses_parts: false,
            unpacking: None,
            length: Some(bytes.end),
            is_seekable: true,
            is_part: true,
            retries: 0,
            peeked: None,
        }
    }

    /// Where it comes from, after redirections.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether [`Download::seek`] leads anywhere.
    pub(crate) fn is_seekable(&self) -> bool {
        self.is_seekable
    }

    /// Bytes in all, where the server says so.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// What the server says that it is, in lower case.
    pub(crate) fn content_type(&self) -> String {
        let answer = self.answer.as_ref();
        let told = answer.and_then(|answer| header(answer, "content-type"));
        told.unwrap_or_default().to_ascii_lowercase()
    }

    /// Who sends.
    pub(crate) fn host(&self) -> String {
        rivero_http::authority(&self.url)
    }

    /// What it begins with, without taking it: as much as comes first.
    ///
    /// # Errors
    /// When the connection breaks for good
    pub(crate) async fn peek(&mut self) -> io::Result<&[u8]> {
        if self.peeked.is_none() {
            self.peeked = self.next().await?;
        }
        Ok(self.peeked.as_deref().unwrap_or_default())
    }

    /// Takes all that comes, as a text; what is no UTF-8 is replaced.
    ///
    /// # Errors
    /// When it is longer than `most`, or the connection breaks for good
    pub(crate) async fn text(&mut self, most: usize) -> io::Result<String> {
        let mut text = Vec::new();
        while let Some(bytes) = self.next().await? {
            text.extend_from_slice(&bytes);
            if text.len() > most {
                return Err(io::Error::other(format!(
                    "{} sends a playlist of more than {most} bytes",
                    self.host()
                )));
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Goes on from byte `place`, with the next call of [`Download::next`].
    pub(crate) fn seek(&mut self, place: u64) {
        if place == 0 && self.peeked.is_some() {
            return;
        }
        self.peeked = None;
        if place != self.position || self.is_over {
            (self.position, self.answer, self.is_over) = (place, None, false);
            self.repeated = 0;
        }
    }

    async fn ask(&mut self) -> io::Result<()> {
        if self.length.is_some_and(|length| self.position >= length) {
            self.is_over = true;
            return Ok(());
        }
        self.repeated = 0;
        if self.refuses_parts {
            return self.ask_for_all().await;
        }
        let answer = self.get(Some(self.position)).await?;
        let begins = header(&answer, "content-range").and_then(first);
        match answer.status.as_u16() {
            206 if begins.is_none_or(|first| first == self.position) => self.answer = Some(answer),
            416 if self.length.is_none() => self.is_over = true,
            401 | 404 | 410 => return Err(self.refused(answer.status)),
            200 => self.repeat(answer)?,
            _ => {
                self.refuses_parts = true;
                self.ask_for_all().await?;
            }
        }
        Ok(())
    }

    async fn get(&self, from: Option<u64>) -> io::Result<Answer> {
        let answer = match (from, self.length) {
            (Some(from), Some(length)) if self.is_part => {
                let bytes = from..=length.saturating_sub(1);
                rivero_http::get_part(&self.url, bytes, &self.policy).await
            }
            _ => rivero_http::get(&self.url, from, &self.policy).await,
        };
        answer.map_err(io::Error::other)
    }

    /// Asks for all of it, for a server that does not give what is wanted alone.
    async fn ask_for_all(&mut self) -> io::Result<()> {
        let answer = self.get(None).await?;
        if answer.status != 200 {
            return Err(self.refused(answer.status));
        }
        self.repeat(answer)
    }

    /// Reads an answer from its beginning, up to where media goes on.
    fn repeat(&mut self, answer: Answer) -> io::Result<()> {
        if self.position > MOST_REPEATED {
            return Err(self.refused(answer.status));
        }
        (self.repeated, self.answer) = (self.position, Some(answer));
        Ok(())
    }

    fn refused(&self, status: impl std::fmt::Display) -> io::Error {
        let host = self.host();
        io::Error::other(format!(
            "{host} answers {status} to a part of what it has; the server has to allow ranges"
        ))
    }

    /// What comes next; `None` at the end. Nothing is lost when it is given up meanwhile.
    ///
    /// # Errors
    /// When the connection breaks for good
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(peeked) = self.peeked.take() {
            return Ok(Some(peeked));
        }
        loop {
            let Some(unpacking) = &mut self.unpacking else {
                return self.receive().await;
            };
            if let Some(bytes) = unpacking.next()? {
                return Ok(Some(bytes));
            }
            match self.receive().await? {
                Some(bytes) => {
                    if let Some(unpacking) = &mut self.unpacking {
                        unpacking.push(bytes);
                    }
                }
                None => return Ok(None),
            }
        }
    }

    /// The same, as it comes from the network.
    async fn receive(&mut self) -> io::Result<Option<Bytes>> {
        while !self.is_over {
            let Some(answer) = &mut self.answer else {
                self.ask().await?;
                continue;
            };
            let broken = match answer.next().await {
                Ok(Some(mut bytes)) => {
                    self.retries = 0;
                    let again = bytes
                        .len()
                        .min(usize::try_from(self.repeated).unwrap_or(usize::MAX));
                    self.repeated -= again as u64;
                    bytes.advance(again);
                    if let Some(length) = self.length.filter(|_| self.is_part) {
                        let wanted = length.saturating_sub(self.position);
                        bytes.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
                        if wanted == 0 {
                            self.is_over = true;
                            break;
                        }
                    }
                    if bytes.is_empty() {
                        continue;
                    }
                    self.position += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Ok(None) if self.length.is_none_or(|length| self.position >= length) => {
                    self.is_over = true;
                    break;
                }
                Ok(None) => io::ErrorKind::UnexpectedEof.into(),
                Err(error) => error,
            };
            if !self.is_seekable && self.position > 0 {
                // Lengths that are too long are no rarer than connections that break, and media can be played up to there.
                tracing::warn!(host = self.host(), %broken, "less came than was announced: taking it for the end");
                self.is_over = true;
                break;
            }
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

/// The answer to a question for the whole, as a range: it tells whether the server knows ranges. Some refuse that in any
/// way they can think of, but do not refuse the whole.
async fn first_answer(url: &Url, policy: &Policy) -> Result<Answer, Failure> {
    let failed = |error: rivero_http::Error| Failure::Uri(error.to_string());
    match rivero_http::get(url, Some(0), policy).await {
        Ok(answer) if answer.status.is_success() => return Ok(answer),
        // Of these the reason is another one.
        Ok(answer) if matches!(answer.status.as_u16(), 401 | 404 | 410) => return Ok(answer),
        Ok(_) | Err(rivero_http::Error::Network { answered: true, .. }) => {}
        Err(error) => return Err(failed(error)),
    }
    rivero_http::get(url, None, policy).await.map_err(failed)
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
