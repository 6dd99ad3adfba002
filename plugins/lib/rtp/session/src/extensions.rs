//! Header extensions that travel with the media: what one peer sends with a packet is sent on to the
//! others, under the ids that each of them has agreed on.

use rivero_plugin_api::{AudioLevel, Extension, ExtensionKind, Extensions};
use rivero_rtp::{
    ExtensionBlock, ExtensionMap, HeaderExtension, RtpHeader, dependency::DescriptorFront,
};

/// Those extensions, on both sides of the module boundary.
const FORWARDED: [(u8, HeaderExtension); 7] = [
    (ExtensionKind::AUDIO_LEVEL, HeaderExtension::AudioLevel),
    (
        ExtensionKind::VIDEO_ORIENTATION,
        HeaderExtension::VideoOrientation,
    ),
    (
        ExtensionKind::DEPENDENCY_DESCRIPTOR,
        HeaderExtension::DependencyDescriptor,
    ),
    (
        ExtensionKind::ABSOLUTE_CAPTURE_TIME,
        HeaderExtension::AbsCaptureTime,
    ),
    (ExtensionKind::PLAYOUT_DELAY, HeaderExtension::PlayoutDelay),
    (ExtensionKind::COLOR_SPACE, HeaderExtension::ColorSpace),
    (
        ExtensionKind::VIDEO_CONTENT_TYPE,
        HeaderExtension::VideoContentType,
    ),
];

#[inline]
fn extension_of(kind: u8) -> Option<HeaderExtension> {
    FORWARDED
        .iter()
        .find(|(known, _)| *known == kind)
        .map(|(_, extension)| *extension)
}

#[inline]
fn kind_of(extension: HeaderExtension) -> Option<u8> {
    FORWARDED
        .iter()
        .find(|(_, known)| *known == extension)
        .map(|(kind, _)| *kind)
}

/// The level that a sender gives with its sound (RFC 6464 §3); of several bytes the first counts.
#[inline]
pub(crate) fn audio_level(extensions: &Extensions, packet: &[u8]) -> AudioLevel {
    let mut levels = extensions
        .iter()
        .filter(|given| given.kind == ExtensionKind::AUDIO_LEVEL);
    let given = levels.find(|given| given.length > 0);
    let byte = given.and_then(|given| packet.get(usize::from(given.offset)));
    byte.map_or(AudioLevel::UNKNOWN, |byte| AudioLevel::from_byte(*byte))
}

/// Where in a received packet the extensions lie that are sent on.
#[inline]
pub(crate) fn forwarded(map: &ExtensionMap, header: &RtpHeader, packet: &[u8]) -> Extensions {
    let mut extensions = Extensions::default();
    let start = packet.as_ptr().addr();
    for (id, data) in header.extensions(packet) {
        if let Some(kind) = map.extension(id).and_then(kind_of) {
            extensions.push(Extension {
                kind,
                length: u8::try_from(data.len()).unwrap_or(0),
                // The elements borrow from the packet, so the difference of addresses is an offset.
                offset: u16::try_from(data.as_ptr().addr() - start).unwrap_or(0),
            });
        }
    }
    extensions
}

/// Bytes that the extensions of a packet take under the ids of `target`, about: each has a byte in
/// front, and all of them fill words of four bytes (RFC 8285 §4.2).
#[inline]
pub(crate) fn length(extensions: &Extensions, target: &ExtensionMap) -> usize {
    let passed = extensions.iter().filter(|extension| {
        extension_of(extension.kind).is_some_and(|extension| target.id(extension).is_some())
    });
    let length: usize = passed.map(|one| 1 + usize::from(one.length)).sum();
    length.next_multiple_of(4)
}

/// The value of an extension of a packet whose `bytes` are these.
#[inline]
fn value<'a>(extension: &Extension, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let start = usize::from(extension.offset);
    bytes.get(start..start + usize::from(extension.length))
}

/// The dependency descriptor of such a packet.
pub(crate) fn descriptor<'a>(extensions: &Extensions, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let mut extensions = extensions.iter();
    let descriptor = extensions.find(|one| one.kind == ExtensionKind::DEPENDENCY_DESCRIPTOR)?;
    value(descriptor, bytes)
}

/// Adds the extensions of a packet whose `bytes` are these, under the ids of `target`. A dependency
/// descriptor begins with `descriptor_front`, and is left out without one.
#[inline]
pub(crate) fn copy(
    extensions: &Extensions,
    bytes: &[u8],
    target: &ExtensionMap,
    descriptor_front: Option<&DescriptorFront>,
    block: &mut ExtensionBlock,
) {
    for extension in extensions.iter() {
        let id = extension_of(extension.kind).and_then(|extension| target.id(extension));
        let (Some(id), Some(data)) = (id, value(extension, bytes)) else {
            continue;
        };
        if extension.kind != ExtensionKind::DEPENDENCY_DESCRIPTOR {
            block.push(id, data);
        } else if let Some(front) = descriptor_front {
            let rest = data.get(front.len()..).unwrap_or_default();
            block.push_parts(id, front, rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_sound_is_what_its_sender_says() {
        let packet = [0x90, 96, 0, 1, 0x80 | 25, 60];
        let mut extensions = Extensions::default();
        assert_eq!(audio_level(&extensions, &packet), AudioLevel::UNKNOWN);
        let given = |kind, length, offset| Extension {
            kind,
            length,
            offset,
        };
        extensions.push(given(ExtensionKind::VIDEO_ORIENTATION, 1, 5));
        extensions.push(given(ExtensionKind::AUDIO_LEVEL, 0, 5));
        extensions.push(given(ExtensionKind::AUDIO_LEVEL, 2, 4));
        let level = audio_level(&extensions, &packet);
        assert_eq!(
            (level.decibels(), level.is_voice()),
            (Some(-25), Some(true))
        );
        assert_eq!(audio_level(&extensions, &packet[..4]), AudioLevel::UNKNOWN);
    }
}
