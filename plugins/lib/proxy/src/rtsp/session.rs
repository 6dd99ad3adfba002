//! Between a client and a server, on one connection each.

use std::{collections::VecDeque, net::IpAddr};

use rivero_uri::{Access, Location, Policy, redact_uri};
use url::{Host, Position, Url};

use super::{
    credentials::Credentials,
    description,
    message::{Message, Start},
    splitter::{Item, Splitter},
    transport::{self, Confined},
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

/// Where a connection leads, and what may be said there.
#[derive(Debug, Clone)]
pub struct Target {
    /// Without user and password.
    url: Url,
    host: Host<String>,
    port: u16,
    is_encrypted: bool,
    credentials: Option<Credentials>,
}

impl Target {
    /// The target of a URL with one of RTSP's schemes; `None` for others.
    pub fn new(url: &Url) -> Option<Self> {
        let is_encrypted = match url.scheme() {
            "rtsp" | "rtspt" | "rtspu" => false,
            "rtsps" | "rtspst" | "rtspsu" => true,
            _ => return None,
        };
        let credentials = Credentials::of(url);
        let mut bare = url.clone();
        // They fail for URLs without a host, which are none.
        bare.set_username("").ok()?;
        bare.set_password(None).ok()?;
        Some(Self {
            host: rivero_uri::host(url)?,
            // RFC 2326 §3.2; the port of encrypted connections is registered with IANA.
            port: url.port().unwrap_or(if is_encrypted { 322 } else { 554 }),
            url: bare,
            is_encrypted,
            credentials,
        })
    }

    /// The name or address to connect to.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The TCP port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether by TLS.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Name or address, with the port.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// What is before the path of a request's URL. The port is told where the URL has it.
    fn origin(&self) -> String {
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        format!("rtsp://{host}")
    }

    /// Whether credentials for one are credentials for the other.
    fn is_same(&self, other: &Self) -> bool {
        let host = |target: &Self| target.host.to_string().to_ascii_lowercase();
        (host(self), self.port, self.is_encrypted) == (host(other), other.port, other.is_encrypted)
    }
}

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
        self.pending.push_back(Pending {
            request,
            sequence: 0,
            uri: String::new(),
            answers: 0,
        });
        if self.peer.is_some() {
            self.send(self.pending.len() - 1, out);
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
        pending.uri.clone_from(&uri);
        let mut message = pending.request.clone();
        message.start = Start::Request { method, uri };
        message.set("CSeq", self.sequence.to_string());
        if let Some(authorization) = authorization {
            message.set("Authorization", authorization);
        }
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
                    self.answer(status, message, &pending, out);
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
        let method = match &pending.request.start {
            Start::Request { method, .. } => method.as_str(),
            Start::Response { .. } => "",
        };
        if (200..300).contains(&status) {
            match method {
                "DESCRIBE" => self.described(&mut answer, &pending.uri),
                "SETUP" => self.set_up(&mut answer, sequence),
                _ => {}
            }
        }
        answer.write(&mut out.to_client);
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

/// Answers a request of a server's. None of them concerns the client; least of all one that sends it to another host
/// (`REDIRECT`, RFC 2326 §10.10).
fn refuse_or_agree(method: &str, message: &Message, out: &mut Output) {
    let sequence = message.sequence().unwrap_or_default();
    let mut answer = match method {
        "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" => reply(200, "OK", sequence),
        _ => {
            tracing::debug!(method, "a request of an RTSP server is refused");
            reply(501, "Not Implemented", sequence)
        }
    };
    if let Some(session) = message.header("Session") {
        answer.set("Session", session);
    }
    answer.write(&mut out.to_server);
}

fn reply(status: u16, reason: &str, sequence: u32) -> Message {
    Message {
        start: Start::Response {
            status,
            reason: reason.to_owned(),
        },
        headers: vec![("CSeq".to_owned(), sequence.to_string())],
        body: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
