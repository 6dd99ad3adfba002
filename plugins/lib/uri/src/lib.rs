//! URIs of endpoints: where they lead, and whether the server may go there.
//!
//! [`Location`] is what a URI means, [`Policy`] says whether it may be used,
//! [`Policy::create`] and [`Policy::open`] open files without a gap between the
//! check and the use, [`redact`] takes the secrets out of what is told about URIs,
//! [`UriEndpoint`] is what all endpoints with a URI have in common.

mod address;
mod endpoint;
mod error;
mod internal;
mod location;
mod places;
mod policy;
mod redact;
mod settings;
mod walk;

pub use endpoint::{UriEndpoint, UriState};
pub use error::{OpenError, Refusal};
pub use location::{Location, host};
pub use policy::{Access, Policy};
pub use redact::{redact, redact_properties, redact_uri};
pub use settings::UriSettings;
