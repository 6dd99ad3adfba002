//! Stores that speak S3: what of their protocol brings a file there.
//!
//! `object` reads URIs, `store` knows where a store is and by which credentials, `sign` signs requests, `exchange` sends
//! them, `answer` reads what comes back; `multipart` is the calls that make an object of parts.

mod answer;
mod exchange;
mod multipart;
mod object;
mod sign;
mod store;

pub(crate) use answer::Failure;
pub(crate) use multipart::{Multipart, put_empty};
pub(crate) use object::Object;
pub(crate) use store::{Store, StoreSettings};
