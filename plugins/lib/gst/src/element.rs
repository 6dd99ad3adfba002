//! Elements by their factory name.

use std::borrow::Cow;

use gstreamer as gst;

use crate::Error;

/// The Debian packages of plugins, by the elements that Rivero uses of them.
const PACKAGES: [(&str, &[&str]); 6] = [
    (
        "gstreamer1.0-x",
        &["clockoverlay", "textoverlay", "timeoverlay"],
    ),
    (
        "gstreamer1.0-plugins-ugly",
        &["x264enc", "amrnbdec", "amrnbenc"],
    ),
    (
        "gstreamer1.0-plugins-bad",
        &[
            "av1enc",
            "av1dec",
            "openh264enc",
            "openh264dec",
            "x265enc",
            "libde265dec",
            "voaacenc",
            "h264parse",
            "h265parse",
            "av1parse",
            "vp9parse",
            "audiobuffersplit",
            "mpegtsmux",
            "rtmp2sink",
            "rtmp2src",
        ],
    ),
    (
        "gstreamer1.0-plugins-good",
        &[
            "vp8dec",
            "vp8enc",
            "vp9dec",
            "vp9enc",
            "mulawdec",
            "mulawenc",
            "alawdec",
            "alawenc",
            "mpg123audiodec",
            "lamemp3enc",
            "jpegenc",
            "jpegdec",
            "pngenc",
            "pngdec",
            "matroskamux",
            "webmmux",
            "mp4mux",
            "qtmux",
            "isofmp4mux",
            "flvmux",
            "aacparse",
            "mpegaudioparse",
            "rtspsrc",
            "souphttpsrc",
            "souphttpclientsink",
            "splitmuxsink",
            "level",
        ],
    ),
    ("gstreamer1.0-libav", &["avenc_aac"]),
    ("gstreamer1.0-nice", &["nicesrc", "nicesink"]),
];

/// A new element of this factory.
///
/// # Errors
/// [`Error::MissingElement`] with the package to install.
pub fn make(factory: &str) -> Result<gst::Element, Error> {
    crate::init()?;
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| missing(factory))
}

/// A new element of the first of these factories that is installed.
///
/// # Errors
/// [`Error::MissingElement`] for the first of them.
pub fn make_first(factories: &[&str]) -> Result<gst::Element, Error> {
    crate::init()?;
    let installed = factories.iter().copied().find(|name| is_installed(name));
    make(installed.or(factories.first().copied()).unwrap_or_default())
}

/// Whether the element's plugin is there. Nothing is loaded.
pub fn is_installed(factory: &str) -> bool {
    crate::init().is_ok() && gst::ElementFactory::find(factory).is_some()
}

/// Sets a property by the text that `gst-launch` would take, if the element has it: not all
/// versions of a plugin have the same ones. Numbers out of its range become the nearest in it.
pub fn set(element: &gst::Element, property: &str, value: &str) {
    use gst::prelude::*;
    let Some(known) = element.find_property(property) else {
        return;
    };
    let value = within_range(&known, value);
    match gst::glib::Value::deserialize_with_pspec(&value, &known) {
        Ok(value) if known.flags().contains(gst::glib::ParamFlags::WRITABLE) => {
            element.set_property_from_value(property, &value);
        }
        _ => tracing::warn!(
            element = %element.name(),
            property,
            %value,
            "this version of the element does not take the value"
        ),
    }
}

/// GObject panics at a number out of range.
fn within_range<'a>(property: &gst::glib::ParamSpec, value: &'a str) -> Cow<'a, str> {
    use gst::glib::{ParamSpecInt, ParamSpecInt64, ParamSpecUInt, ParamSpecUInt64};
    let bounds = None
        .or_else(|| bounds_of::<ParamSpecInt, _>(property, |p| (p.minimum(), p.maximum())))
        .or_else(|| bounds_of::<ParamSpecUInt, _>(property, |p| (p.minimum(), p.maximum())))
        .or_else(|| bounds_of::<ParamSpecInt64, _>(property, |p| (p.minimum(), p.maximum())))
        .or_else(|| bounds_of::<ParamSpecUInt64, _>(property, |p| (p.minimum(), p.maximum())));
    match (bounds, value.parse::<i128>()) {
        (Some((least, most)), Ok(number)) if number < least || number > most => {
            Cow::Owned(number.clamp(least, most).to_string())
        }
        _ => Cow::Borrowed(value),
    }
}

fn bounds_of<P: gst::glib::ParamSpecType, N: Into<i128>>(
    property: &gst::glib::ParamSpec,
    bounds: impl FnOnce(&P) -> (N, N),
) -> Option<(i128, i128)> {
    let (least, most) = bounds(property.downcast_ref::<P>()?);
    Some((least.into(), most.into()))
}

fn missing(factory: &str) -> Error {
    let listed = PACKAGES
        .iter()
        .find(|(_, elements)| elements.contains(&factory))
        .map(|(package, _)| *package);
    let package = match listed {
        Some(package) => package,
        None if factory.starts_with("av") => "gstreamer1.0-libav",
        None => "gstreamer1.0-plugins-base",
    };
    Error::MissingElement {
        element: factory.to_owned(),
        package,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_element_names_its_package() {
        let error = missing("x264enc");
        assert!(error.to_string().contains("gstreamer1.0-plugins-ugly"));
        let error = make("avdec_of_nothing").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the GStreamer element avdec_of_nothing is missing: install the package gstreamer1.0-libav"
        );
    }

    #[test]
    fn the_first_installed_one_is_taken() {
        use gst::prelude::*;
        let element = make_first(&["no_such_element", "identity"]).unwrap();
        assert_eq!(element.factory().unwrap().name(), "identity");
        assert!(matches!(
            make_first(&["no_such_element"]),
            Err(Error::MissingElement { .. })
        ));
    }

    #[test]
    fn properties_are_set_by_text_and_unknown_ones_left_alone() {
        use gst::prelude::*;
        let element = make("identity").unwrap();
        set(&element, "sleep-time", "25");
        set(&element, "no-such-property", "1");
        set(&element, "sleep-time", "not a number");
        assert_eq!(element.property::<u32>("sleep-time"), 25);
        set(&element, "sleep-time", "-7");
        assert_eq!(element.property::<u32>("sleep-time"), 0);
        set(&element, "error-after", "99999999999999");
        assert_eq!(element.property::<i32>("error-after"), i32::MAX);
    }
}
