//! Bytes of packets and buffers of GStreamer, without copying.

use gstreamer as gst;
use rivero_plugin_api::Bytes;

use crate::Error;

/// A buffer whose memory is that of `bytes`: read-only, and keeps them alive.
pub fn from_bytes(bytes: Bytes) -> gst::Buffer {
    gst::Buffer::from_slice(bytes)
}

/// The buffer's memory as bytes that keep it alive. A buffer of several memories is joined, which
/// copies.
///
/// # Errors
/// [`Error::Media`] if the memory cannot be read, as with that of some devices.
pub fn to_bytes(buffer: gst::Buffer) -> Result<Bytes, Error> {
    if buffer.size() == 0 {
        return Ok(Bytes::default());
    }
    buffer
        .into_mapped_buffer_readable()
        .map(Bytes::from_owner)
        .map_err(|_| Error::Media("a buffer of GStreamer cannot be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_the_same_both_ways() {
        crate::init().unwrap();
        let bytes = Bytes::copy_from(b"picture");
        let address = bytes.as_ptr();
        let buffer = from_bytes(bytes.clone());
        assert_eq!(buffer.map_readable().unwrap().as_ptr(), address);
        let back = to_bytes(buffer).unwrap();
        drop(bytes);
        assert_eq!((back.as_ptr(), &*back), (address, &b"picture"[..]));
    }

    #[test]
    fn several_memories_and_none() {
        crate::init().unwrap();
        let mut buffer = gst::Buffer::from_slice(b"ab");
        let reference = buffer.get_mut().unwrap();
        reference.append_memory(gst::Memory::from_slice(b"cd"));
        assert_eq!(&*to_bytes(buffer).unwrap(), b"abcd");
        assert!(to_bytes(gst::Buffer::new()).unwrap().is_empty());
    }
}
