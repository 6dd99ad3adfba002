//! The transports of a shard. Whatever they do, they do contained: one that panics is lost, and
//! nobody else.

use rivero_net::Token;
use rivero_plugin_api::supervise::{contain, contained, count};

use crate::link::Link;

/// Where the metrics count panics of transports.
const PLACE: &str = "a WebRTC transport";

/// Transports by place.
#[derive(Default)]
pub(super) struct Transports {
    places: Vec<Option<(Token, Box<Link>)>>,
    /// Those that panicked, until the worker has cleared up after them.
    lost: Vec<Lost>,
}

/// A transport that panicked, say: in whatever state it is, nothing is done with it any more.
pub(super) struct Lost {
    pub(super) token: Token,
    pub(super) transport: Box<Link>,
    /// Why.
    text: String,
}

impl Lost {
    /// Tells the endpoint.
    pub(super) fn end(self) {
        let Self {
            transport, text, ..
        } = self;
        let observer = transport.observer().clone();
        // What it holds goes first: its endpoint has no pads any more when the client hears of it.
        contained(PLACE, || drop(transport));
        contained(PLACE, || observer.failed(&text));
    }
}

impl Transports {
    /// Lets a transport do something; `None` if there is no such transport, or not any more.
    #[inline]
    pub(super) fn with<T>(&mut self, token: Token, act: impl FnOnce(&mut Link) -> T) -> Option<T> {
        let slot = self.places.get_mut(token.place as usize)?;
        match slot {
            Some((known, transport)) if *known == token => match contain(|| act(transport)) {
                Ok(done) => Some(done),
                Err(text) => {
                    count(PLACE);
                    self.lose(token, format!("a transport panicked: {text}"));
                    None
                }
            },
            _ => None,
        }
    }

    fn lose(&mut self, token: Token, text: String) {
        if let Some(transport) = self.remove(token) {
            self.lost.push(Lost {
                token,
                transport,
                text,
            });
        }
    }

    pub(super) fn next_lost(&mut self) -> Option<Lost> {
        self.lost.pop()
    }

    pub(super) fn insert(&mut self, token: Token, transport: Box<Link>) {
        let place = token.place as usize;
        if self.places.len() <= place {
            self.places.resize_with(place + 1, || None);
        }
        if let Some(slot) = self.places.get_mut(place) {
            *slot = Some((token, transport));
        }
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<Box<Link>> {
        let slot = self.places.get_mut(token.place as usize)?;
        slot.take_if(|(known, _)| *known == token)
            .map(|(_, transport)| transport)
    }

    /// All of them.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let taken = self.places.iter().flatten();
        taken.map(|(token, _)| *token).collect()
    }

    /// Loses a transport, whatever it did.
    pub(super) fn give_up(&mut self, token: Token, text: &str) {
        self.lose(token, text.to_owned());
    }
}
