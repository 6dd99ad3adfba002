//! The functions that host and modules call on each other.
//!
//! Values with structure travel as JSON text (an invocation is no hot path),
//! media as [`Packet`]s by reference. New functions are only ever added at the
//! end of a trait, after the one marked as the last of the prefix and with a
//! default body, together with a step of the minor version.
// What the macros of abi_stable expand to is not ours to mend.
#![allow(non_local_definitions, clippy::all)]

use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::RootModule,
    package_version_strings, sabi_trait,
    sabi_types::VersionStrings,
    std_types::{RArc, RBox, ROption, RResult, RSlice, RStr, RString, RVec},
};

use super::{
    bytes::BytesMut,
    packet::Packet,
    types::{AbiEncoding, AbiError, AbiFormat, AbiUpstream, MediaKind, SinkSelection},
};

/// Among accepted formats: every format.
pub const ANY_FORMAT: u32 = u32::MAX;

pub type Host = AbiHost_TO<'static, RArc<()>>;
pub type ElementHost = AbiElementHost_TO<'static, RArc<()>>;
pub type SourcePad = AbiSourcePad_TO<'static, RArc<()>>;
pub type SinkPad = AbiSinkPad_TO<'static, RArc<()>>;
pub type SourceHandler = AbiSourceHandler_TO<'static, RArc<()>>;
pub type SinkHandler = AbiSinkHandler_TO<'static, RArc<()>>;
pub type SinkGroup = AbiSinkGroup_TO<'static, RArc<()>>;
pub type Module = AbiModule_TO<'static, RArc<()>>;
pub type Object = AbiObject_TO<'static, RArc<()>>;
pub type Converter = AbiConverter_TO<'static, RArc<()>>;
pub type ConverterOutput = AbiConverterOutput_TO<'static, RArc<()>>;
pub type Responder = AbiResponder_TO<'static, RBox<()>>;
pub type Timer = AbiTimer_TO<'static, RBox<()>>;

/// Services of the host for a whole module.
#[sabi_trait]
pub trait AbiHost: Send + Sync {
    /// `level`: 1 error … 5 trace; `fields`: JSON object.
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>, fields: RStr<'_>);
    fn log_level(&self) -> u8;
    /// JSON object of `modules.<namespace>.<class>`; `{}` when there is none.
    fn configuration(&self, class: RStr<'_>) -> RString;
    fn data_directory(&self) -> RString;
    /// The clock of all pipelines, ns, monotonic.
    fn now(&self) -> i64;
    fn format_id(&self, format: &AbiFormat) -> u32;
    fn format(&self, id: u32) -> ROption<AbiFormat>;
    /// Calls `timer` once after `delay` ns on a thread of the module.
    fn start_timer(&self, delay: u64, timer: Timer) -> u64;
    fn cancel_timer(&self, timer: u64);
    /// `kind`: 0 counter (adds), 1 gauge (sets); `labels`: JSON object of strings.
    fn metric(&self, kind: u8, name: RStr<'_>, labels: RStr<'_>, value: f64);
    /// Memory of any content, which may be shared with other processes.
    #[sabi(last_prefix_field)]
    fn allocate(&self, length: usize) -> BytesMut;
}

#[sabi_trait]
pub trait AbiTimer: Send {
    #[sabi(last_prefix_field)]
    fn fire(&self);
}

/// The host's side of one object of a module, or of one port of a hub.
#[sabi_trait]
pub trait AbiElementHost: Send + Sync {
    fn id(&self) -> RString;
    fn pipeline(&self) -> RString;
    /// `data`: JSON object with the event's own properties.
    fn emit(&self, event: RStr<'_>, data: RStr<'_>);
    fn error(&self, kind: RStr<'_>, code: i32, description: RStr<'_>);
    fn panicked(&self, place: RStr<'_>, message: RStr<'_>);
    fn add_source_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SourceHandler,
    ) -> RResult<SourcePad, AbiError>;
    /// With a group the host calls the group with `token`, never `handler.packets`.
    fn add_sink_pad(
        &self,
        kind: MediaKind,
        description: RStr<'_>,
        handler: SinkHandler,
        group: ROption<SinkGroup>,
        token: u64,
    ) -> RResult<SinkPad, AbiError>;
    /// Class name of a living object of the same pipeline.
    #[sabi(last_prefix_field)]
    fn class_of(&self, id: RStr<'_>) -> ROption<RString>;
}

#[sabi_trait]
pub trait AbiSourcePad: Send + Sync {
    fn id(&self) -> u32;
    /// At most 64 packets a call. Never blocks.
    fn push(&self, packets: RSlice<'_, Packet>);
    /// 0 = none (nothing flows).
    fn set_format(&self, format: u32);
    fn set_encodings(&self, encodings: RSlice<'_, AbiEncoding>);
    /// Whoever consumes this pad consumes the source pad with this id from now on; 0 = this one again.
    fn show(&self, pad: u32) -> RResult<(), AbiError>;
    #[sabi(last_prefix_field)]
    fn close(&self);
}

#[sabi_trait]
pub trait AbiSinkPad: Send + Sync {
    /// In order of preference; empty = nothing yet, links wait; `ANY_FORMAT` = whatever comes.
    fn set_accepted(&self, formats: RSlice<'_, u32>);
    fn upstream(&self, message: AbiUpstream);
    /// A packet that was pushed to this sink a moment ago.
    fn history(&self, ssrc: u32, sequence: u16) -> ROption<Packet>;
    fn close(&self);
    /// Bit/s of the next better encoding or layer that the source has for this sink, 0 = none.
    #[sabi(last_prefix_field)]
    fn next_bitrate(&self) -> u64;
}

#[sabi_trait]
pub trait AbiSourceHandler: Send + Sync {
    fn upstream(&self, message: AbiUpstream);
    /// The number of consumers changed.
    #[sabi(last_prefix_field)]
    fn consumers(&self, count: u32);
}

#[sabi_trait]
pub trait AbiSinkHandler: Send + Sync {
    fn packets(&self, packets: RSlice<'_, Packet>);
    /// What will arrive from now on; 0 = nothing is connected.
    #[sabi(last_prefix_field)]
    fn format(&self, format: u32);
}

#[sabi_trait]
pub trait AbiSinkGroup: Send + Sync {
    /// The same for every handle to one group, unique while it lives.
    fn id(&self) -> u64;
    #[sabi(last_prefix_field)]
    fn push_batch(&self, packets: RSlice<'_, Packet>, sinks: RSlice<'_, SinkSelection>);
}

#[sabi_trait]
pub trait AbiResponder: Send {
    /// JSON text of the value. Only the first answer counts.
    #[sabi(last_prefix_field)]
    fn reply(&self, result: RResult<RString, AbiError>);
}

/// One object that lives in a module.
#[sabi_trait]
pub trait AbiObject: Send + Sync {
    fn invoke(&self, operation: RStr<'_>, parameters: RStr<'_>, responder: Responder);
    /// JSON object id → statistics; `kind`: 0 audio, 1 video, 2 data, 255 all.
    fn stats(&self, kind: u8) -> RResult<RString, AbiError>;
    /// An error refuses the port, which is not removed then.
    fn port_added(&self, port: RStr<'_>, host: ElementHost) -> RResult<(), AbiError>;
    fn port_removed(&self, port: RStr<'_>);
    /// The answer says that the object has come to its end.
    #[sabi(last_prefix_field)]
    fn release(&self, released: Responder);
}

#[sabi_trait]
pub trait AbiModule: Send + Sync {
    fn create(
        &self,
        class: RStr<'_>,
        host: ElementHost,
        parameters: RStr<'_>,
    ) -> RResult<Object, AbiError>;
    /// JSON list of what the module converts; see `media::Conversion`.
    fn conversions(&self) -> RString;
    /// `conversion`: index into that list; `settings`: JSON object.
    #[sabi(last_prefix_field)]
    fn create_converter(
        &self,
        conversion: u32,
        input: u32,
        output: u32,
        settings: RStr<'_>,
        sink: ConverterOutput,
    ) -> RResult<Converter, AbiError>;
}

#[sabi_trait]
pub trait AbiConverter: Send + Sync {
    /// Called on a worker of the host, never on the producer's thread.
    fn packets(&self, packets: RSlice<'_, Packet>);
    fn upstream(&self, message: AbiUpstream);
    #[sabi(last_prefix_field)]
    fn stop(&self);
}

#[sabi_trait]
pub trait AbiConverterOutput: Send + Sync {
    fn push(&self, packets: RSlice<'_, Packet>);
    fn upstream(&self, message: AbiUpstream);
    #[sabi(last_prefix_field)]
    fn failed(&self, error: AbiError);
}

/// What a module exports.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = RootRef)))]
#[sabi(missing_field(panic))]
pub struct Root {
    pub major: u16,
    pub minor: u16,
    /// Names of the classes that the library makes, without starting it.
    pub classes: extern "C" fn() -> RVec<RString>,
    #[sabi(last_prefix_field)]
    pub start: extern "C" fn(Host) -> RResult<Module, AbiError>,
}

impl RootModule for RootRef {
    declare_root_module_statics! {RootRef}
    const BASE_NAME: &'static str = "rivero_module";
    const NAME: &'static str = "rivero_module";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
