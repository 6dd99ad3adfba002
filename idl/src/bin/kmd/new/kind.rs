//! The kinds of elements that a project can begin as.

/// What a class is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Changes pictures on their way.
    Filter,
    /// Changes sound on its way.
    SoundFilter,
    /// Takes pictures and gives out none.
    Sink,
    /// Makes pictures.
    Source,
    /// Decides whose media each of its ports gets.
    Hub,
    /// Turns media of one encoding into another one, wherever that is needed.
    Converter,
    /// Sends media out of the server and gets some from there.
    Endpoint,
}

impl Kind {
    /// The class that it extends.
    pub(super) fn extends(self) -> &'static str {
        match self {
            Self::Filter | Self::SoundFilter => "Filter",
            Self::Hub => "Hub",
            Self::Sink | Self::Source | Self::Converter | Self::Endpoint => "MediaElement",
        }
    }

    /// What it does to begin with, as the end of a sentence about the class.
    pub(super) fn purpose(self) -> &'static str {
        match self {
            Self::Filter => "turns pictures into their negatives",
            Self::SoundFilter => "makes sound half as loud",
            Self::Sink => "measures how bright pictures are",
            Self::Source => "makes pictures with a bar that wanders",
            Self::Hub => "shows the first port to all others",
            Self::Converter => "decodes pictures that come as they are, behind their size",
            Self::Endpoint => "sends media into a thread and gets it back",
        }
    }

    /// Its code, with places to be filled in.
    pub(super) fn template(self) -> &'static str {
        match self {
            Self::Filter => include_str!("templates/filter.rs"),
            Self::SoundFilter => include_str!("templates/sound_filter.rs"),
            Self::Sink => include_str!("templates/sink.rs"),
            Self::Source => include_str!("templates/source.rs"),
            Self::Hub => include_str!("templates/hub.rs"),
            Self::Converter => include_str!("templates/converter.rs"),
            Self::Endpoint => include_str!("templates/endpoint.rs"),
        }
    }
}
