//! `GStreamerFilter`: one element of GStreamer.

mod allowed;
mod command;
mod properties;

use std::{
    collections::BTreeMap,
    fs::File,
    sync::{Arc, Mutex},
};

use rivero_filter::{Lanes, Treatment};
use rivero_gst::gst::{self, prelude::*};
use rivero_gst_filter::Media;
use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, Result, supervise::lock};

use crate::api::{self, FilterType, GStreamerFilterParams};
use allowed::Ends;
use command::{Command, Malformed};
use properties::Refused;

/// A filter of the server.
pub(crate) struct GStreamer {
    command: String,
    element: gst::Element,
    /// What properties name, by the property: open as long as the element may read it.
    files: Mutex<BTreeMap<String, File>>,
    media: Arc<Media>,
    /// Open until the filter is released.
    lanes: Mutex<Option<Lanes>>,
}

impl Element for GStreamer {
    fn released(&self) {
        *lock(&self.lanes) = None;
        self.media.end();
    }
}

impl api::GStreamerFilter for GStreamer {
    fn create(context: ElementContext, params: GStreamerFilterParams) -> Result<Self> {
        let wanted = match params.filter_type {
            FilterType::Audio => Some(MediaKind::Audio),
            FilterType::Video => Some(MediaKind::Video),
            FilterType::Autodetect => None,
        };
        let (element, kind, files) = make(&params.command, wanted)?;
        let media = Arc::new(Media::new(
            context.clone(),
            std::slice::from_ref(&element),
            kind,
        )?);
        let treatment: Arc<dyn Treatment> = media.clone();
        let lanes = Lanes::open(&context, &treatment)?;
        Ok(Self {
            command: params.command,
            element,
            files: Mutex::new(files),
            media,
            lanes: Mutex::new(Some(lanes)),
        })
    }

    fn command(&self) -> Result<String> {
        Ok(self.command.clone())
    }

    fn set_element_property(&self, name: String, value: String) -> Result<()> {
        let mut files = lock(&self.files);
        let file =
            properties::set(&self.element, &name, &value).map_err(|refused| match refused {
                Refused::Unknown => Error::marshall(format!(
                    "No property named '{name}' in object '{}'",
                    self.element.name()
                )),
                Refused::Value(text) => Error::marshall(text),
                Refused::Other(error) => error,
            })?;
        // The one before may go: the element has opened the new one, or does so by its own name.
        match file {
            Some(file) => files.insert(name, file),
            None => files.remove(&name),
        };
        Ok(())
    }
}

/// An element of a command, the kind of media that it treats, and the files that its properties name.
type Made = (gst::Element, MediaKind, BTreeMap<String, File>);

fn make(line: &str, wanted: Option<MediaKind>) -> Result<Made> {
    let fails =
        |text: &str| Error::marshall(format!("GStreamer element cannot be created: {text}"));
    let invalid = |text: &str| Error::marshall(format!("Given command is not valid, {text}"));
    rivero_gst::init().map_err(|error| fails(&error.to_string()))?;
    let command = Command::parse(line).map_err(|malformed| match malformed {
        Malformed::Empty => fails("empty pipeline not allowed"),
        Malformed::Several => invalid("only one element can be created"),
        Malformed::Syntax(text) => fails(text),
    })?;
    let name = command.factory.as_str();
    let factory =
        gst::ElementFactory::find(name).ok_or_else(|| fails(&format!("no element \"{name}\"")))?;
    let no_match = || invalid("pad templates don't match");
    let ends = Ends::of(&factory).ok_or_else(no_match)?;
    if !allowed::is_allowed(name)? {
        return Err(fails(&format!(
            "element \"{name}\" is not among those that GStreamerFilter.allowedElements names"
        )));
    }
    // As in errors; each has a pipeline of its own.
    let element = factory
        .create()
        .name(format!("{name}0"))
        .build()
        .map_err(|error| fails(&error.to_string()))?;
    let mut files = BTreeMap::new();
    for (property, value) in &command.properties {
        let file = properties::set(&element, property, value).map_err(|refused| match refused {
            Refused::Unknown => fails(&format!("no property \"{property}\" in element \"{name}\"")),
            Refused::Value(text) => fails(&format!(
                "could not set property \"{property}\" in element \"{name}\" to \"{value}\": {text}"
            )),
            Refused::Other(error) => error,
        })?;
        files.extend(file.map(|file| (property.clone(), file)));
    }
    let caps = element
        .find_property("caps")
        .and_then(|_| element.property_value("caps").get::<gst::Caps>().ok());
    let kind = ends.kind(wanted, caps.as_deref()).ok_or_else(no_match)?;
    Ok((element, kind, files))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> (i32, String) {
        let error = make(line, None).map(|_| ()).expect_err(line);
        (error.code, error.message)
    }

    #[test]
    fn what_makes_no_element_is_refused_as_kurento_does() {
        for (line, text) in [
            (
                "",
                "GStreamer element cannot be created: empty pipeline not allowed",
            ),
            (
                "nosuchelement",
                "GStreamer element cannot be created: no element \"nosuchelement\"",
            ),
            (
                "videoflip nosuchprop=4",
                "GStreamer element cannot be created: no property \"nosuchprop\" in element \"videoflip\"",
            ),
            (
                "videoflip method=4 ! identity",
                "Given command is not valid, only one element can be created",
            ),
            (
                "fakesink",
                "Given command is not valid, pad templates don't match",
            ),
        ] {
            assert_eq!(refusal(line), (40001, text.to_owned()), "{line}");
        }
    }

    /// What would reach files, networks, devices or other elements, is no command, or has values that no property takes.
    const HOSTILE: [&str; 62] = [
        // Files.
        "filesrc location=/etc/passwd",
        "filesink location=/tmp/rivero-was-here",
        "splitfilesrc location=/etc/passwd",
        "multifilesrc location=/etc/passwd",
        "multifilesink location=/tmp/rivero-was-here",
        "splitmuxsink location=/tmp/rivero-was-here",
        "hlssink location=/tmp/rivero-was-here playlist-location=/tmp/rivero-was-here",
        "giosrc location=file:///etc/passwd",
        "rsvgoverlay location=/etc/passwd",
        "gdkpixbufoverlay location=/etc/passwd",
        "gdkpixbufoverlay location=file:///etc/shadow",
        "gdkpixbufoverlay location=../../../../etc/passwd",
        "gdkpixbufoverlay location=/proc/self/environ",
        // Networks.
        "gdkpixbufoverlay location=http://127.0.0.1/a.png",
        "souphttpsrc location=http://127.0.0.1/",
        "souphttpclientsink location=http://127.0.0.1/",
        "curlhttpsink location=http://127.0.0.1/",
        "rtspsrc location=rtsp://127.0.0.1/",
        "udpsrc port=9",
        "udpsink host=127.0.0.1 port=9",
        "tcpclientsrc host=127.0.0.1 port=22",
        "tcpserversink port=1",
        "shout2send ip=127.0.0.1",
        "webrtcbin stun-server=stun://127.0.0.1:3478",
        "uridecodebin uri=file:///etc/passwd",
        "playbin uri=file:///etc/passwd",
        // Devices.
        "v4l2src device=/dev/video0",
        "alsasrc device=hw:0",
        "ximagesrc",
        "fdsrc fd=0",
        "fdsink fd=1",
        // Elements that are none, several, or not one that is fed and feeds.
        "tee",
        "queue",
        "multiqueue",
        "decodebin",
        "subtitleoverlay",
        "appsrc",
        "audiowsincband ! filesink location=/tmp/rivero-was-here",
        "identity name=x silent=false ! x.",
        "videoflip ! videoflip",
        "videoflip videoflip",
        "( fakesrc )",
        "( videoflip )",
        "bin. ! fakesink",
        "videoflip; touch /tmp/rivero-was-here",
        "$(touch /tmp/rivero-was-here)",
        "`touch /tmp/rivero-was-here`",
        // Texts that are no command.
        "textoverlay text=\"open",
        "textoverlay text='open",
        "identity\0",
        "videoflip\u{202e}",
        "../videoflip",
        // Properties and values that there are none of.
        "videoflip method=99",
        "videoflip parent=x",
        "identity name=y",
        "identity sleep-time=4294967295",
        "identity dump=true",
        "capsfilter caps=video/x-raw,=",
        "capsfilter caps=\"\0\"",
        "videobox left=99999999999999999999",
        "videobox alpha=1e400",
        "volume volume=1e9",
    ];

    #[test]
    fn nothing_reaches_files_networks_or_other_elements() {
        let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        // What GStreamer opens for itself is open before.
        let _ = make("videoflip", None);
        let before = descriptors();
        for line in HOSTILE {
            let (code, text) = refusal(line);
            assert!(matches!(code, 40001 | 40107), "{line}: {code} {text}");
            // Nobody knows what to do about an error without words.
            assert!(text.len() > 20, "{line}: {text}");
        }
        assert!(!std::path::Path::new("/tmp/rivero-was-here").exists());
        // Tests beside this one open some, too.
        assert!(descriptors() < before + 16, "{before}, {}", descriptors());
    }

    #[test]
    fn long_and_repeated_commands_are_refused_or_made_at_once() {
        let long = "x".repeat(1 << 20);
        for line in [
            long.clone(),
            format!("{long}=1"),
            format!("videoflip {long}=1"),
            format!("videoflip method={long}"),
            "videoflip ".repeat(10_000),
            "! ".repeat(10_000),
            "\"".repeat(10_001),
            "(".repeat(10_000),
        ] {
            let (code, _) = refusal(&line);
            assert_eq!(code, 40001);
        }
    }

    #[test]
    fn what_is_wanted_most_is_made() {
        for (line, kind) in [
            (
                "textoverlay text=\"Hello, you\" valignment=top",
                MediaKind::Video,
            ),
            ("clockoverlay", MediaKind::Video),
            ("aspectratiocrop aspect-ratio=16/9", MediaKind::Video),
            ("videoflip method=horizontal-flip", MediaKind::Video),
            (
                "capsfilter caps=video/x-raw,framerate=2/1",
                MediaKind::Video,
            ),
            (
                "capsfilter caps=video/x-raw,width=160,height=120",
                MediaKind::Video,
            ),
            ("capsfilter caps=audio/x-raw,rate=8000", MediaKind::Audio),
            ("volume volume=0.5", MediaKind::Audio),
        ] {
            assert_eq!(make(line, None).unwrap().1, kind, "{line}");
        }
    }
}
