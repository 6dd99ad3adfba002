//! Configuration files in all formats; the first byte chooses which.

use std::{path::Path, sync::OnceLock};

use rivero::config::{Document, Readers, Settings};
use rivero_idl::Model;

const NAMES: [&str; 4] = [
    "kurento.conf.json",
    "WebRtcEndpoint.conf.ini",
    "kurento.conf.info",
    "kurento.conf.xml",
];

pub(crate) fn run(input: &[u8]) {
    let Some((&kind, text)) = input.split_first() else {
        return;
    };
    let name = NAMES.get(usize::from(kind) % NAMES.len());
    let (Some(name), Ok(text)) = (name, std::str::from_utf8(text)) else {
        return;
    };
    let Ok(document) = Document::parse(name, text) else {
        return;
    };
    std::hint::black_box(Settings::read(&document.tree));
    static MODEL: OnceLock<Model> = OnceLock::new();
    let model = MODEL.get_or_init(|| Model::standard().expect("the standard descriptors"));
    std::hint::black_box(Readers::new(model, &[]).problems(Path::new(name), &document.tree));
}
