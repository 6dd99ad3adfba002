//! Requests and responses.

use crate::Failure;

/// The only version that is spoken.
const VERSION: &str = "RTSP/1.0";
/// Lines of a head at most.
const MOST_LINES: usize = 256;

/// A request or a response, read strictly and written anew: what the other side reads is what was understood here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) start: Start,
    /// In order; names as they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    Request { method: String, uri: String },
    Response { status: u16, reason: String },
}

impl Message {
    /// Reads a head, without the empty line behind it. Lines end with CRLF or LF; lines that begin with a space go on
    /// with the one before (RFC 2326 §4.2 and RFC 2068 §2.2). Lines that are no header are left out.
    ///
    /// # Errors
    /// [`Failure::Malformed`], [`Failure::TooLong`]
    pub(crate) fn parse(head: &[u8]) -> Result<Self, Failure> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let start = Start::parse(lines.next().unwrap_or_default())?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if headers.len() == MOST_LINES {
                return Err(Failure::TooLong("the head of an RTSP message"));
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(&printable(line));
                }
            } else if let Some((name, value)) = line.split_once(':')
                && is_token(name.trim_end())
            {
                headers.push((name.trim_end().to_owned(), printable(value)));
            }
        }
        Ok(Self {
            start,
            headers,
            body: Vec::new(),
        })
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .find(named)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a header.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(own, _): &&(String, String)| own.eq_ignore_ascii_case(name);
        self.headers
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_str())
    }

    /// Puts a header in the place of all of that name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers
            .retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// `CSeq`, by which requests and responses belong together.
    pub(crate) fn sequence(&self) -> Option<u32> {
        self.header("CSeq")?.trim().parse().ok()
    }

    /// Bytes of the body that the head announces. Two lengths that differ would be read as one by one side and as the
    /// other by the other side.
    ///
    /// # Errors
    /// [`Failure::Malformed`]
    pub(crate) fn announced_length(&self) -> Result<usize, Failure> {
        let malformed = || Failure::Malformed("an RTSP message without a clear Content-Length");
        let mut length = None;
        for text in self.all("Content-Length") {
            let value: usize = text.trim().parse().map_err(|_| malformed())?;
            if length.is_some_and(|length| length != value) {
                return Err(malformed());
            }
            length = Some(value);
        }
        Ok(length.unwrap_or(0))
    }

    /// Appends the message as it goes over the wire.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let first = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} {VERSION}\r\n"),
            Start::Response { status, reason } => format!("{VERSION} {status} {reason}\r\n"),
        };
        out.extend_from_slice(first.as_bytes());
        for (name, value) in &self.headers {
            if !name.eq_ignore_ascii_case("Content-Length") {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        if !self.body.is_empty() {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

impl Start {
    fn parse(line: &str) -> Result<Self, Failure> {
        let malformed = || Failure::Malformed("what was answered is no RTSP");
        let line = printable(line);
        if let Some(rest) = line.strip_prefix("RTSP/") {
            let (_, rest) = rest.split_once(' ').ok_or_else(malformed)?;
            let (status, reason) = rest
                .trim_start()
                .split_once(' ')
                .unwrap_or((rest.trim(), ""));
            let status = status.parse().map_err(|_| malformed())?;
            return Ok(Self::Response {
                status,
                reason: reason.to_owned(),
            });
        }
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(uri), Some(version), None)
                if is_token(method) && version.starts_with("RTSP/") =>
            {
                Ok(Self::Request {
                    method: method.to_owned(),
                    uri: uri.to_owned(),
                })
            }
            _ => Err(malformed()),
        }
    }
}

/// RFC 2326 §15.1
fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}

/// Without spaces around it, and without what would end a line for somebody.
fn printable(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_that_go_on_are_one_header() {
        let head = b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;\r\n  source=1.2.3.4\r\nCSeq:7\nbad line\r\n: x";
        let message = Message::parse(head).unwrap();
        assert_eq!(message.header("transport"), Some("RTP/AVP; source=1.2.3.4"));
        assert_eq!(message.sequence(), Some(7));
        assert_eq!(message.headers.len(), 2);
    }

    #[test]
    fn two_lengths_are_no_length() {
        let head = |second: &str| {
            let head = format!("RTSP/1.0 200 OK\r\nContent-Length: 5\r\ncontent-length: {second}");
            Message::parse(head.as_bytes()).unwrap().announced_length()
        };
        assert_eq!(head("5").unwrap(), 5);
        assert!(head("6").is_err() && head("-1").is_err() && head("").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(head in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = b"RTSP/1.0 200 OK\r\n".to_vec();
            bytes.extend(head);
            if let Ok(message) = Message::parse(&bytes) {
                let mut written = Vec::new();
                message.write(&mut written);
                let end = written.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
                let mut again = Message::parse(&written[..end]).unwrap();
                again.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
                let mut expected = message;
                expected.remove("Content-Length");
                prop_assert_eq!(again, expected);
            }
        }
    }
}
