//! Converters of the module under test.

use std::sync::{Arc, Mutex};

use rivero_plugin_api::{
    Error, Format, Module, Packet, Result,
    abi::{
        abi_stable::{
            sabi_trait::TD_Opaque,
            std_types::{RArc, RResult, RSlice},
        },
        module,
        traits::{self, AbiConverterOutput, AbiConverterOutput_TO},
        types::{AbiError, AbiUpstream},
    },
    supervise::lock,
};

use super::host::{self, TestHost};

/// What came out of a converter.
#[derive(Clone, Default)]
struct Results {
    packets: Arc<Mutex<Vec<Packet>>>,
    failure: Arc<Mutex<Option<Error>>>,
}

impl AbiConverterOutput for Results {
    fn push(&self, packets: RSlice<'_, Packet>) {
        lock(&self.packets).extend_from_slice(packets.as_slice());
    }

    fn upstream(&self, _: AbiUpstream) {}

    fn failed(&self, error: AbiError) {
        *lock(&self.failure) = Some(error.into());
    }
}

/// What converter number `index` of a module makes of these packets, from one format to another.
pub(super) fn convert(
    definition: fn() -> Module,
    index: u32,
    formats: (&Format, &Format),
    packets: &[Packet],
) -> Result<Vec<Packet>> {
    let host = host::installed();
    let module = own(module::start(host::services(&host), definition))?;
    convert_by(&host, &module, index, formats, packets)
}

pub(super) fn convert_by(
    host: &TestHost,
    module: &traits::Module,
    index: u32,
    (input, output): (&Format, &Format),
    packets: &[Packet],
) -> Result<Vec<Packet>> {
    let (input, output) = (host.number(input.clone()), host.number(output.clone()));
    let results = Results::default();
    let sink = AbiConverterOutput_TO::from_ptr(RArc::new(results.clone()), TD_Opaque);
    let converter = own(module.create_converter(index, input, output, "{}".into(), sink))?;
    let packet = |packet: &Packet| Packet {
        format: if packet.format == 0 {
            input
        } else {
            packet.format
        },
        ..packet.clone()
    };
    let packets: Vec<Packet> = packets.iter().map(packet).collect();
    converter.packets(packets.as_slice().into());
    converter.stop();
    match lock(&results.failure).take() {
        Some(error) => Err(error),
        None => Ok(std::mem::take(&mut lock(&results.packets))),
    }
}

fn own<T>(result: RResult<T, AbiError>) -> Result<T> {
    result.into_result().map_err(Error::from)
}
