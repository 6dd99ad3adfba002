//! Pictures one after the other: a viewer shows the first, a player all.

use std::io;

use rivero_codec::Track;

use super::{Container, Output};
use crate::sample::Sample;

/// JPEG pictures without anything around them.
pub(crate) struct JpegStream;

impl Container for JpegStream {
    fn set_tracks(&mut self, _: &[Track], _: &mut dyn Output) -> io::Result<bool> {
        Ok(true)
    }

    fn change_track(&mut self, _: &Track, _: &mut dyn Output) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()> {
        chunk
            .iter()
            .try_for_each(|sample| output.append(&sample.data))
    }

    fn finish(&mut self, _: i64, _: &mut dyn Output) -> io::Result<()> {
        Ok(())
    }
}
