//! Reads QR and bar codes in pictures: a [`Reader`] looks at one picture, [`Sightings`] say which of its codes are news, and
//! [`crew`] are the threads on which filters have it look.

mod reader;
mod sightings;

use std::sync::{Arc, Mutex, Weak};

pub use reader::{Code, Reader};
use rivero_filter::Crew;
use rivero_plugin_api::Result;
pub use sightings::Sightings;

/// The threads on which codes are read, the same for all filters of a module.
///
/// # Errors
/// 40003 where there is no thread to be had
pub fn crew() -> Result<Arc<Crew<Reader>>> {
    static CREW: Mutex<Weak<Crew<Reader>>> = Mutex::new(Weak::new());
    Crew::join(&CREW, "codes", || Ok(Reader::default()))
}
