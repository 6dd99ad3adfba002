//! Two peers, or a peer and a hand-made counterpart, over a simulated network in virtual time.

mod acceptance;
mod dtls_flights;
mod dtls_link;
mod dtls_server;
mod gathering;
mod hostile;
mod lifetime;
mod media;
mod network;
mod nomination;
mod relay;
mod roles;
mod setup;
mod turn_server;
