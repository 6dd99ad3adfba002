//! The sessions of a shard. Whatever they do, they do contained: one that panics is lost, and nobody else.

use std::time::Instant;

use rivero_plugin_api::supervise::{contain, contained, count};

use super::ShardSession;
use crate::Token;

/// Sessions by place.
pub struct Sessions<S> {
    places: Vec<Option<Place<S>>>,
    /// Those that panicked, until the worker has cleared up after them.
    lost: Vec<Lost<S>>,
}

struct Place<S> {
    token: Token,
    /// Boxed: places move when there are more of them, and sessions are large.
    session: Box<S>,
    /// The earliest time that the worker waits for on its behalf.
    timer: Option<Instant>,
}

/// A session that panicked, say: in whatever state it is, nothing is done with it any more.
pub(super) struct Lost<S> {
    pub(super) token: Token,
    pub(super) session: Box<S>,
    /// Why.
    text: String,
}

impl<S: ShardSession> Lost<S> {
    /// Tells its owner.
    pub(super) fn end(self) {
        let Self { session, text, .. } = self;
        let observer = contained(S::PLACE, || session.failure_observer());
        // What it holds goes first: its endpoint has no pads any more when the client learns of it.
        contained(S::PLACE, || drop(session));
        if let Some(observer) = observer {
            contained(S::PLACE, || observer(&text));
        }
    }
}

impl<S> Default for Sessions<S> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            lost: Vec::new(),
        }
    }
}

impl<S: ShardSession> Sessions<S> {
    /// Lets a session do something; `None` if there is no such session, or not any more.
    #[inline]
    pub fn with<T>(&mut self, token: Token, act: impl FnOnce(&mut S) -> T) -> Option<T> {
        let place = self.place(token)?;
        match contain(|| act(&mut place.session)) {
            Ok(done) => Some(done),
            Err(text) => {
                count(S::PLACE);
                self.lose(token, format!("a transport panicked: {text}"));
                None
            }
        }
    }

    #[inline]
    fn place(&mut self, token: Token) -> Option<&mut Place<S>> {
        let place = self.places.get_mut(token.place as usize)?.as_mut()?;
        (place.token == token).then_some(place)
    }

    /// Whether the worker has to wait for `due` on behalf of a session, since what it waits for is later.
    pub(super) fn needs_timer(&mut self, token: Token, due: Instant) -> bool {
        let Some(place) = self.place(token) else {
            return false;
        };
        if place.timer.is_some_and(|timer| timer <= due) {
            return false;
        }
        place.timer = Some(due);
        true
    }

    /// The timer for `due` fired; `false` when an earlier one has taken its place meanwhile.
    pub(super) fn timer_fired(&mut self, token: Token, due: Instant) -> bool {
        let place = self.place(token);
        place.is_some_and(|place| place.timer.take_if(|timer| *timer == due).is_some())
    }

    /// Loses a session, whatever it did.
    pub(super) fn lose(&mut self, token: Token, text: String) {
        if let Some(session) = self.remove(token) {
            self.lost.push(Lost {
                token,
                session,
                text,
            });
        }
    }

    pub(super) fn next_lost(&mut self) -> Option<Lost<S>> {
        self.lost.pop()
    }

    pub(super) fn insert(&mut self, token: Token, session: Box<S>) {
        let index = token.place as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || None);
        }
        if let Some(place) = self.places.get_mut(index) {
            *place = Some(Place {
                token,
                session,
                timer: None,
            });
        }
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<Box<S>> {
        let place = self.places.get_mut(token.place as usize)?;
        let place = place.take_if(|place| place.token == token)?;
        Some(place.session)
    }

    /// All of them.
    pub(super) fn tokens(&self) -> Vec<Token> {
        let taken = self.places.iter().flatten();
        taken.map(|place| place.token).collect()
    }
}
