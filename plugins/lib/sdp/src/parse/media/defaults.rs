//! Attributes that may stand at the session level as defaults of the sections.

use crate::{
    Attribute, Direction, ExtMap, Fingerprint, Setup,
    limits::{MAX_DEFAULT_BYTES, MAX_EXTENSIONS},
    parse::{Parsed, shortened},
    text::words,
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
    /// `a=rtcp-mux` belongs to sections (RFC 5761 §5.1.1); at the session level it can only mean
    /// all of them.
    pub(super) rtcp_mux: bool,
}

/// More hashes than exist are offered by nobody.
const MAX_FINGERPRINTS: usize = 16;

/// RFC 8839 §5.4 allows 256 characters.
const MAX_CREDENTIAL: usize = 256;

impl SectionDefaults {
    /// Takes the attribute if it is one of these, and says whether it was. An ill-formed one is an
    /// error, and leaves what was read before.
    pub(in crate::parse) fn read(&mut self, attribute: &Attribute) -> Parsed<bool> {
        let value = attribute.value.as_deref().unwrap_or_default();
        let name = attribute.name.to_ascii_lowercase();
        // A session's are copied into each section.
        let copied = matches!(name.as_str(), "ice-options" | "extmap");
        if copied && value.len() > MAX_DEFAULT_BYTES {
            return Err(format!("{name} has over {MAX_DEFAULT_BYTES} bytes"));
        }
        match name.as_str() {
            // Of what can be said once only, the first counts, as for Kurento.
            "setup" => {
                let setup = value.trim().parse()?;
                self.setup.get_or_insert(setup);
            }
            "ice-ufrag" => {
                let ufrag = credential(value)?;
                self.ice_ufrag.get_or_insert(ufrag);
            }
            "ice-pwd" => {
                let password = credential(value)?;
                self.ice_password.get_or_insert(password);
            }
            "ice-options" => {
                self.ice_options = words(value).map(str::to_owned).collect();
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
            "rtcp-mux" => self.rtcp_mux = true,
            name => match name.parse() {
                Ok(direction) if value.trim().is_empty() => {
                    self.direction.get_or_insert(direction);
                }
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
            rtcp_mux: self.rtcp_mux || session.rtcp_mux,
            ..self
        }
    }
}

/// A user fragment or password. RFC 8839 §5.4 asks for 4 and 22 characters at least, so that they
/// cannot be guessed; that risk is the peer's own, and gateways with shorter ones are met in the
/// field. Kurento connects to them.
fn credential(value: &str) -> Parsed<String> {
    let text = value.trim();
    let readable = !text.contains(char::is_control);
    if !readable || !(1..=MAX_CREDENTIAL).contains(&text.len()) {
        return Err(format!(
            "ICE credential '{}' is not 1 to {MAX_CREDENTIAL} characters",
            shortened(text)
        ));
    }
    Ok(text.to_owned())
}
