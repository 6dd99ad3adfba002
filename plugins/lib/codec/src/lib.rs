//! Bitstreams of encoded media: what a frame says of itself, and the forms that it travels in.
//!
//! Everything here is a pure function of bytes. There is no I/O, no clock and no dependency, and
//! nothing that reads bytes of a stranger can panic or make more than a few bytes that were not in
//! its input. Functions that read answer `None` for what does not follow its specification: a caller
//! can only wait for the next frame, whatever the mistake was.
//!
//! * [`Track`]: a stream as files and streaming protocols announce it, out of its first frame. The
//!   entry for whoever writes a container.
//! * [`h264`], [`h265`], [`av1`], [`vp8`], [`vp9`]: numbers of units, keyframes, sizes, and the
//!   records that decoders are set up with (`avcC`, `hvcC`, `av1C`, `vpcC`).
//! * [`aac`], [`opus`]: AudioSpecificConfig, `OpusHead`, and how long a frame lasts.
//! * [`annex_b`]: NAL units behind start codes and behind their length.
//! * [`DecoderRecord`]: what `avcC` and `hvcC` say, and frames with units behind their lengths as a byte stream.
//! * [`ParameterSets`]: those of a stream, for frames that come without them.
//! * [`Colour`]: what the numbers of a picture mean.
//! * [`bits`], [`leb128`], [`hex`]: numbers and bytes in the forms that headers have them in.

pub mod aac;
pub mod annex_b;
pub mod av1;
pub mod bits;
pub mod colour;
mod crop;
pub mod h264;
pub mod h265;
pub mod hex;
pub mod leb128;
pub mod opus;
mod parameter_sets;
mod record;
pub mod track;
pub mod vp8;
pub mod vp9;
mod vui;

pub use colour::Colour;
pub use parameter_sets::ParameterSets;
pub use record::DecoderRecord;
pub use track::{AudioParameters, Codec, ContainerForm, Shape, Track};
