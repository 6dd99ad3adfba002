//! Attributes that may stand at the session level as defaults of the sections.

use crate::{
    Attribute, Direction, ExtMap, Fingerprint, Setup,
    limits::{MAX_DEFAULT_BYTES, MAX_EXTENSIONS},
    parse::{Parsed, shortened},
};

/// What one level says; a section's own value wins over the session's.
#[derive(Default, Clone)]
pub(in crate::parse) struct SectionDefaults {
    pub(super) direction: Option<Direction>,
    pub(super) setup: Option<Setup>,
    pub(super) ice_ufrag: Option<String>,
    pub(super) ice_password: Option<String>,
    pub(super) ice_options: Vec<String>,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) extmaps: Vec<ExtMap>,
}

/// More hashes than exist are offered by nobody.
const MAX_FINGERPRINTS: usize = 16;

/// RFC 8839 §5.4 allows 256 characters.
const MAX_CREDENTIAL: usize = 256;

impl SectionDefaults {
    /// Takes the attribute if it is one of these, and says whether it was.
    pub(in crate::parse) fn read(&mut self, attribute: &Attribute) -> Parsed<bool> {
        let value = attribute.value.as_deref().unwrap_or_default();
        let copied = matches!(attribute.name.as_str(), "ice-options" | "extmap");
        if copied && value.len() > MAX_DEFAULT_BYTES {
            return Err(format!(
                "{} has over {MAX_DEFAULT_BYTES} bytes",
                attribute.name
            ));
        }
        match attribute.name.as_str() {
            "setup" => self.setup = Some(value.trim().parse()?),
            "ice-ufrag" => self.ice_ufrag = Some(credential(value, 4)?),
            "ice-pwd" => self.ice_password = Some(credential(value, 22)?),
            "ice-options" => {
                self.ice_options = value.split_ascii_whitespace().map(str::to_owned).collect();
            }
            "fingerprint" => {
                if self.fingerprints.len() >= MAX_FINGERPRINTS {
                    return Err("too many fingerprints".to_owned());
                }
                self.fingerprints.push(value.parse()?);
            }
            "extmap" => {
                if self.extmaps.len() >= MAX_EXTENSIONS {
                    return Err("too many header extensions".to_owned());
                }
                self.extmaps.push(value.parse()?);
            }
            name => match name.parse() {
                Ok(direction) if attribute.value.is_none() => self.direction = Some(direction),
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    /// These values, completed by those of the session level.
    pub(super) fn or(mut self, session: &Self) -> Self {
        if self.fingerprints.is_empty() {
            self.fingerprints.clone_from(&session.fingerprints);
        }
        if self.ice_options.is_empty() {
            self.ice_options.clone_from(&session.ice_options);
        }
        for extmap in &session.extmaps {
            if self.extmaps.len() < MAX_EXTENSIONS {
                self.extmaps.push(extmap.clone());
            }
        }
        Self {
            direction: self.direction.or(session.direction),
            setup: self.setup.or(session.setup),
            ice_ufrag: self.ice_ufrag.or_else(|| session.ice_ufrag.clone()),
            ice_password: self.ice_password.or_else(|| session.ice_password.clone()),
            ..self
        }
    }
}

/// A user fragment or password (RFC 8839 §5.4).
fn credential(value: &str, minimum: usize) -> Parsed<String> {
    let text = value.trim();
    let is_word = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_word || !(minimum..=MAX_CREDENTIAL).contains(&text.len()) {
        return Err(format!(
            "ICE credential '{}' is not {minimum} to {MAX_CREDENTIAL} characters",
            shortened(text)
        ));
    }
    Ok(text.to_owned())
}
