//! Who calls, and what a credential permits.
//!
//! A request shows a [credential](Credential): one of the static [tokens](tokens), or a [JWT](jwt)
//! that somebody trusted has signed; or its connection has shown a [certificate](certificates). The [`Guard`] makes a [`Principal`] of it, or slows down who
//! guesses ([`throttle`]). From then on the connection acts for that principal: its
//! [`Caller`] says which objects the registry hands out and what may be done with them.
//!
//! Without the section `mediaServer.auth` every caller is [anybody](Principal::anyone), who may do everything.

mod certificates;
mod credential;
mod guard;
pub mod jwt;
mod principal;
mod ring_provider;
mod settings;
mod subject;
mod throttle;
mod tokens;

pub use credential::Credential;
pub use guard::{Guard, Refusal};
pub use principal::{Caller, Permissions, Principal, Scope};
pub use settings::{
    Algorithm, CertificateSettings, Grant, HolderSettings, JwtSettings, KeySettings, LoadError,
    Secret, Settings, TokenSettings,
};
pub use throttle::Delay;
