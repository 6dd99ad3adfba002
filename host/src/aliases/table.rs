//! The names of generation 6 that generation 7 does not have, and what they mean today.
//!
//! Data only: what is done with it is in the parent module.

/// An event under its old name; its own properties are the same.
pub(super) struct EventAlias {
    /// The class that raises it.
    pub class: &'static str,
    /// What clients subscribe to.
    pub old: &'static str,
    /// What modules raise.
    pub new: &'static str,
}

const fn event(class: &'static str, old: &'static str, new: &'static str) -> EventAlias {
    EventAlias { class, old, new }
}

const ELEMENT: &str = "kurento.MediaElement";
const WEBRTC: &str = "kurento.WebRtcEndpoint";

/// All renamed events.
pub(super) const EVENTS: &[EventAlias] = &[
    event(ELEMENT, "MediaFlowInStateChange", "MediaFlowInStateChanged"),
    event(
        ELEMENT,
        "MediaFlowOutStateChange",
        "MediaFlowOutStateChanged",
    ),
    event(
        ELEMENT,
        "MediaTranscodingStateChange",
        "MediaTranscodingStateChanged",
    ),
    event(WEBRTC, "OnIceCandidate", "IceCandidateFound"),
    event(WEBRTC, "OnIceGatheringDone", "IceGatheringDone"),
    event(
        WEBRTC,
        "IceComponentStateChange",
        "IceComponentStateChanged",
    ),
    event(
        WEBRTC,
        "OnIceComponentStateChanged",
        "IceComponentStateChanged",
    ),
    event(WEBRTC, "DataChannelOpen", "DataChannelOpened"),
    event(WEBRTC, "OnDataChannelOpened", "DataChannelOpened"),
    event(WEBRTC, "DataChannelClose", "DataChannelClosed"),
    event(WEBRTC, "OnDataChannelClosed", "DataChannelClosed"),
];

/// An operation under its old name.
pub(super) struct OperationAlias {
    /// The class that has it.
    pub class: &'static str,
    /// What clients call.
    pub old: &'static str,
    /// What is done instead.
    pub meaning: Meaning,
}

/// What an old operation means.
pub(super) enum Meaning {
    /// The answer of the first of these getters that is no empty text.
    Read(&'static [&'static str]),
    /// Writes the parameter `given` to the targets that accept its value, or, so that its error
    /// is reported, to the first one.
    Write {
        /// Name of the old parameter.
        given: &'static str,
        /// Setters of today.
        targets: &'static [Target],
    },
}

/// A setter of today.
pub(super) struct Target {
    /// Its name.
    pub operation: &'static str,
    /// The name of its parameter.
    pub param: &'static str,
    /// Which values it is for.
    pub form: Form,
}

/// What a value looks like. No value, an empty text, has every form.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// Anything.
    Any,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
}

const fn read(
    class: &'static str,
    old: &'static str,
    getters: &'static [&'static str],
) -> OperationAlias {
    OperationAlias {
        class,
        old,
        meaning: Meaning::Read(getters),
    }
}

const fn write(
    class: &'static str,
    old: &'static str,
    given: &'static str,
    targets: &'static [Target],
) -> OperationAlias {
    OperationAlias {
        class,
        old,
        meaning: Meaning::Write { given, targets },
    }
}

const fn target(operation: &'static str, param: &'static str, form: Form) -> Target {
    Target {
        operation,
        param,
        form,
    }
}

const ENCODER_BITRATE: &[Target] = &[target("setEncoderBitrate", "encoderBitrate", Form::Any)];
const MIN_ENCODER_BITRATE: &[Target] = &[target(
    "setMinEncoderBitrate",
    "minEncoderBitrate",
    Form::Any,
)];
const MAX_ENCODER_BITRATE: &[Target] = &[target(
    "setMaxEncoderBitrate",
    "maxEncoderBitrate",
    Form::Any,
)];
const EXTERNAL_ADDRESS: &[Target] = &[
    target("setExternalIPv4", "externalIPv4", Form::Ipv4),
    target("setExternalIPv6", "externalIPv6", Form::Ipv6),
];

/// All renamed methods, getters and setters. Bitrates were bit/s and still are; `Ouput` is how
/// generation 6 spelt two of them.
pub(super) const OPERATIONS: &[OperationAlias] = &[
    read("kurento.MediaObject", "getChilds", &["getChildren"]),
    write(ELEMENT, "setOutputBitrate", "bitrate", ENCODER_BITRATE),
    read(ELEMENT, "getMinOutputBitrate", &["getMinEncoderBitrate"]),
    read(ELEMENT, "getMinOuputBitrate", &["getMinEncoderBitrate"]),
    read(ELEMENT, "getMaxOutputBitrate", &["getMaxEncoderBitrate"]),
    read(ELEMENT, "getMaxOuputBitrate", &["getMaxEncoderBitrate"]),
    write(
        ELEMENT,
        "setMinOutputBitrate",
        "minOutputBitrate",
        MIN_ENCODER_BITRATE,
    ),
    write(
        ELEMENT,
        "setMinOuputBitrate",
        "minOuputBitrate",
        MIN_ENCODER_BITRATE,
    ),
    write(
        ELEMENT,
        "setMaxOutputBitrate",
        "maxOutputBitrate",
        MAX_ENCODER_BITRATE,
    ),
    write(
        ELEMENT,
        "setMaxOuputBitrate",
        "maxOuputBitrate",
        MAX_ENCODER_BITRATE,
    ),
    read(
        WEBRTC,
        "getExternalAddress",
        &["getExternalIPv4", "getExternalIPv6"],
    ),
    write(
        WEBRTC,
        "setExternalAddress",
        "externalAddress",
        EXTERNAL_ADDRESS,
    ),
];

/// A field that complex values had besides those of today.
pub(super) struct FieldAlias {
    /// Its name.
    pub old: &'static str,
    /// The field of today that it follows from.
    pub new: &'static str,
    /// How.
    pub derivation: Derivation,
}

/// How an old field follows from a new one.
#[derive(Clone, Copy)]
pub(super) enum Derivation {
    /// It has the same value.
    Same,
    /// Whole seconds of milliseconds.
    Seconds,
    /// The mean of the latencies, in ns, of one type of media; 0 without any.
    Latency(&'static str),
}

const fn field(old: &'static str, new: &'static str, derivation: Derivation) -> FieldAlias {
    FieldAlias {
        old,
        new,
        derivation,
    }
}

/// The old fields by complex type; types derived from one have them as well.
pub(super) const FIELDS: &[(&str, &[FieldAlias])] = &[
    (
        "kurento.IceCandidatePair",
        &[
            field("streamID", "streamId", Derivation::Same),
            field("componentID", "componentId", Derivation::Same),
        ],
    ),
    (
        "kurento.Stats",
        &[field("timestamp", "timestampMillis", Derivation::Seconds)],
    ),
    (
        "kurento.ElementStats",
        &[
            field(
                "inputAudioLatency",
                "inputLatency",
                Derivation::Latency("AUDIO"),
            ),
            field(
                "inputVideoLatency",
                "inputLatency",
                Derivation::Latency("VIDEO"),
            ),
        ],
    ),
    (
        "kurento.EndpointStats",
        &[
            field(
                "audioE2ELatency",
                "E2ELatency",
                Derivation::Latency("AUDIO"),
            ),
            field(
                "videoE2ELatency",
                "E2ELatency",
                Derivation::Latency("VIDEO"),
            ),
        ],
    ),
];
