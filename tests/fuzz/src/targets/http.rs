//! The head of a request: its path, who asks whom, and the settings that this is compared with.

use rivero::http::{
    handshake,
    host::{Authority, Host, HostPattern, Origin, OriginPattern},
};

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    std::hint::black_box(handshake::is_path(text, "kurento"));
    // A setting, and what a request says, in lines of their own.
    let (setting, said) = text.split_once('\n').unwrap_or((text, text));
    if let Some(host) = Host::parse(said) {
        // A host means the same when it is read again, and is its own pattern.
        assert_eq!(Host::parse(&host.to_string()), Some(host.clone()));
        let pattern = host.to_string().parse::<HostPattern>();
        assert!(pattern.is_ok_and(|pattern| pattern.matches(&host)));
    }
    let origin = Origin::parse(said);
    if let Ok(pattern) = setting.parse::<OriginPattern>() {
        std::hint::black_box(pattern.matches(&origin));
    }
    if let (Ok(pattern), Some(authority)) = (setting.parse::<HostPattern>(), Authority::parse(said))
    {
        std::hint::black_box(pattern.matches(&authority.host));
    }
}
