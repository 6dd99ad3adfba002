//! What filters of pictures have in common, the bodies of the class `Filter` and of overlays.
//!
//! [`Lanes`] are the pads: sound and data pass, pictures come raw. [`PictureFormat`] says how the
//! bytes of a picture lie. An [`Image`] comes from a [`Source`] by way of a [`Loader`]; a
//! [`Patch`] is what it looks like at one place of a picture. A [`Crew`] looks at pictures beside
//! their way, those of one filter by its [`Lookout`]. [`Region`]s are what clients name in pixels. The [`base`] is what
//! a class of one's own stands on.
//!
//! What reads and draws images (all but pads, raw pictures and looks) is the feature `images`, which is on by default.

pub mod base;
mod colour;
mod crew;
mod drawing;
#[cfg(feature = "images")]
mod image;
mod key;
mod lanes;
#[cfg(feature = "images")]
mod load;
mod lookout;
#[cfg(feature = "images")]
mod patch;
mod picture;
mod reduced;
#[cfg(feature = "images")]
mod region;
#[cfg(feature = "images")]
mod source;
mod stroke;
#[cfg(feature = "images")]
mod vector;

pub use colour::{Colours, Conversion};
pub use crew::Crew;
#[cfg(feature = "images")]
pub use drawing::draw;
pub use drawing::{Formats, drawn};
#[cfg(feature = "images")]
pub use image::{Image, Unreadable};
pub use key::{Key, Sample};
pub use lanes::{Lanes, Outlet, Treatment, push_single};
#[cfg(feature = "images")]
pub use load::Loader;
pub use lookout::Lookout;
#[cfg(feature = "images")]
pub use patch::{Patch, Place};
pub use picture::{PictureFormat, Plane, Planes};
pub use reduced::{Reduced, reduced};
#[cfg(feature = "images")]
pub use region::{Area, Region, edges};
#[cfg(feature = "images")]
pub use source::{LoadError, Source};
pub use stroke::Stroke;
#[cfg(feature = "images")]
pub use vector::NoPicture;
