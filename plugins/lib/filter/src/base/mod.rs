//! What an author's class stands on: properties that are kept and checked, pads that open and close with the
//! object, and pictures and sound to work on.
//!
//! An author says what the class does ([`Behaviour`], and [`PictureFilter`] or [`SoundFilter`]); [`picture_filter`] and
//! [`sound_filter`] make a class of it. Other kinds of elements are made of the same parts: [`Pads`] says what is
//! open while the object lives, and [`class`] joins the two.

mod object;
mod picture;
mod properties;
mod sound;

pub use object::{Behaviour, Instance, Pads, class};
pub use picture::{Picture, PictureFilter, PictureView, picture_filter};
pub use properties::{Properties, in_range};
pub use sound::{Sound, SoundFilter, sound_filter};
