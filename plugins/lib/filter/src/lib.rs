//! What filters of pictures have in common, the bodies of the class `Filter` and of overlays.
//!
//! [`Lanes`] are the pads: sound and data pass, pictures come raw. [`PictureFormat`] says how the
//! bytes of a picture lie. An [`Image`] comes from a [`Source`] by way of a [`Loader`]; a
//! [`Patch`] is what it looks like at one place of a picture. A [`Crew`] looks at pictures beside
//! their way, those of one filter by its [`Lookout`]. [`Region`]s are what clients name in pixels.

mod colour;
mod crew;
mod drawing;
mod image;
mod key;
mod lanes;
mod load;
mod lookout;
mod patch;
mod picture;
mod reduced;
mod region;
mod source;
mod stroke;
mod vector;

pub use colour::{Colours, Conversion};
pub use crew::Crew;
pub use drawing::{Formats, draw, drawn};
pub use image::{Image, Unreadable};
pub use key::{Key, Sample};
pub use lanes::{Lanes, Outlet, Treatment};
pub use load::Loader;
pub use lookout::Lookout;
pub use patch::{Patch, Place};
pub use picture::{PictureFormat, Plane, Planes};
pub use reduced::{Reduced, reduced};
pub use region::{Area, Region, edges};
pub use source::{LoadError, Source};
pub use stroke::Stroke;
pub use vector::NoPicture;
