//! Master playlists (RFC 8216 §4.3.4).

use url::Url;

use super::{Line, MOST_VARIANTS, Master, Rendition, Variant, attributes::Attributes, resolve};
use crate::Error;

pub(super) fn parse<'a>(
    lines: impl Iterator<Item = (usize, Line<'a>)>,
    base: &Url,
) -> Result<Master, Error> {
    let mut master = Master::default();
    let mut announced = None;
    for (number, line) in lines {
        match line {
            Line::Tag("EXT-X-STREAM-INF", value) => announced = Some(Attributes::parse(value)),
            Line::Tag("EXT-X-MEDIA", value) => {
                let attributes = Attributes::parse(value);
                // Subtitles and other views are not played.
                if attributes.get("TYPE") == Some("AUDIO") {
                    master
                        .renditions
                        .push(rendition(&attributes, base, number)?);
                }
            }
            Line::Tag(..) => {}
            Line::Url(text) => {
                if let Some(attributes) = announced.take() {
                    let url = resolve(base, text, number)?;
                    master.variants.push(variant(&attributes, url));
                }
            }
        }
        if master.variants.len() + master.renditions.len() > MOST_VARIANTS {
            return Err(Error::TooMuch("1000 variants"));
        }
    }
    if master.variants.is_empty() {
        return Err(Error::Empty);
    }
    Ok(master)
}

fn variant(attributes: &Attributes<'_>, url: Url) -> Variant {
    let codecs = attributes.get("CODECS").unwrap_or_default();
    Variant {
        url,
        bandwidth: attributes.number("BANDWIDTH").unwrap_or(0),
        resolution: attributes.resolution("RESOLUTION"),
        codecs: codecs
            .split(',')
            .map(|codec| codec.trim().to_owned())
            .filter(|codec| !codec.is_empty())
            .collect(),
        audio_group: attributes.get("AUDIO").map(str::to_owned),
    }
}

fn rendition(attributes: &Attributes<'_>, base: &Url, line: usize) -> Result<Rendition, Error> {
    let url = attributes.get("URI");
    Ok(Rendition {
        group: attributes.get("GROUP-ID").unwrap_or_default().to_owned(),
        url: url.map(|text| resolve(base, text, line)).transpose()?,
        is_default: attributes.is_set("DEFAULT"),
        is_automatic: attributes.is_set("AUTOSELECT"),
    })
}
