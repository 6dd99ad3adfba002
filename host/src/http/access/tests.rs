use super::*;

/// A request with these fields, as [`Policy::admit`] sees it.
fn claim(version: Version, target: &str, fields: &[(&str, &str)]) -> Result<Claim, Refusal> {
    let mut request = Request::builder().version(version).uri(target);
    for (name, value) in fields {
        request = request.header(*name, value.as_bytes());
    }
    Claim::of(&request.body(()).unwrap())
}

fn policy() -> Policy {
    let origins = [
        "app.example.com",
        "*.partner.example",
        "https://strict.example",
        "https://*.cdn.example:8443",
        "chrome-extension://abcdef",
    ];
    Policy {
        allowed_origins: origins.map(|text| text.parse().unwrap()).to_vec(),
        allowed_hosts: ["media.example.com", "*.lan.example"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        machine: ["box", "box.office.example"]
            .map(|text| Host::parse(text).unwrap())
            .to_vec(),
    }
}

fn certificate() -> Vec<HostPattern> {
    let names = ["secure.example.org", "*.wild.example.org"];
    names
        .map(|name| HostPattern::of_certificate(name).unwrap())
        .to_vec()
}

fn is_admitted(policy: &Policy, on_loopback: bool, host: &str, origin: Option<&str>) -> bool {
    let mut fields = vec![("Host", host)];
    fields.extend(origin.map(|origin| ("Origin", origin)));
    claim(Version::HTTP_11, "/kurento", &fields)
        .and_then(|claim| policy.admit(&claim, &certificate(), on_loopback))
        .is_ok()
}

const TRUSTED: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1:8888",
    "10.1.2.3:8888",
    "203.0.113.7",
    "[::1]:8888",
    "[2001:DB8::1]",
    "[fe80::1%eth0]:8888",
    "localhost",
    "LocalHost:8888",
    "localhost.",
    "a.localhost",
    "rivero",
    "rivero_1:8888",
    "box",
    "Box.Office.Example.",
    "media.example.com",
    "MEDIA.example.com.:443",
    "a.lan.example",
    "a.b.lan.example",
    "secure.example.org",
    "one.wild.example.org",
];

const UNTRUSTED: &[&str] = &[
    "evil.example",
    "evil.example:8888",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "media.example.com.evil.example",
    "evilmedia.example.com",
    "lan.example",
    "evillan.example",
    "two.one.wild.example.org",
    "wild.example.org",
    "127.1",
    "app.example.com",
    "other.office.example",
];

#[test]
fn without_origin_a_loopback_listener_takes_trusted_hosts_only() {
    for host in TRUSTED {
        assert!(is_admitted(&policy(), true, host, None), "{host}");
        assert!(is_admitted(&policy(), false, host, None), "{host}");
    }
    for host in UNTRUSTED {
        assert!(!is_admitted(&policy(), true, host, None), "{host}");
        assert!(is_admitted(&policy(), false, host, None), "{host}");
    }
}

#[test]
fn a_page_of_the_same_host_is_let_in_where_the_host_is_trusted() {
    for on_loopback in [true, false] {
        let admitted = |host: &str| {
            let page = Authority::parse(host).unwrap().host.to_string();
            ["http://{}", "https://{}", "http://{}:8080", "{}"].map(|form| {
                let origin = form.replace("{}", &page);
                is_admitted(&policy(), on_loopback, host, Some(&origin))
            })
        };
        for host in TRUSTED {
            assert_eq!(admitted(host), [true; 4], "{host}");
        }
        for host in UNTRUSTED {
            // Which is an allowed origin, whatever it asks.
            let expected = *host == "app.example.com";
            assert_eq!(admitted(host), [expected; 4], "{host}");
        }
    }
}

#[test]
fn a_page_of_another_host_needs_the_setting() {
    let allowed = [
        "http://app.example.com",
        "https://app.example.com:8443",
        "HTTPS://App.Example.com.",
        "https://a.partner.example",
        "https://a.b.partner.example",
        "https://strict.example",
        "https://strict.example:443",
        "https://a.cdn.example:8443",
        "chrome-extension://abcdef",
        "Chrome-Extension://ABCDEF",
    ];
    let refused = [
        "null",
        "",
        "Null",
        "http://evil.example",
        "https://partner.example",
        "https://evilpartner.example",
        "http://strict.example",
        "https://strict.example:8443",
        "https://strict.example.evil.example",
        "https://a.cdn.example",
        "https://cdn.example:8443",
        "https://app.example.com/",
        "https://app.example.com@evil.example",
        "https://user@app.example.com",
        "https://app.example.com:99999",
        "https://app.example.com, https://evil.example",
        "https://app.example.com https://evil.example",
        "https://10.0.0.1",
        "https://rivero",
        "file://",
        "chrome-extension://app.example.com",
        "http://",
        "://app.example.com",
    ];
    for host in ["127.0.0.1:8888", "media.example.com", "evil.other.example"] {
        for on_loopback in [true, false] {
            for origin in allowed {
                assert!(
                    is_admitted(&policy(), on_loopback, host, Some(origin)),
                    "{origin}"
                );
            }
            for origin in refused {
                assert!(
                    !is_admitted(&policy(), on_loopback, host, Some(origin)),
                    "{origin}"
                );
            }
        }
    }
}

#[test]
fn a_rebound_name_is_refused_though_page_and_server_are_the_same_host_to_the_browser() {
    for on_loopback in [true, false] {
        let origin = Some("http://evil.example:8888");
        assert!(!is_admitted(
            &policy(),
            on_loopback,
            "evil.example:8888",
            origin
        ));
    }
}

#[test]
fn loopback_names_and_addresses_are_one_host() {
    let none = Policy::default();
    for host in [
        "127.0.0.1:8888",
        "localhost:8888",
        "[::1]:8888",
        "127.9.9.9",
    ] {
        for origin in [
            "http://localhost:8080",
            "http://127.0.0.1",
            "http://[::1]:1",
            "http://x.localhost",
        ] {
            assert!(
                is_admitted(&none, true, host, Some(origin)),
                "{host} {origin}"
            );
        }
        assert!(!is_admitted(&none, true, host, Some("http://10.0.0.1")));
    }
    // A page of the browser's own machine, which need not be the server's.
    assert!(!is_admitted(
        &none,
        false,
        "10.0.0.1",
        Some("http://localhost:8080")
    ));
    assert!(is_admitted(
        &none,
        false,
        "10.0.0.1",
        Some("http://[::ffff:10.0.0.1]")
    ));
}

#[test]
fn a_star_lets_every_page_in_and_no_rebound_page_without_origin() {
    let open = Policy {
        allowed_origins: vec!["*".parse().unwrap()],
        ..Policy::default()
    };
    for origin in ["null", "file://", "https://evil.example", "", "nonsense?"] {
        assert!(
            is_admitted(&open, true, "127.0.0.1", Some(origin)),
            "{origin}"
        );
    }
    assert!(!is_admitted(&open, true, "evil.example", None));
    let all_hosts = Policy {
        allowed_hosts: vec!["*".parse().unwrap()],
        ..Policy::default()
    };
    assert!(is_admitted(&all_hosts, true, "evil.example", None));
    assert!(is_admitted(
        &all_hosts,
        true,
        "a.example",
        Some("http://a.example")
    ));
    assert!(!is_admitted(
        &all_hosts,
        true,
        "a.example",
        Some("http://b.example")
    ));
}

#[test]
fn the_host_is_taken_as_rfc_9112_says() {
    let host = |version, target, fields: &[_]| {
        let claim = claim(version, target, fields);
        claim.map(|claim| claim.host.map(|host| host.to_string()))
    };
    let (old, new) = (Version::HTTP_10, Version::HTTP_11);
    let named = |name: &str| Ok(Some(name.to_owned()));
    assert_eq!(
        host(new, "/", &[("Host", "a.example:1")]),
        named("a.example")
    );
    assert_eq!(
        host(new, "/", &[("Host", "a.example:")]),
        named("a.example")
    );
    assert_eq!(host(new, "/", &[("Host", "[::1]:1")]), named("[::1]"));
    assert_eq!(host(new, "/", &[("Host", "")]), Ok(None));
    assert_eq!(host(old, "/", &[]), Ok(None));
    let absolute = "http://a.example:1/health";
    assert_eq!(
        host(new, absolute, &[("Host", "b.example")]),
        named("a.example")
    );
    assert_eq!(host(old, absolute, &[]), named("a.example"));
    for malformed in [
        "a b",
        "a,b",
        "user@a",
        "http://a",
        "a/b",
        "a..b",
        ".",
        "..",
        ".a",
        "a:b",
        "a:-1",
        "a:+1",
        "a:70000",
        "::1",
        "[::1",
        "[::1]x",
        "[a]",
        "[127.0.0.1]",
        "é",
        "a:1:2",
        "%31",
        "*",
        "*.a",
    ] {
        let claim = host(new, "/", &[("Host", malformed)]);
        assert!(
            matches!(claim, Err(Refusal::Malformed(_))),
            "{malformed} {claim:?}"
        );
    }
    for fields in [
        &[][..],
        &[("Host", "a"), ("Host", "a")],
        &[("Host", "a"), ("Host", "b")],
    ] {
        assert!(matches!(host(new, "/", fields), Err(Refusal::Malformed(_))));
    }
    let with_user = host(new, "http://user@a/", &[("Host", "a")]);
    assert!(matches!(with_user, Err(Refusal::Malformed(_))));
}

#[test]
fn who_forwards_the_request_does_not_say_who_asks() {
    let fields = [
        ("Host", "evil.example"),
        ("X-Forwarded-Host", "127.0.0.1"),
        ("Forwarded", "host=127.0.0.1"),
        ("X-Original-Host", "127.0.0.1"),
    ];
    let claim = claim(Version::HTTP_11, "/", &fields).unwrap();
    assert!(policy().admit(&claim, &[], true).is_err());
}

#[test]
fn several_origins_are_none_that_is_allowed() {
    let fields = [
        ("Host", "127.0.0.1"),
        ("Origin", "http://app.example.com"),
        ("Origin", "http://app.example.com"),
    ];
    let claim = claim(Version::HTTP_11, "/", &fields).unwrap();
    assert!(policy().admit(&claim, &[], false).is_err());
}

#[test]
fn refusals_name_what_was_refused() {
    let admit = |host, origin| {
        let claim = claim(Version::HTTP_11, "/", &[("Host", host), ("Origin", origin)]);
        policy().admit(&claim.unwrap(), &[], true)
    };
    let origin = "http://Evil.example".to_owned();
    assert_eq!(
        admit("127.0.0.1", &origin),
        Err(Refusal::Origin {
            origin: origin.clone()
        })
    );
    let host = Host::Name("evil.example".into());
    assert_eq!(admit("evil.example", &origin), Err(Refusal::Host { host }));
}

#[test]
fn patterns_that_mean_nothing_are_refused() {
    for text in [
        "",
        "*.",
        "a.*",
        "*a",
        "**",
        "http://",
        "a b",
        "https://a/b",
        "*.*",
        "https://a:x",
        "é.example",
        "*.10.0.0.1",
        "://a",
        "null/",
    ] {
        assert!(text.parse::<OriginPattern>().is_err(), "{text}");
    }
    for text in ["", "*.", "a.*", "*a", "http://a", "a/b", "a b", "*.a:1"] {
        assert!(text.parse::<HostPattern>().is_err(), "{text}");
    }
    for text in ["::1", "[::1]", "10.0.0.1", "a", "A.b.", "a:8888", " a.b "] {
        assert!(text.parse::<HostPattern>().is_ok(), "{text}");
    }
    for text in [
        "::1",
        "[::1]:80",
        "a:80",
        "https://a/",
        "HTTPS://*.a:1",
        "file://",
        "app://x",
    ] {
        assert!(text.parse::<OriginPattern>().is_ok(), "{text}");
    }
}
