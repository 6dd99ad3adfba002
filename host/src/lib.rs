//! Rivero, a plugin-host media server that speaks the Kurento protocol
