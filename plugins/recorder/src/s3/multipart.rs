//! Objects that are brought to a store in parts
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).

use std::{fmt::Write as _, fs::File, io, sync::Arc};

use rivero_uri::Policy;
use serde::{Deserialize, Serialize};

use super::{
    answer::{self, Failure},
    exchange::{Answer, Call, Content, exchange},
    object::Object,
    store::Store,
};

/// Bytes of a part: 5 MiB is the least that stores take.
const PART: u64 = 8 << 20;
/// Parts that an object may have.
const MOST_PARTS: u64 = 10_000;

/// How far a file has come; kept beside it, so that it goes on from there after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Multipart {
    /// By which the store knows what belongs together.
    upload_id: String,
    /// Bytes of all parts but the last.
    part_size: u64,
    /// What the store calls the parts that it has, in order.
    etags: Vec<String>,
}

/// A call about one object.
struct Calls<'a> {
    store: &'a Store,
    policy: &'a Policy,
    object: &'a Object,
}

impl Multipart {
    /// Begins an upload of so many bytes.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn begin(
        (store, policy): (&Store, &Policy),
        object: &Object,
        content_type: &str,
        length: u64,
    ) -> Result<Self, Failure> {
        let calls = Calls {
            store,
            policy,
            object,
        };
        let query = [("uploads", String::new())];
        let nothing = Content::Text(String::new());
        let answer = calls
            .call("POST", &query, Some(content_type), nothing)
            .await?;
        let Some(upload_id) = answer::text_of(&answer.body, "UploadId") else {
            return Err(calls.unreadable("it begins no upload"));
        };
        Ok(Self {
            upload_id,
            part_size: PART.max(length.div_ceil(MOST_PARTS)),
            etags: Vec::new(),
        })
    }

    /// Whether the store has all parts of so many bytes.
    pub(crate) fn has_all(&self, length: u64) -> bool {
        self.etags.len() as u64 >= length.div_ceil(self.part_size)
    }

    /// Sends the next part.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn send_part(
        &mut self,
        (store, policy): (&Store, &Policy),
        object: &Object,
        (file, length): (&Arc<File>, u64),
    ) -> Result<(), Failure> {
        let calls = Calls {
            store,
            policy,
            object,
        };
        let sent = self.etags.len() as u64;
        let start = sent * self.part_size;
        let part = Content::Part {
            file: file.clone(),
            start,
            length: length.saturating_sub(start).min(self.part_size),
        };
        let query = [
            ("partNumber", (sent + 1).to_string()),
            ("uploadId", self.upload_id.clone()),
        ];
        let answer = calls.call("PUT", &query, None, part).await?;
        let etag = answer
            .headers
            .get("etag")
            .and_then(|etag| etag.to_str().ok());
        let Some(etag) = etag else {
            return Err(calls.unreadable("it gives a part no ETag"));
        };
        self.etags.push(etag.to_owned());
        Ok(())
    }

    /// Has the store put the parts together.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn complete(
        &self,
        (store, policy): (&Store, &Policy),
        object: &Object,
    ) -> Result<(), Failure> {
        let calls = Calls {
            store,
            policy,
            object,
        };
        let query = [("uploadId", self.upload_id.clone())];
        let list = Content::Text(self.list());
        let answer = calls
            .call("POST", &query, Some("application/xml"), list)
            .await?;
        // A store that breaks off after the head has said 200 before it knew.
        match answer::text_of(&answer.body, "ETag") {
            Some(_) => Ok(()),
            None => Err(calls.unreadable("it does not confirm the object")),
        }
    }

    /// Has the store forget the parts.
    ///
    /// # Errors
    /// [`Failure`]
    pub(crate) async fn abort(
        &self,
        (store, policy): (&Store, &Policy),
        object: &Object,
    ) -> Result<(), Failure> {
        let calls = Calls {
            store,
            policy,
            object,
        };
        let query = [("uploadId", self.upload_id.clone())];
        let nothing = Content::Text(String::new());
        calls.call("DELETE", &query, None, nothing).await.map(drop)
    }

    fn list(&self) -> String {
        let mut list = String::from("<CompleteMultipartUpload>");
        for (number, etag) in (1..).zip(&self.etags) {
            let etag = etag.replace('&', "&amp;").replace('<', "&lt;");
            // Writing into a string does not fail.
            let _ = write!(
                list,
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            );
        }
        list.push_str("</CompleteMultipartUpload>");
        list
    }
}

/// Makes an object of nothing: an upload has at least one part.
///
/// # Errors
/// [`Failure`]
pub(crate) async fn put_empty(
    (store, policy): (&Store, &Policy),
    object: &Object,
    content_type: &str,
) -> Result<(), Failure> {
    let calls = Calls {
        store,
        policy,
        object,
    };
    let nothing = Content::Text(String::new());
    calls
        .call("PUT", &[], Some(content_type), nothing)
        .await
        .map(drop)
}

impl Calls<'_> {
    async fn call(
        &self,
        method: &'static str,
        query: &[(&str, String)],
        content_type: Option<&str>,
        content: Content,
    ) -> Result<Answer, Failure> {
        let call = Call {
            method,
            object: self.object,
            query,
            content_type,
            content,
        };
        exchange(self.store, self.policy, call).await
    }

    /// The server is no store that speaks S3, or something stands before it.
    fn unreadable(&self, reason: &str) -> Failure {
        Failure::Network {
            host: rivero_http::authority(&self.store.place(self.object).0),
            error: io::Error::new(io::ErrorKind::InvalidData, reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(part_size: u64, etags: &[&str]) -> Multipart {
        Multipart {
            upload_id: "1".to_owned(),
            part_size,
            etags: etags.iter().map(|etag| (*etag).to_owned()).collect(),
        }
    }

    #[test]
    fn parts_are_listed_in_order() {
        assert_eq!(
            with(1, &["\"a\"", "b&c"]).list(),
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part><Part><PartNumber>2</PartNumber><ETag>b&amp;c</ETag></Part></CompleteMultipartUpload>"
        );
    }

    #[test]
    fn the_last_part_is_what_is_left() {
        for (length, parts) in [(1, 1), (10, 1), (11, 2), (20, 2), (21, 3)] {
            assert!(with(10, &["x"; 3][..parts]).has_all(length), "{length}");
            assert!(
                !with(10, &["x"; 3][..parts - 1]).has_all(length),
                "{length}"
            );
        }
    }
}
