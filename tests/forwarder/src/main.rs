//! What the `webrtc` crate costs on its own: packets of one publisher go to all viewers, written
//! as the crate's own examples are.
//!
//! `rivero-forwarder ADDRESS` answers at a WebSocket the few requests of Rivero's protocol with
//! which `rivero-bench` sets up its load, so that both are driven by the same program. It serves
//! one client and ends with its connection.

mod connection;
mod requests;

use std::{
    net::{TcpListener, TcpStream},
    process::ExitCode,
};

use tokio::runtime::Runtime;
use tungstenite::{Message, WebSocket};

use requests::Forwarder;

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("usage: rivero-forwarder ADDRESS")]
    Usage,
    #[error("the webrtc crate: {0}")]
    WebRtc(#[from] webrtc::error::Error),
    #[error("the connection: {0}")]
    Connection(#[from] std::io::Error),
    #[error("the WebSocket: {0}")]
    WebSocket(#[from] Box<tungstenite::Error>),
    #[error("no JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    Missing(&'static str),
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rivero-forwarder: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Failure> {
    let address = std::env::args().nth(1).ok_or(Failure::Usage)?;
    let runtime = Runtime::new()?;
    let listener = TcpListener::bind(address)?;
    loop {
        let (stream, _) = listener.accept()?;
        // Whoever only looks whether somebody listens says nothing.
        if let Ok(socket) = tungstenite::accept(stream) {
            return answer(&runtime, socket);
        }
    }
}

/// Answers requests in their order until the client leaves.
fn answer(runtime: &Runtime, mut socket: WebSocket<TcpStream>) -> Result<(), Failure> {
    let mut forwarder = Forwarder::default();
    loop {
        let request = match socket.read() {
            Ok(Message::Text(text)) => serde_json::from_str(&text)?,
            Ok(Message::Close(_)) | Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
            Ok(_) => continue,
            Err(error) => return Err(Box::new(error).into()),
        };
        let (reply, events) = runtime.block_on(forwarder.answer(&request))?;
        for message in std::iter::once(reply).chain(events) {
            let sent = socket.send(Message::text(message.to_string()));
            sent.map_err(Box::new)?;
        }
    }
}
