//! What time asks for: the server's session is kept, and what is never answered is given up.

use super::message::{Message, Start};

/// A session's, where the server names none (RFC 2326 §12.37), s.
const DEFAULT_TIMEOUT: u32 = 60;
/// Longer sessions are kept as often as this, s: networks between forget connections as well.
const LONGEST_SILENCE: u32 = 30;
/// A track that is not set up by then is played without, s.
const TRACK_PATIENCE: u32 = 5;
/// Everything else that nothing goes on without, s.
const PATIENCE: u32 = 15;

/// Keeps a session of a server: it forgets clients that ask for nothing, although media flows. Clients that get media on
/// the connection itself rely on receiver reports, which many servers do not count.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    session: Option<String>,
    /// Of the session, s.
    timeout: u32,
    /// What the session is about; once it plays.
    uri: Option<String>,
    /// Seconds since the server was asked for something.
    silence: u32,
    /// The server knows no `GET_PARAMETER`.
    asks_options: bool,
}

impl Upkeep {
    /// Something is sent to the server.
    pub(crate) fn said(&mut self) {
        self.silence = 0;
    }

    /// The server has answered.
    pub(crate) fn answered(&mut self, method: &str, uri: &str, status: u16, answer: &Message) {
        let is_success = (200..300).contains(&status);
        match method {
            "OPTIONS" if is_success => {
                if let Some(public) = answer.header("Public") {
                    let mut methods = public.split(',').map(str::trim);
                    self.asks_options = !methods.any(|method| method == "GET_PARAMETER");
                }
            }
            "SETUP" | "PLAY" if is_success => {
                if let Some(session) = answer.header("Session") {
                    self.learn(session);
                }
                if method == "PLAY" {
                    self.uri = Some(uri.to_owned());
                }
            }
            "GET_PARAMETER" if matches!(status, 400 | 405 | 501 | 551) => self.asks_options = true,
            _ => {}
        }
    }

    /// `Session: id;timeout=60`
    fn learn(&mut self, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        self.session = parts.next().map(str::to_owned);
        let named = parts.find_map(|part| part.strip_prefix("timeout="));
        let seconds = named.and_then(|text| text.trim().parse().ok());
        self.timeout = seconds
            .filter(|seconds| *seconds > 0)
            .unwrap_or(DEFAULT_TIMEOUT);
    }

    /// A second has passed; gives what is to be asked for, if it is time.
    pub(crate) fn tick(&mut self) -> Option<Message> {
        self.silence += 1;
        let (session, uri) = (self.session.as_ref()?, self.uri.as_ref()?);
        if self.silence < (self.timeout / 2).clamp(1, LONGEST_SILENCE) {
            return None;
        }
        let method = if self.asks_options {
            "OPTIONS"
        } else {
            "GET_PARAMETER"
        };
        Some(Message {
            start: Start::Request {
                method: method.to_owned(),
                uri: uri.clone(),
            },
            headers: vec![
                (
                    "User-Agent".to_owned(),
                    rivero_http::user_agent().to_owned(),
                ),
                ("Session".to_owned(), session.clone()),
            ],
            body: Vec::new(),
        })
    }
}

/// What becomes of a request without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// It is waited for.
    Not,
    /// Its track is left out.
    Track,
    /// Nothing: it is forgotten.
    Dropped,
    /// The connection is given up.
    Failure,
}

impl Overdue {
    /// `age`: seconds since the request was sent; `is_own`: it only keeps the session.
    pub(crate) fn of(method: &str, age: u32, is_own: bool) -> Self {
        match method {
            "SETUP" if age >= TRACK_PATIENCE => Self::Track,
            "DESCRIBE" | "PLAY" if age >= PATIENCE => Self::Failure,
            _ if is_own && age >= PATIENCE => Self::Dropped,
            _ => Self::Not,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &str) -> Message {
        Message::parse(format!("RTSP/1.0 200 OK\r\n{headers}").as_bytes()).unwrap()
    }

    /// After how many seconds which method is sent.
    fn first_request(upkeep: &mut Upkeep) -> Option<(u32, String)> {
        (1..100).find_map(|second| {
            let Start::Request { method, .. } = upkeep.tick()?.start else {
                return None;
            };
            Some((second, method))
        })
    }

    #[test]
    fn half_of_the_sessions_time_passes_in_silence() {
        for (session, seconds) in [
            ("7", 30),
            ("7;timeout=10", 5),
            ("7 ; timeout=1", 1),
            ("7;timeout=0", 30),
            ("7;timeout=x", 30),
            ("7;timeout=4000000000", 30),
        ] {
            let mut upkeep = Upkeep::default();
            assert_eq!(first_request(&mut upkeep), None, "before it plays");
            let played = answer(&format!("Session: {session}"));
            upkeep.answered("PLAY", "rtsp://camera/a", 200, &played);
            upkeep.said();
            let expected = Some((seconds, "GET_PARAMETER".to_owned()));
            assert_eq!(first_request(&mut upkeep), expected, "{session}");
        }
    }

    #[test]
    fn servers_without_that_method_are_asked_for_their_options() {
        let mut told = Upkeep::default();
        told.answered(
            "OPTIONS",
            "*",
            200,
            &answer("Public: DESCRIBE, SETUP, PLAY"),
        );
        let mut refused = Upkeep::default();
        refused.answered("GET_PARAMETER", "*", 501, &answer(""));
        for mut upkeep in [told, refused] {
            upkeep.answered("PLAY", "rtsp://camera/a", 200, &answer("Session: 7"));
            let (_, method) = first_request(&mut upkeep).unwrap();
            assert_eq!(method, "OPTIONS");
        }
    }
}
