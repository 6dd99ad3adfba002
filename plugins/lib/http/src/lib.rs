//! HTTP/1.1 as a client: endpoints that fetch media or upload it; and the connections below it, for other protocols.
//! Also where elements that are servers [`listen`].
//!
//! The policy sees every address that is connected to: a name is resolved once,
//! all its addresses are checked, and the connection goes to one of those, so
//! there is no second resolution that could lead elsewhere. Redirections are
//! followed by [`get`] alone, and each is a new connection.

mod connect;
mod get;
mod head;
mod listen;
mod status_line;

pub use connect::{Connection, Dialer, Stream, connect};
pub use get::{Answer, Error, get, get_part};
pub use head::{authority, basic, target, user_agent};
pub use listen::{listen, public_host};
