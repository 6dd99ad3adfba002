//! The file in a `multipart/form-data` body (RFC 7578), as browsers send it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use multer::{Field, Multipart};

use crate::failure::Failure;

/// Before a part begins there may be so many bytes that are none of it.
const HEADERS: u64 = 64 << 10;

/// The media in a body.
pub(crate) struct Form {
    field: Field<'static>,
    /// Reads the body for the field.
    _form: Multipart<'static>,
}

impl Form {
    /// Looks for the first file. Other parts before it are read and forgotten.
    ///
    /// # Errors
    /// [`Failure::Form`], and those of `body`
    pub(crate) async fn file<B>(body: B, boundary: String) -> Result<Self, Failure>
    where
        B: Stream<Item = Result<Bytes, Failure>> + Send + Unpin + 'static,
    {
        let ahead = Arc::new(AtomicU64::new(0));
        let mut form = Multipart::new(
            Bounded {
                body,
                ahead: ahead.clone(),
            },
            boundary,
        );
        loop {
            ahead.store(0, Relaxed);
            let Some(mut field) = form.next_field().await.map_err(failure)? else {
                return Err(Failure::Form("there is no file in it".to_owned()));
            };
            ahead.store(NOTHING_AHEAD, Relaxed);
            if is_file(&field) {
                return Ok(Self { field, _form: form });
            }
            while field.chunk().await.map_err(failure)?.is_some() {}
        }
    }

    /// The next piece of the file.
    pub(crate) async fn piece(&mut self) -> Option<Result<Bytes, Failure>> {
        self.field.chunk().await.map_err(failure).transpose()
    }
}

/// An input without a chosen file is sent with an empty name.
fn is_file(field: &Field<'_>) -> bool {
    match field.file_name() {
        Some(name) => !name.is_empty(),
        None => field
            .content_type()
            .is_some_and(|kind| ["audio", "video", "application"].contains(&kind.type_().as_str())),
    }
}

/// The parser keeps all that it reads until it finds a part.
struct Bounded<B> {
    body: B,
    /// Bytes read since the last part, or [`NOTHING_AHEAD`].
    ahead: Arc<AtomicU64>,
}

/// A part is being read, which the parser does not keep.
const NOTHING_AHEAD: u64 = u64::MAX;

impl<B: Stream<Item = Result<Bytes, Failure>> + Unpin> Stream for Bounded<B> {
    type Item = Result<Bytes, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let ahead = self.ahead.load(Relaxed);
        if ahead != NOTHING_AHEAD && ahead > HEADERS {
            let text = format!("no part begins within {HEADERS} bytes");
            return Poll::Ready(Some(Err(Failure::Form(text))));
        }
        let polled = Pin::new(&mut self.body).poll_next(context);
        if let Poll::Ready(Some(Ok(bytes))) = &polled
            && ahead != NOTHING_AHEAD
        {
            self.ahead.store(ahead + bytes.len() as u64, Relaxed);
        }
        polled
    }
}

/// What the body said comes back as it was.
fn failure(error: multer::Error) -> Failure {
    match error {
        multer::Error::StreamReadFailed(error) => match error.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(error) => Failure::Form(error.to_string()),
        },
        error => Failure::Form(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(future)
    }

    /// The file in a form that comes in pieces of a size.
    fn read(form: &[u8], size: usize) -> Result<Vec<u8>, Failure> {
        let pieces: Vec<_> = form
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        run(async {
            let mut form = Form::file(stream::iter(pieces), "XyZ".to_owned()).await?;
            let mut file = Vec::new();
            while let Some(piece) = form.piece().await {
                file.extend_from_slice(&piece?);
            }
            Ok(file)
        })
    }

    fn part(headers: &str, content: &str) -> String {
        format!("--XyZ\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}\r\n")
    }

    #[test]
    fn the_file_is_found_among_fields() {
        let form = part("name=\"title\"", "A day")
            + &part(
                "name=\"none\"; filename=\"\"\r\nContent-Type: application/octet-stream",
                "",
            )
            + &part(
                "name=\"file\"; filename=\"a.webm\"\r\nContent-Type: video/webm",
                "me\r\n--Xydia\r\n",
            )
            + &part("name=\"agree\"", "yes")
            + "--XyZ--\r\n";
        for size in [1, 5, 1000] {
            assert_eq!(read(form.as_bytes(), size).unwrap(), b"me\r\n--Xydia\r\n");
        }
    }

    #[test]
    fn a_form_without_file_a_cut_one_and_none_are_told() {
        let none = part("name=\"title\"", "A day") + "--XyZ--\r\n";
        let cut = part("name=\"f\"; filename=\"a\"", "media");
        for form in [none, cut, "no form".to_owned()] {
            assert!(
                matches!(read(form.as_bytes(), 9), Err(Failure::Form(_))),
                "{form}"
            );
        }
    }

    #[test]
    fn what_never_begins_is_not_kept() {
        let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[b'a'; 1000])));
        let error = run(Form::file(endless, "XyZ".to_owned())).err().unwrap();
        assert!(error.to_string().contains("no part begins"), "{error}");
    }

    #[test]
    fn failures_of_the_body_come_through() {
        let body = stream::iter([Err(Failure::TooLarge(7))]);
        let error = run(Form::file(body, "XyZ".to_owned())).err().unwrap();
        assert!(matches!(error, Failure::TooLarge(7)), "{error}");
    }
}
