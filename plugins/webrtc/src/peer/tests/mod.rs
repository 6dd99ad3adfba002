//! Two peers, or a peer and another implementation, over a simulated network in virtual time.

mod network;
mod setup;
