//! A session description as types.
//!
//! Session-level attributes that are defaults for the sections (direction, setup, fingerprint, ICE
//! credentials and options, header extensions) are moved into every section while parsing; in
//! these types a section stands on its own. Attributes without a type of their own are kept as
//! [`Attribute`] in their order.

mod attribute;
mod codec;
mod crypto;
mod display;
mod feedback;
mod match_parameters;
mod media;
mod protocol;
mod session;
mod simulcast;
mod source;
mod transport;
mod transport_offer;

pub use attribute::{Attribute, Direction, ExtMap, HeaderExtensionUri, extension_uri};
pub(crate) use codec::parameter_sets;
pub use codec::{Codec, FormatParameters};
pub use crypto::{Crypto, CryptoError, CryptoSuite, InlineKey, MasterKeyIdentifier};
pub use feedback::RtcpFeedback;
pub use match_parameters::{H264Profile, MatchParameters};
pub use media::{MediaKind, MediaSection};
pub use protocol::Protocol;
pub use session::{
    AddressFamily, Bandwidth, BandwidthKind, Connection, Group, Origin, RtcpAddress,
    SessionDescription, Timing,
};
pub use simulcast::{Rid, RidDirection, Simulcast, SimulcastStream};
pub use source::{Source, SourceGroup};
pub use transport::{Fingerprint, IceCredentials, Setup};
pub use transport_offer::{DtlsIceOffer, Initiator, MediaTarget, SdesOffer, TransportOffer};
