//! Values of AMF 0, as servers put them into their commands.

use crate::rtmp_module::amf0;

pub(crate) fn run(input: &[u8]) {
    let values = amf0::read(input);
    assert!(values.len() <= input.len());
    let again = amf0::read(&amf0::write(&values));
    assert_eq!(again.len(), values.len(), "what was read can be written");
}
