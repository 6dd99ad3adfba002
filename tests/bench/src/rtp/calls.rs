//! The pairs of RtpEndpoints.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::load::Load;
use crate::{
    error::Error,
    rpc::{Incoming, Rpc},
};

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two looks at whether it is answered.
const LOOK: Duration = Duration::from_micros(200);

/// A pair for each stream; they last as long as this.
pub(super) struct Calls {
    client: Client,
    targets: Vec<SocketAddr>,
}

/// Makes and negotiates them.
pub(super) fn connect(server: SocketAddr, streams: u32, load: &Load) -> Result<Calls, Error> {
    let mut client = Client(Rpc::connect(server)?);
    let pipeline = client.create("MediaPipeline", json!({}))?;
    let (source, destination) = (load.source(), load.destination());
    let mut targets = Vec::new();
    for _ in 0..streams {
        let from = client.create("RtpEndpoint", json!({ "mediaPipeline": pipeline }))?;
        let to = client.create("RtpEndpoint", json!({ "mediaPipeline": pipeline }))?;
        client.invoke(&from, "connect", json!({ "sink": to }))?;
        let port = client.answer(&from, source, "sendonly")?;
        client.answer(&to, destination, "recvonly")?;
        targets.push(SocketAddr::new(server.ip(), port));
    }
    Ok(Calls { client, targets })
}

impl Calls {
    /// Where each stream is to be sent.
    pub(super) fn targets(&self) -> Vec<SocketAddr> {
        debug_assert_eq!(self.client.0.outstanding(), 0);
        self.targets.clone()
    }
}

/// A client that waits for each answer.
struct Client(Rpc<()>);

impl Client {
    fn create(&mut self, class: &str, params: Value) -> Result<String, Error> {
        self.0.create(class, params, ())?;
        let value = self.answered(class)?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    fn invoke(&mut self, object: &str, operation: &str, params: Value) -> Result<Value, Error> {
        self.0.invoke(object, operation, params, ())?;
        self.answered(operation)
    }

    /// Has an endpoint answer the offer of a peer; gives the port of the answer.
    fn answer(&mut self, object: &str, peer: SocketAddr, direction: &str) -> Result<u16, Error> {
        let (ip, port) = (peer.ip(), peer.port());
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na=rtcp-mux\r\na={direction}\r\n"
        );
        let answer = self.invoke(object, "processOffer", json!({ "offer": offer }))?;
        let answer = answer.as_str().unwrap_or_default();
        let line = answer
            .lines()
            .find_map(|line| line.strip_prefix("m=audio "));
        let port = line.and_then(|line| line.split(' ').next()?.parse().ok());
        port.ok_or_else(|| Error::Refused(format!("no port in {answer}")))
    }

    fn answered(&mut self, what: &str) -> Result<Value, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.0.flush()?;
            match self.0.receive()? {
                Some(Incoming::Reply { value, .. }) => return Ok(value),
                Some(Incoming::Event(_)) => {}
                None if Instant::now() > deadline => {
                    return Err(Error::Timeout {
                        what: format!("{what} is answered"),
                        seconds: PATIENCE.as_secs_f64(),
                    });
                }
                None => thread::sleep(LOOK),
            }
        }
    }
}
