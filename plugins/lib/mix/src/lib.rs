//! What mixing hubs have in common: pictures laid over each other, sums of sound, and the beats at which
//! both are made.
//!
//! Nothing here has a clock, a thread or a pad. [`Beat`] says when something is due; a [`Painter`] draws pictures
//! where a layout ([`grid`], [`Tile`]) has them; a [`Voice`] makes frames of 10 ms of whatever sound comes in,
//! and a [`Limiter`] keeps sums of them within what samples can hold.

mod beat;
mod picture;
mod sound;

pub use beat::{Beat, Due};
pub use picture::{
    layout::{Fit, Rect, Tile, even, grid},
    paint::{BLACK, Canvas, Painter, Picture},
};
pub use sound::{
    FRAME, FRAME_NS, Frame, SAMPLE_RATE, add, limiter::Limiter, speaker::Speakers,
    speaker::loudness, subtract, voice::Voice,
};
