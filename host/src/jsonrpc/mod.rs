//! The JSON-RPC 2.0 dialect of Kurento's clients: text into values and typed requests, results and
//! errors into text. Pure, and without knowledge of what the methods do.

pub mod json;
pub mod request;
pub mod response;
