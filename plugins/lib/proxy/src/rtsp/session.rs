//! Between a client and a server, on one connection each.

use std::{collections::VecDeque, net::IpAddr};

use rivero_uri::{Access, Location, Policy, redact_uri};
use url::Position;

use super::{
    description,
    message::{Message, Start},
    reply::{is_refusal, refuse_or_agree, reply},
    splitter::{Item, Splitter},
    target::Target,
    transport::{self, Confined},
    upkeep::{Overdue, Upkeep},
};
use crate::Failure;

/// Redirections that are followed one after the other.
const REDIRECTIONS: u32 = 5;
/// Requests without an answer at most: a client waits for each but the last.
const PENDING: usize = 16;
/// Requests with credentials after a challenge: once, and again if the server says that its challenge was stale.
const ANSWERS: u32 = 2;
/// Headers of answers that a client gets to see. Not `Location`, which it would follow.
const PASSED_ON: [&str; 21] = [
    "Accept-Ranges",
    "Allow",
    "Blocksize",
    "Cache-Control",
    "Content-Base",
    "Content-Location",
    "Content-Type",
    "Date",
    "Expires",
    "KeyMgmt",
    "Last-Modified",
    "Public",
    "RTP-Info",
    "Range",
    "Rate-Control",
    "Scale",
    "Server",
    "Session",
    "Speed",
    "Transport",
    "Unsupported",
];

/// What is to be done, in this order.
#[derive(Debug, Default)]
pub struct Output {
    /// To be sent to the client.
    pub to_client: Vec<u8>,
    /// To be sent to the server; not if [`Output::moves`].
    pub to_server: Vec<u8>,
    /// The connection to the server is to be closed, and one made to [`Session::target`] and told to
    /// [`Session::connected`].
    pub moves: bool,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    /// As the client sent it.
    request: Message,
    /// Of the request as it was sent to the server.
    sequence: u32,
    /// URL of the same.
    uri: String,
    answers: u32,
    /// Seconds since it was sent.
    age: u32,
    /// The proxy asks for itself: the client gets no answer.
    is_own: bool,
}

impl Pending {
    fn method(&self) -> &str {
        match &self.request.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => "",
        }
    }
}

/// What is said on a client's connection and on the server's that belongs to it.
#[derive(Debug)]
pub struct Session {
    policy: Policy,
    /// What a client's URLs begin with in place of the target's scheme, host and port.
    prefix: String,
    /// What follows it in the URL that the client was given.
    first: String,
    target: Target,
    /// Of the server's connection.
    peer: Option<IpAddr>,
    from_client: Splitter,
    from_server: Splitter,
    pending: VecDeque<Pending>,
    sequence: u32,
    redirections: u32,
    /// The client has shown that it knows the prefix.
    is_known: bool,
    /// Media has been set up.
    is_set_up: bool,
    /// Why a track was refused, as long as no other is set up.
    refusal: Option<String>,
    upkeep: Upkeep,
}

impl Session {
    /// `prefix`: what stands in a client's URLs for scheme, host and port of the target; who knows neither that nor
    /// its last part (as `User-Agent`) is refused.
    pub fn new(target: Target, prefix: String, policy: Policy) -> Self {
        let first = target.url[Position::BeforePath..].to_owned();
        Self {
            policy,
            prefix,
            first,
            target,
            peer: None,
            from_client: Splitter::default(),
            from_server: Splitter::default(),
            pending: VecDeque::new(),
            sequence: 0,
            redirections: 0,
            is_known: false,
            is_set_up: false,
            refusal: None,
            upkeep: Upkeep::default(),
        }
    }

    /// Where the connection to the server leads.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether a client that knows the prefix has asked for something.
    pub fn is_asked(&self) -> bool {
        self.is_known
    }

    /// Why nothing is set up, if the server has refused all that was asked for until now.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// There is a connection to the target: what has no answer yet is sent to it.
    pub fn connected(&mut self, peer: IpAddr, out: &mut Output) {
        self.peer = Some(peer);
        self.from_server = Splitter::default();
        out.moves = false;
        out.to_server.clear();
        for index in 0..self.pending.len() {
            self.send(index, out);
        }
    }

    /// The client has sent something.
    ///
    /// # Errors
    /// [`Failure`]: both connections are to be closed
    pub fn on_client(&mut self, data: &[u8], out: &mut Output) -> Result<(), Failure> {
        self.from_client.push(data);
        while let Some(item) = self.from_client.next()? {
            match item {
                Item::Packet(packet) if self.peer.is_some() => {
                    out.to_server.extend_from_slice(&packet);
                }
                Item::Message(message) if matches!(message.start, Start::Request { .. }) => {
                    self.request(message, out)?;
                }
                // Nobody asked for an answer, or for media before there is a server.
                Item::Packet(_) | Item::Message(_) => {}
            }
        }
        Ok(())
    }

    /// The server has sent something.
    ///
    /// # Errors
    /// [`Failure`]: both connections are to be closed
    pub fn on_server(&mut self, data: &[u8], out: &mut Output) -> Result<(), Failure> {
        self.from_server.push(data);
        while !out.moves {
            let Some(item) = self.from_server.next()? else {
                break;
            };
            match item {
                Item::Packet(packet) if self.is_set_up => out.to_client.extend_from_slice(&packet),
                Item::Packet(_) => {}
                Item::Message(message) => match message.start {
                    Start::Request { ref method, .. } => refuse_or_agree(method, &message, out),
                    Start::Response { status, .. } => self.response(status, message, out)?,
                },
            }
        }
        Ok(())
    }

    fn request(&mut self, mut request: Message, out: &mut Output) -> Result<(), Failure> {
        let Start::Request { uri, .. } = &request.start else {
            return Ok(());
        };
        // A source that connects anew goes on with URLs of the server's description, which do not have the prefix.
        let knows = request.header("User-Agent") == Some(self.token());
        self.is_known |= knows || self.own_path(uri).is_some();
        if !self.is_known || request.sequence().is_none() {
            return Err(Failure::Malformed("a client that is no player"));
        }
        if self.pending.len() == PENDING {
            return Err(Failure::TooLong("the queue of requests without an answer"));
        }
        request.remove("Authorization");
        request.set("User-Agent", rivero_http::user_agent());
        self.ask(request, false, out);
        Ok(())
    }

    fn ask(&mut self, request: Message, is_own: bool, out: &mut Output) {
        self.pending.push_back(Pending {
            request,
            sequence: 0,
            uri: String::new(),
            answers: 0,
            age: 0,
            is_own,
        });
        if self.peer.is_some() {
            self.send(self.pending.len() - 1, out);
        }
    }

    /// A second has passed: gives up what is never answered, and keeps the server's session.
    ///
    /// # Errors
    /// [`Failure::Silent`]: the server does not answer what nothing goes on without
    pub fn tick(&mut self, out: &mut Output) -> Result<(), Failure> {
        if self.peer.is_none() {
            return Ok(());
        }
        for pending in &mut self.pending {
            pending.age += 1;
        }
        let mut index = 0;
        while let Some(pending) = self.pending.get(index) {
            let overdue = Overdue::of(pending.method(), pending.age, pending.is_own);
            match overdue {
                Overdue::Not => index += 1,
                Overdue::Failure => {
                    return Err(Failure::Silent {
                        host: self.target.authority(),
                        method: pending.method().to_owned(),
                    });
                }
                Overdue::Track | Overdue::Dropped => {
                    let Some(pending) = self.pending.remove(index) else {
                        break;
                    };
                    if overdue == Overdue::Track {
                        self.refuse_track(&pending, "does not answer the request for", out);
                    }
                }
            }
        }
        let is_asking = self.pending.iter().any(|pending| pending.is_own);
        if self.is_set_up
            && let Some(request) = self.upkeep.tick().filter(|_| !is_asking)
            && self.pending.len() < PENDING
        {
            self.ask(request, true, out);
        }
        Ok(())
    }

    /// The end of the prefix, which nobody else can guess.
    fn token(&self) -> &str {
        self.prefix.rsplit('/').next().unwrap_or_default()
    }

    /// What follows the prefix in a URL of the client's own.
    fn own_path<'a>(&self, uri: &'a str) -> Option<&'a str> {
        let rest = uri.strip_prefix(&self.prefix)?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
    }

    /// The URL that the server is asked for. Those of its description stay as they are, even if they name another
    /// host: it is asked for them, nobody else.
    fn public(&self, uri: &str) -> String {
        match self.own_path(uri) {
            Some(rest) if rest == self.first => {
                let path = &self.target.url[Position::BeforePath..];
                format!("{}{path}", self.target.origin())
            }
            Some(rest) => format!("{}{rest}", self.target.origin()),
            None => uri.to_owned(),
        }
    }

    /// Sends a pending request, under a number of our own: it may be sent more than once.
    fn send(&mut self, index: usize, out: &mut Output) {
        let Some(Start::Request { method, uri }) = self
            .pending
            .get(index)
            .map(|pending| pending.request.start.clone())
        else {
            return;
        };
        let uri = self.public(&uri);
        let credentials = self.target.credentials.as_mut();
        let authorization = credentials.and_then(|credentials| credentials.answer(&method, &uri));
        self.sequence = self.sequence.wrapping_add(1);
        let Some(pending) = self.pending.get_mut(index) else {
            return;
        };
        pending.sequence = self.sequence;
        pending.age = 0;
        pending.uri.clone_from(&uri);
        let mut message = pending.request.clone();
        message.start = Start::Request { method, uri };
        message.set("CSeq", self.sequence.to_string());
        if let Some(authorization) = authorization {
            message.set("Authorization", authorization);
        }
        self.upkeep.said();
        message.write(&mut out.to_server);
    }

    fn response(&mut self, status: u16, message: Message, out: &mut Output) -> Result<(), Failure> {
        let sequence = message.sequence();
        let index = match sequence {
            Some(sequence) => {
                { self.pending.iter() }.position(|pending| pending.sequence == sequence)
            }
            // There is no doubt what it answers.
            None => (self.pending.len() == 1).then_some(0),
        };
        let Some(index) = index else {
            return Ok(());
        };
        match status {
            100..=199 => Ok(()),
            300..=399 => self.moved(status, &message, out),
            401 if self.answers_challenge(index, &message) => {
                self.send(index, out);
                Ok(())
            }
            _ => {
                if let Some(pending) = self.pending.remove(index) {
                    self.upkeep
                        .answered(pending.method(), &pending.uri, status, &message);
                    if !pending.is_own {
                        self.answer(status, message, &pending, out);
                    }
                }
                Ok(())
            }
        }
    }

    fn answers_challenge(&mut self, index: usize, message: &Message) -> bool {
        let (Some(credentials), Some(pending)) = (
            self.target.credentials.as_mut(),
            self.pending.get_mut(index),
        ) else {
            return false;
        };
        pending.answers += 1;
        pending.answers <= ANSWERS && credentials.challenged(message.all("WWW-Authenticate"))
    }

    /// Goes to where the server says (RFC 2326 §11.3), if the policy allows it and nothing plays yet. Credentials stay
    /// with the host that they were given for.
    fn moved(&mut self, status: u16, message: &Message, out: &mut Output) -> Result<(), Failure> {
        let from = self.target.authority();
        let to = message.header("Location").unwrap_or_default();
        let next = self.target.url.join(to).ok().filter(|_| !to.is_empty());
        let next = next.and_then(|url| Some((Target::new(&url)?, url)));
        let followed = [301, 302, 303, 307, 308].contains(&status) && !self.is_set_up;
        let Some((mut next, url)) = next.filter(|_| followed) else {
            let to = redact_uri(to);
            return Err(Failure::Nowhere { from, to });
        };
        self.redirections += 1;
        if self.redirections > REDIRECTIONS {
            return Err(Failure::Redirections(from));
        }
        self.policy.check(&Location::Remote(url), Access::Read)?;
        if next.credentials.is_none() && next.is_same(&self.target) {
            next.credentials = self.target.credentials.take();
        }
        tracing::debug!(from, to = next.authority(), "RTSP is redirected");
        self.target = next;
        self.peer = None;
        for pending in &mut self.pending {
            pending.answers = 0;
        }
        out.moves = true;
        Ok(())
    }

    /// Passes an answer on, without what would make the client go or send elsewhere.
    fn answer(&mut self, status: u16, message: Message, pending: &Pending, out: &mut Output) {
        let mut answer = message;
        let passes = |name: &str| {
            PASSED_ON
                .iter()
                .any(|passed| passed.eq_ignore_ascii_case(name))
        };
        answer.headers.retain(|(name, _)| passes(name));
        let sequence = pending.request.sequence().unwrap_or_default();
        answer
            .headers
            .insert(0, ("CSeq".to_owned(), sequence.to_string()));
        if pending.method() == "SETUP" && is_refusal(status) {
            let text = format!("answers {status} to the request for");
            return self.refuse_track(pending, &text, out);
        }
        if (200..300).contains(&status) {
            match pending.method() {
                "DESCRIBE" => self.described(&mut answer, &pending.uri),
                "SETUP" => self.set_up(&mut answer, sequence),
                _ => {}
            }
        }
        answer.write(&mut out.to_client);
    }

    /// Leaves a track out. To a client, any other refusal of one track is the end of all; of transports it tries the next
    /// one, and goes on without the track when there is none.
    fn refuse_track(&mut self, pending: &Pending, says: &str, out: &mut Output) {
        let text = format!("{} {says} {}", self.target.authority(), pending.uri);
        let text = redact_uri(&text);
        tracing::warn!("a track of an RTSP source is left out: {text}");
        self.refusal = Some(text).filter(|_| !self.is_set_up);
        let sequence = pending.request.sequence().unwrap_or_default();
        reply(461, "Unsupported Transport", sequence).write(&mut out.to_client);
    }

    fn described(&self, answer: &mut Message, uri: &str) {
        if let Some(peer) = self.peer {
            answer.body = description::confine(&answer.body, peer, &self.policy);
        }
        if answer.header("Content-Base").is_none() && answer.header("Content-Location").is_none() {
            // What relative URLs begin with (RFC 2326 §C.1.1): the client knows another URL than the server.
            answer.set("Content-Base", uri);
        }
    }

    fn set_up(&mut self, answer: &mut Message, sequence: u32) {
        let (Some(header), Some(peer)) = (answer.header("Transport"), self.peer) else {
            return;
        };
        match transport::confine(header, peer, &self.policy) {
            Confined::To(header) => {
                answer.set("Transport", header);
                self.is_set_up = true;
                self.refusal = None;
            }
            Confined::Refused => {
                tracing::warn!(
                    server = self.target.authority(),
                    "media is offered to a group of hosts that the policy does not allow: asking for it on the connection; the setting is UriEndpoint.internalHosts"
                );
                // The client tries the next transport that it knows.
                *answer = reply(461, "Unsupported Transport", sequence);
            }
        }
    }
}

#[cfg(test)]
mod tests;
