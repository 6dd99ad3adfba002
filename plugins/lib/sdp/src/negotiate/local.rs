//! Parts of a local description that offers and answers have in common.

use super::{LocalConfig, LocalMedia};
use crate::{
    Bandwidth, Connection, IceCredentials, MediaSection, Origin, RtcpAddress, SessionDescription,
    Setup, Timing,
};

/// Port of accepted sections until a default candidate is known.
pub(super) const PLACEHOLDER_PORT: u16 = 1;

/// The session level of a local description.
pub(super) fn session(config: &LocalConfig) -> SessionDescription {
    session_of(
        (config.session_id, config.session_version),
        &config.session_name,
        &config.connection,
    )
}

/// The same of an identifier, a version, a name and an address.
pub(super) fn session_of(
    (id, version): (u64, u64),
    name: &str,
    connection: &Connection,
) -> SessionDescription {
    SessionDescription {
        origin: Origin {
            username: "-".to_owned(),
            session_id: id.to_string(),
            session_version: version.to_string(),
            address: connection.clone(),
        },
        session_name: name.to_owned(),
        connection: Some(connection.clone()),
        bandwidths: Vec::new(),
        timing: Timing::default(),
        groups: Vec::new(),
        ice_lite: false,
        extmap_allow_mixed: false,
        attributes: Vec::new(),
        media: Vec::new(),
    }
}

/// Writes the local end of a transport into a section.
pub(super) fn write_transport(
    section: &mut MediaSection,
    config: &LocalConfig,
    ice: &IceCredentials,
    setup: Setup,
) {
    section.setup = Some(setup);
    section.ice = Some(ice.clone());
    section.fingerprints = vec![config.transport.fingerprint.clone()];
    if config.transport.trickle {
        section.ice_options = vec!["trickle".to_owned()];
    }
}

/// `b=AS` of a kind of media, if it is limited.
pub(super) fn bandwidths(local: &LocalMedia) -> Vec<Bandwidth> {
    let kbps = u64::from(local.max_receive_bandwidth);
    Some(kbps)
        .filter(|kbps| *kbps > 0)
        .map(Bandwidth::application_specific)
        .into_iter()
        .collect()
}

/// `a=rtcp` before a candidate is known.
pub(super) fn rtcp_placeholder() -> RtcpAddress {
    RtcpAddress {
        port: 9,
        connection: Some(Connection::unspecified()),
    }
}
