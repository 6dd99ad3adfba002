//! Finds faces in pictures with OpenCV: a [`Detector`] looks at one picture, [`Faces`] remembers what it just missed, and
//! [`crew`] are the threads on which filters have it look. Whoever uses it names `settings.json` in its `build.rs`.

mod detector;
mod faces;
mod settings;

use std::sync::{Arc, Mutex, Weak};

pub use detector::Detector;
pub use faces::{Face, Faces, Frame};
use rivero_filter::Crew;
use rivero_plugin_api::Result;
use settings::Settings;

/// The threads on which faces are looked for, the same for all filters of a module.
///
/// # Errors
/// 40003 saying what is wrong with the cascade and what to do
pub fn crew() -> Result<Arc<Crew<Detector>>> {
    static CREW: Mutex<Weak<Crew<Detector>>> = Mutex::new(Weak::new());
    let cascade = Settings::load()?.cascade;
    Crew::join(&CREW, "faces", || Detector::new(&cascade))
}
