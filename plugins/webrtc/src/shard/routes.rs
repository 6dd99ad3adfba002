//! Which transport a datagram belongs to: a STUN request names it, a STUN response
//! answers a request of it; everything else goes by address.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
};

use rivero_net::Token;

/// Addresses remembered per transport.
const ADDRESSES: usize = 64;
/// Requests whose answers are waited for. A shard with 2,000 transports makes about 400 a second.
const REQUESTS: usize = 16_384;

type TransactionId = [u8; 12];

/// The transports of a shard by user name and by remote address. A name is a local user fragment
/// or, where several transports have the same, the whole name with the remote fragment.
#[derive(Default)]
pub(crate) struct Routes {
    by_name: HashMap<String, Token>,
    by_address: HashMap<SocketAddr, Token>,
    addresses_of: HashMap<Token, Addresses>,
    by_request: HashMap<TransactionId, Token>,
    requests: VecDeque<TransactionId>,
}

/// Those that lead to one transport.
#[derive(Default)]
struct Addresses {
    /// The one that was proven last. It stays, however many repeat the peer's checks from elsewhere.
    in_use: Option<SocketAddr>,
    /// All of them, the oldest first.
    known: VecDeque<SocketAddr>,
}

impl Addresses {
    /// Adds one, and takes one out where they are too many.
    fn add(&mut self, remote: SocketAddr) -> Option<SocketAddr> {
        if !self.known.contains(&remote) {
            self.known.push_back(remote);
        }
        if self.known.len() <= ADDRESSES {
            return None;
        }
        let oldest = { self.known.iter() }.position(|known| Some(*known) != self.in_use)?;
        self.known.remove(oldest)
    }
}

impl Routes {
    pub(crate) fn add_name(&mut self, name: &str, token: Token) {
        self.by_name.insert(name.to_owned(), token);
    }

    /// Finds the transport that may want this datagram.
    pub(crate) fn find(&self, remote: SocketAddr, datagram: &[u8]) -> Option<Token> {
        if is_stun(datagram) {
            // A request names its transport, whatever address it came from before.
            if let Some(token) = self.named_by(datagram) {
                return Some(token);
            }
            let asker = transaction(datagram).and_then(|id| self.by_request.get(&id));
            if let Some(token) = asker {
                return Some(*token);
            }
        }
        self.by_address.get(&remote).copied()
    }

    /// The transport that a STUN request names.
    pub(crate) fn named_by(&self, datagram: &[u8]) -> Option<Token> {
        let name = user_name(datagram)?;
        let fragment = name.split(':').next()?;
        let whole = self.by_name.get(name);
        whole.or_else(|| self.by_name.get(fragment)).copied()
    }

    /// A transport sends this: if it is a STUN request, the answer will be for it.
    pub(crate) fn expect(&mut self, datagram: &[u8], token: Token) {
        let Some(id) = transaction(datagram).filter(|_| is_stun_request(datagram)) else {
            return;
        };
        if self.by_request.insert(id, token).is_none() {
            self.requests.push_back(id);
        }
        if self.requests.len() > REQUESTS
            && let Some(oldest) = self.requests.pop_front()
        {
            self.by_request.remove(&oldest);
        }
    }

    /// Remembers where a transport's datagrams come from. An address that belongs to another
    /// transport changes hands only when the new one has `proven` by a check of its own that its
    /// peer is there: a request can be repeated from anywhere by whoever saw it.
    pub(crate) fn learn(&mut self, remote: SocketAddr, token: Token, proven: bool) {
        if proven {
            self.addresses_of.entry(token).or_default().in_use = Some(remote);
        }
        if proven || !self.by_address.contains_key(&remote) {
            self.assign(remote, token);
        }
    }

    /// Whose datagrams from `remote` are.
    pub(crate) fn owner(&self, remote: SocketAddr) -> Option<Token> {
        self.by_address.get(&remote).copied()
    }

    /// From now on datagrams from `remote` are those of this transport.
    pub(crate) fn assign(&mut self, remote: SocketAddr, token: Token) {
        if self.by_address.insert(remote, token) == Some(token) {
            return;
        }
        let forgotten = self.addresses_of.entry(token).or_default().add(remote);
        if let Some(forgotten) = forgotten
            && self.by_address.get(&forgotten) == Some(&token)
        {
            self.by_address.remove(&forgotten);
        }
    }

    /// A name is not used any more.
    pub(crate) fn forget_name(&mut self, token: Token, name: &str) {
        if self.by_name.get(name) == Some(&token) {
            self.by_name.remove(name);
        }
    }

    pub(crate) fn forget(&mut self, token: Token, name: &str) {
        self.forget_name(token, name);
        let addresses = self.addresses_of.remove(&token).unwrap_or_default();
        for address in addresses.known {
            if self.by_address.get(&address) == Some(&token) {
                self.by_address.remove(&address);
            }
        }
    }
}

/// Whether this is a connectivity check: a request that names its transport.
pub(crate) fn is_check(datagram: &[u8]) -> bool {
    is_stun_request(datagram) && user_name(datagram).is_some()
}

/// RFC 7983 §7 and the magic cookie of RFC 8489 §5.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4)
        && datagram.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42])
}

/// A request of any method: the class bits are 0 (RFC 8489 §5).
fn is_stun_request(datagram: &[u8]) -> bool {
    let kind = datagram.first_chunk().map(|kind| u16::from_be_bytes(*kind));
    is_stun(datagram) && kind.is_some_and(|kind| kind & 0x0110 == 0)
}

fn transaction(datagram: &[u8]) -> Option<TransactionId> {
    datagram.get(8..20)?.first_chunk().copied()
}

/// The USERNAME attribute: our user fragment, a colon, the sender's (RFC 8445 §7.2.2).
fn user_name(datagram: &[u8]) -> Option<&str> {
    const USERNAME: u16 = 0x0006;
    let mut rest = datagram.get(20..)?;
    loop {
        let (kind, after) = rest.split_first_chunk::<2>()?;
        let (length, after) = after.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let value = after.get(..length)?;
        if u16::from_be_bytes(*kind) == USERNAME {
            return std::str::from_utf8(value).ok();
        }
        rest = after.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(username: &str) -> Vec<u8> {
        let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        message.extend_from_slice(&[7; 12]);
        message.extend_from_slice(&[0x80, 0x22, 0, 2, b'x', b'y', 0, 0]);
        message.extend_from_slice(&[0, 6, 0, username.len() as u8]);
        message.extend_from_slice(username.as_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message
    }

    #[test]
    fn a_request_is_found_by_its_user_name_and_what_follows_by_address() {
        let token = Token::new(1, 3);
        let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let mut routes = Routes::default();
        routes.add_name("ours", token);
        assert_eq!(routes.find(remote, &request("ours:theirs")), Some(token));
        assert_eq!(routes.find(remote, &request("other:theirs")), None);
        assert_eq!(routes.find(remote, &[0x80, 0, 0]), None);
        routes.learn(remote, token, false);
        assert_eq!(routes.find(remote, &[0x80, 0, 0]), Some(token));
        routes.forget(token, "ours");
        assert_eq!(routes.find(remote, &request("ours:theirs")), None);
        assert_eq!(routes.find(remote, &[0x80, 0, 0]), None);
    }

    #[test]
    fn transports_with_one_fragment_are_told_apart_by_the_other() {
        let (first, second) = (Token::new(1, 3), Token::new(1, 4));
        let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let mut routes = Routes::default();
        routes.add_name("ours", first);
        routes.add_name("ours:video", second);
        assert_eq!(routes.find(remote, &request("ours:audio")), Some(first));
        assert_eq!(routes.find(remote, &request("ours:video")), Some(second));
        routes.forget(second, "ours:video");
        assert_eq!(routes.find(remote, &request("ours:video")), Some(first));
    }

    #[test]
    fn an_address_changes_hands_only_when_the_new_owner_has_proven_it() {
        let (first, second) = (Token::new(1, 3), Token::new(1, 4));
        let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let media = [0x80, 0, 0];
        let mut routes = Routes::default();
        routes.learn(remote, first, false);
        routes.learn(remote, second, false);
        assert_eq!(routes.find(remote, &media), Some(first));
        routes.learn(remote, second, true);
        assert_eq!(routes.find(remote, &media), Some(second));
        routes.forget(first, "ours");
        assert_eq!(routes.find(remote, &media), Some(second));
    }

    #[test]
    fn the_latest_addresses_of_a_transport_are_remembered() {
        let token = Token::new(1, 3);
        let remote = |port: usize| ([192, 0, 2, 1], 1000 + port as u16).into();
        let mut routes = Routes::default();
        (0..=ADDRESSES).for_each(|port| routes.learn(remote(port), token, false));
        assert_eq!(routes.find(remote(0), &[0x80]), None);
        assert_eq!(routes.find(remote(ADDRESSES), &[0x80]), Some(token));
        assert_eq!(routes.by_address.len(), ADDRESSES);
    }

    #[test]
    fn checks_repeated_from_everywhere_do_not_displace_the_address_in_use() {
        let (token, stranger) = (Token::new(1, 3), Token::new(1, 4));
        let remote = |port: usize| ([192, 0, 2, 1], 1000 + port as u16).into();
        let mut routes = Routes::default();
        routes.learn(remote(0), token, true);
        routes.assign(remote(0), stranger);
        routes.assign(remote(0), token);
        (1..=2 * ADDRESSES).for_each(|port| routes.assign(remote(port), token));
        assert_eq!(routes.find(remote(0), &[0x80]), Some(token));
        assert_eq!(routes.by_address.len(), ADDRESSES);
    }

    #[test]
    fn an_answer_goes_to_the_transport_that_asked() {
        let (first, second) = (Token::new(1, 3), Token::new(1, 4));
        let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let mut routes = Routes::default();
        routes.learn(remote, first, true);
        routes.expect(&request("theirs:ours"), second);
        let mut answer = vec![1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        answer.extend_from_slice(&[7; 12]);
        assert_eq!(routes.find(remote, &answer), Some(second));
        routes.expect(&answer, first);
        assert_eq!(routes.find(remote, &answer), Some(second), "no request");
        for number in 0..=REQUESTS {
            answer[0] = 0;
            answer[8..16].copy_from_slice(&number.to_be_bytes());
            routes.expect(&answer, first);
        }
        assert_eq!(routes.by_request.len(), REQUESTS);
    }

    #[test]
    fn every_cut_of_a_request_is_survived() {
        let message = request("ours:theirs");
        let (token, remote) = (Token::new(1, 3), "192.0.2.1:1".parse().unwrap());
        let mut routes = Routes::default();
        routes.add_name("ours", token);
        assert_eq!(routes.find(remote, &message), Some(token));
        let padding = 1;
        for end in 0..message.len() - padding {
            assert_eq!(routes.find(remote, &message[..end]), None, "{end}");
        }
    }
}
