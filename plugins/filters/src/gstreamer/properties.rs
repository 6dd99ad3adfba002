//! Properties of an element by text.

use std::{borrow::Cow, fs::File, os::fd::AsRawFd};

use rivero_gst::gst::{self, glib, prelude::*};
use rivero_plugin_api::{Error, Result, host, supervise::contain};
use rivero_uri::{Access, Location, Policy, UriSettings};

/// Words in the names of properties that name a file or a host.
const PLACES: [&str; 12] = [
    "address",
    "device",
    "dir",
    "directory",
    "file",
    "filename",
    "host",
    "location",
    "path",
    "uri",
    "url",
    "socket",
];

/// Properties that hold up the media for as long as they say, or write to the server's output.
const HARMFUL: [(&str, &str); 4] = [
    ("identity", "datarate"),
    ("identity", "dump"),
    ("identity", "sleep-time"),
    ("identity", "sync"),
];

/// What is wrong with a property.
#[derive(Debug)]
pub(super) enum Refused {
    /// The element has none of this name, or none that can be set.
    Unknown,
    /// The text is none of its values.
    Value(String),
    /// Another error, of the URI policy say.
    Other(Error),
}

/// Sets a property. A file that it names is opened here, and the element opens what is open: it is to be
/// kept as long as the element may read it.
pub(super) fn set(
    element: &gst::Element,
    name: &str,
    text: &str,
) -> std::result::Result<Option<File>, Refused> {
    if name.contains('\0') {
        return Err(Refused::Unknown);
    }
    let property = writable(element, name)?;
    if text.contains('\0') {
        return Err(no_value(&property, &text.replace('\0', "\\0")));
    }
    let (property, text) = modern(element, property, text)?;
    let (name, text) = (property.name(), text.as_ref());
    let kind = property.value_type();
    if kind.is_a(glib::Type::OBJECT) || kind == glib::Type::POINTER {
        let what = format!("properties of type {} are not set by a text", kind.name());
        return Err(Refused::Other(Error::new(40006, "NOT_IMPLEMENTED", what)));
    }
    let mut file = None;
    let mut place = String::new();
    if names_a_place(name) && kind == glib::Type::STRING && !text.is_empty() {
        let open = file.insert(open(text).map_err(Refused::Other)?);
        place = format!("/proc/self/fd/{}", open.as_raw_fd());
    }
    let text = match file {
        Some(_) => place.as_str(),
        None => text,
    };
    let value = convert(&property, text)?;
    // GObject panics at what is out of range.
    let number = value
        .transform::<f64>()
        .ok()
        .and_then(|value| value.get().ok());
    if let (Some(number), Some((least, most))) = (number, range(&property))
        && !(least..=most).contains(&number)
    {
        let text = format!("'{text}' is not within {least} and {most}");
        return Err(Refused::Value(text));
    }
    contain(|| element.set_property_from_value(name, &value)).map_err(Refused::Value)?;
    Ok(file)
}

/// The least and the greatest number of a property, where it is one.
fn range(property: &glib::ParamSpec) -> Option<(f64, f64)> {
    macro_rules! ranges {
        ($($spec:ident),*) => {
            None$(.or_else(|| {
                let spec = property.downcast_ref::<glib::$spec>()?;
                Some((spec.minimum() as f64, spec.maximum() as f64))
            }))*
        };
    }
    ranges!(
        ParamSpecInt,
        ParamSpecUInt,
        ParamSpecInt64,
        ParamSpecUInt64,
        ParamSpecLong,
        ParamSpecULong,
        ParamSpecChar,
        ParamSpecUChar,
        ParamSpecFloat,
        ParamSpecDouble
    )
}

/// A property that a client may set.
fn writable(element: &gst::Element, name: &str) -> std::result::Result<glib::ParamSpec, Refused> {
    let property = element.find_property(name).ok_or(Refused::Unknown)?;
    let flags = property.flags();
    let is_ours = !flags.contains(glib::ParamFlags::WRITABLE)
        || flags.contains(glib::ParamFlags::CONSTRUCT_ONLY)
        || matches!(name, "name" | "parent")
        || is_harmful(element, name);
    match is_ours {
        true => Err(Refused::Unknown),
        false => Ok(property),
    }
}

fn is_harmful(element: &gst::Element, name: &str) -> bool {
    let factory = element.factory().map(|factory| factory.name());
    let mut harmful = HARMFUL.iter();
    harmful.any(|(element, property)| factory.as_deref() == Some(*element) && name == *property)
}

/// `videoflip` 1.22 takes `method` and does nothing about it; what took its place has the same numbers.
fn modern<'a>(
    element: &gst::Element,
    property: glib::ParamSpec,
    text: &'a str,
) -> std::result::Result<(glib::ParamSpec, Cow<'a, str>), Refused> {
    let factory = element.factory().map(|factory| factory.name());
    if factory.as_deref() != Some("videoflip") || property.name() != "method" {
        return Ok((property, text.into()));
    }
    let value = convert(&property, text)?;
    let number = glib::EnumValue::from_value(&value).map(|(_, value)| value.value());
    let number = number.ok_or_else(|| no_value(&property, text))?;
    let property = writable(element, "video-direction")?;
    Ok((property, number.to_string().into()))
}

fn names_a_place(name: &str) -> bool {
    name.split(['-', '_']).any(|word| PLACES.contains(&word))
}

/// Opens a file that clients may read.
fn open(place: &str) -> Result<File> {
    let settings: UriSettings = match host() {
        Some(host) => host.configuration("UriEndpoint")?,
        None => UriSettings::default(),
    };
    let location = match place.starts_with('/') && !place.contains('\0') {
        true => Location::File(place.into()),
        false => Location::parse(place, &settings.default_path)?,
    };
    let policy = Policy::new(&settings);
    policy.check(&location, Access::Read).map_err(Error::from)?;
    match &location {
        Location::File(path) => policy
            .open(path)
            .map_err(|error| Error::illegal_parameter(error.to_string())),
        Location::Remote(_) => Err(Error::illegal_parameter(
            "elements of a GStreamerFilter open files only, nothing of the network",
        )),
    }
}

fn convert(property: &glib::ParamSpec, text: &str) -> std::result::Result<glib::Value, Refused> {
    let value = glib::Value::deserialize_with_pspec(text, property);
    let value = value.map_err(|_| no_value(property, text))?;
    let is_enum = property.value_type().is_a(glib::Type::ENUM);
    // Any number is read as one.
    match is_enum && glib::EnumValue::from_value(&value).is_none() {
        true => Err(no_value(property, text)),
        false => Ok(value),
    }
}

fn no_value(property: &glib::ParamSpec, text: &str) -> Refused {
    let kind = property.value_type();
    let (what, why) = match kind.is_a(glib::Type::ENUM) {
        true => ("enum", format!("Invalid value for enum {}", kind.name())),
        false => (
            kind.name(),
            format!("Invalid value for {}", property.name()),
        ),
    };
    Refused::Value(format!("Cannot convert '{text}' to {what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(factory: &str) -> gst::Element {
        rivero_gst::element::make(factory).unwrap()
    }

    #[test]
    fn values_are_converted_to_what_the_property_is() {
        let overlay = element("textoverlay");
        for (name, text) in [
            ("text", "Hello, you"),
            ("valignment", "top"),
            ("halignment", "2"),
            ("xpos", "0.25"),
            ("shaded-background", "true"),
            ("deltax", "-7"),
            ("color", "4294967295"),
        ] {
            set(&overlay, name, text).unwrap_or_else(|why| panic!("{name}: {why:?}"));
        }
        assert_eq!(overlay.property::<String>("text"), "Hello, you");
        assert_eq!(overlay.property::<f64>("xpos"), 0.25);
        assert_eq!(overlay.property::<i32>("deltax"), -7);
        assert_eq!(overlay.property::<u32>("color"), u32::MAX);
        let caps = element("capsfilter");
        set(&caps, "caps", "video/x-raw,framerate=2/1").unwrap();
        assert!(
            caps.property::<gst::Caps>("caps")
                .to_string()
                .contains("2/1")
        );
    }

    #[test]
    fn what_a_property_does_not_take_is_refused() {
        let flip = element("videoflip");
        let refused =
            |element: &gst::Element, name: &str, text: &str| set(element, name, text).unwrap_err();
        assert!(matches!(refused(&flip, "nope", "5"), Refused::Unknown));
        assert!(matches!(refused(&flip, "name", "x"), Refused::Unknown));
        assert!(matches!(
            refused(&flip, "video-direction", "77"),
            Refused::Value(_)
        ));
        let Refused::Value(text) = refused(&flip, "method", "zz") else {
            panic!()
        };
        assert!(
            text == "Cannot convert 'zz' to enum: Invalid value for enum GstVideoFlipMethod",
            "{text}"
        );
        assert!(matches!(
            refused(&element("textoverlay"), "deltax", "many"),
            Refused::Value(_)
        ));
        assert!(matches!(
            refused(&element("volume"), "volume", "1e9"),
            Refused::Value(_)
        ));
        assert!(matches!(
            refused(&element("capsfilter"), "caps", "video/x-raw,="),
            Refused::Value(_)
        ));
    }

    #[test]
    fn places_are_under_the_policy_of_uris() {
        assert!(names_a_place("location") && names_a_place("file-path") && !names_a_place("text"));
        for place in [
            "/etc/passwd",
            "file:///etc/shadow",
            "/proc/self/environ",
            "http://localhost/a.png",
        ] {
            assert!(open(place).is_err(), "{place}");
        }
        if rivero_gst::element::is_installed("gdkpixbufoverlay") {
            let overlay = element("gdkpixbufoverlay");
            assert!(matches!(
                set(&overlay, "location", "/etc/passwd"),
                Err(Refused::Other(_))
            ));
        }
    }

    #[test]
    fn videoflip_turns_by_its_old_property_too() {
        let flip = element("videoflip");
        for (text, direction) in [("4", 4), ("clockwise", 1), ("vertical-flip", 5)] {
            set(&flip, "method", text).unwrap();
            let value = flip.property_value("video-direction");
            let (_, value) = glib::EnumValue::from_value(&value).unwrap();
            assert_eq!(value.value(), direction);
        }
    }
}
