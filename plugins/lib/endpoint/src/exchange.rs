//! Which offer or answer is allowed when, and what was said so far.

use rivero_plugin_api::{Error, Result};
use rivero_sdp::{IgnoredLine, SessionDescription};

use crate::error;

/// What either side has said. `C` is what local descriptions are made from, `N` what a negotiation
/// settles.
#[derive(Debug)]
pub struct Exchange<C, N> {
    /// What the last local description was made from.
    pub config: Option<C>,
    /// Our offer, while no answer has come.
    pub offer: Option<SessionDescription>,
    /// The present local description.
    pub local: Option<SessionDescription>,
    /// The peer's description, as the client gave it.
    pub remote: Option<String>,
    /// The peer's last offer.
    pub remote_offer: Option<SessionDescription>,
    /// What the last negotiation settled.
    pub negotiated: Option<N>,
    /// The endpoint is gone: nothing is allowed any more.
    pub released: bool,
}

impl<C, N> Default for Exchange<C, N> {
    fn default() -> Self {
        Self {
            config: None,
            offer: None,
            local: None,
            remote: None,
            remote_offer: None,
            negotiated: None,
            released: false,
        }
    }
}

impl<C, N> Exchange<C, N> {
    /// Whether an offer may be made: at first, and again once a negotiation is complete and
    /// `connected`.
    ///
    /// # Errors
    /// 40208.
    pub fn may_offer(&self, connected: bool) -> Result<()> {
        let again = self.negotiated.is_some() && connected;
        if self.released || self.offer.is_some() || (self.local.is_some() && !again) {
            return Err(error::already_negotiated());
        }
        Ok(())
    }

    /// Whether the peer's offer is one that says something new; `essence` leaves out of an offer what
    /// changes without its being another one. An offer of ours that waits for its answer is given up for
    /// it, except for the very first.
    ///
    /// # Errors
    /// 40208.
    pub fn may_take(
        &self,
        offer: &SessionDescription,
        essence: impl Fn(&SessionDescription) -> SessionDescription,
    ) -> Result<()> {
        let first_waits = self.offer.is_some() && self.negotiated.is_none();
        let known = self.remote_offer.as_ref();
        let repeated = known.is_some_and(|known| essence(known) == essence(offer));
        if self.released || first_waits || repeated {
            return Err(error::already_negotiated());
        }
        Ok(())
    }

    /// Why there is no offer that an answer could be for.
    #[must_use]
    pub fn no_offer(&self) -> Error {
        match self.negotiated {
            Some(_) => error::answer_already_processed(),
            None => error::offer_not_generated(),
        }
    }
}

/// Reads a description of the peer; `empty` is what an empty text is told.
///
/// # Errors
/// 40201 for a text that is none.
pub fn read(text: &str, empty: &str, of_answer: bool) -> Result<SessionDescription> {
    if text.is_empty() {
        return Err(Error::new(40201, "SDP_PARSE_ERROR", empty));
    }
    let ignored = |line: IgnoredLine| {
        tracing::debug!(
            line.number,
            line.reason,
            "a line of a description is ignored"
        );
    };
    rivero_sdp::parse_with(text, ignored).map_err(|error| error::of_description(&error, of_answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";

    #[test]
    fn an_offer_that_waits_is_not_followed_by_another() {
        let offer = read(OFFER, "", false).unwrap();
        let mut exchange = Exchange::<(), ()>::default();
        exchange.may_offer(false).unwrap();
        exchange.local = Some(offer.clone());
        exchange.offer = Some(offer.clone());
        assert_eq!(exchange.may_offer(true).unwrap_err().code, 40208);
        assert!(exchange.may_take(&offer, Clone::clone).is_err());
        assert_eq!(Exchange::<(), ()>::default().no_offer().code, 40209);
        exchange.offer = None;
        exchange.negotiated = Some(());
        assert!(exchange.may_offer(false).is_err());
        exchange.may_offer(true).unwrap();
        assert_eq!(exchange.no_offer().code, 40210);
    }

    #[test]
    fn the_same_offer_is_not_taken_twice() {
        let offer = read(OFFER, "", false).unwrap();
        let mut exchange = Exchange::<(), ()>::default();
        exchange.may_take(&offer, Clone::clone).unwrap();
        exchange.remote_offer = Some(offer.clone());
        assert_eq!(
            exchange.may_take(&offer, Clone::clone).unwrap_err().code,
            40208
        );
        let other = read(&OFFER.replace("1 1 IN", "1 2 IN"), "", false).unwrap();
        exchange.may_take(&other, Clone::clone).unwrap();
        exchange.released = true;
        assert!(exchange.may_take(&other, Clone::clone).is_err());
        assert_eq!(read("", "nothing", false).unwrap_err().code, 40201);
    }
}
