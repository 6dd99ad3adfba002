//! A client of the protocol that never waits: requests go out in a row, what comes back is polled.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpStream},
};

use mio::{Interest, Registry, Token, unix::SourceFd};
use serde_json::{Value, json};
use std::os::fd::AsRawFd;
use tungstenite::{Message, WebSocket};

use crate::error::Error;

/// A connection whose requests carry what their replies are for.
pub(crate) struct Rpc<P> {
    socket: WebSocket<TcpStream>,
    pending: HashMap<u64, P>,
    next_id: u64,
    session: Option<String>,
}

/// A message of the server.
pub(crate) enum Incoming<P> {
    /// The reply to a request.
    Reply {
        /// What the request was sent for.
        purpose: P,
        /// Its `result.value`.
        value: Value,
    },
    /// The `params.value` of an event.
    Event(Value),
}

impl<P> Rpc<P> {
    /// Connects; from then on nothing blocks.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).map_err(Error::system("connecting"))?;
        stream
            .set_nodelay(true)
            .map_err(Error::system("setting TCP_NODELAY"))?;
        let (socket, _) = tungstenite::client(format!("ws://{address}/kurento"), stream)
            .map_err(|error| Error::Other(format!("WebSocket to {address}: {error}")))?;
        socket
            .get_ref()
            .set_nonblocking(true)
            .map_err(Error::system("setting a connection to non-blocking"))?;
        Ok(Self {
            socket,
            pending: HashMap::new(),
            next_id: 1,
            session: None,
        })
    }

    /// Has `token` reported when there is something to receive.
    pub(crate) fn register(&self, registry: &Registry, token: Token) -> Result<(), Error> {
        let descriptor = self.socket.get_ref().as_raw_fd();
        registry
            .register(&mut SourceFd(&descriptor), token, Interest::READABLE)
            .map_err(Error::system("watching a connection"))
    }

    /// Requests without a reply so far.
    pub(crate) fn outstanding(&self) -> usize {
        self.pending.len()
    }

    /// Queues a request and sends what the connection takes.
    pub(crate) fn request(
        &mut self,
        method: &str,
        mut params: Value,
        purpose: P,
    ) -> Result<(), Error> {
        if let (Some(session), Some(params)) = (&self.session, params.as_object_mut()) {
            params.insert("sessionId".to_owned(), session.as_str().into());
        }
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, purpose);
        let text = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let written = self.socket.write(Message::text(text.to_string()));
        would_block(written)?;
        self.flush()
    }

    /// `create` of an object.
    pub(crate) fn create(&mut self, class: &str, params: Value, purpose: P) -> Result<(), Error> {
        let params = json!({"type": class, "constructorParams": params});
        self.request("create", params, purpose)
    }

    /// `invoke` of an operation.
    pub(crate) fn invoke(
        &mut self,
        object: &str,
        operation: &str,
        params: Value,
        purpose: P,
    ) -> Result<(), Error> {
        let params = json!({"object": object, "operation": operation, "operationParams": params});
        self.request("invoke", params, purpose)
    }

    /// Sends what an earlier request left in the queue.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let flushed = self.socket.flush();
        would_block(flushed).map(|_| ())
    }

    /// The next message that is there.
    pub(crate) fn receive(&mut self) -> Result<Option<Incoming<P>>, Error> {
        loop {
            let received = self.socket.read();
            match would_block(received)? {
                None => return Ok(None),
                Some(Message::Text(text)) => return self.understand(&text).map(Some),
                Some(Message::Close(_)) => {
                    return Err(Error::Refused("it closed the connection".to_owned()));
                }
                Some(_) => {}
            }
        }
    }

    fn understand(&mut self, text: &str) -> Result<Incoming<P>, Error> {
        let unexpected = || Error::Refused(text.to_owned());
        let mut message: Value = serde_json::from_str(text).map_err(|_| unexpected())?;
        if message.get("method").is_some() {
            let value = message
                .pointer_mut("/params/value")
                .ok_or_else(unexpected)?;
            return Ok(Incoming::Event(value.take()));
        }
        let id = message.get("id").and_then(Value::as_u64);
        let purpose = id.and_then(|id| self.pending.remove(&id));
        let purpose = purpose.ok_or_else(unexpected)?;
        let result = message.get_mut("result").ok_or_else(unexpected)?;
        if self.session.is_none() {
            let session = result.get("sessionId").and_then(Value::as_str);
            self.session = session.map(str::to_owned);
        }
        let value = result.get_mut("value").map(Value::take);
        Ok(Incoming::Reply {
            purpose,
            value: value.unwrap_or(Value::Null),
        })
    }
}

/// `None` where a blocking connection would have waited.
fn would_block<T>(outcome: tungstenite::Result<T>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(Box::new(error).into()),
    }
}
