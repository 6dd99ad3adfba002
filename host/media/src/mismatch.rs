//! Why media is converted, in words that fit on a line.
//!
//! A browser accepts dozens of formats with half a dozen parameters each. What somebody wants to
//! know is the encoding, or, where that is the same, the parameter that made the difference.

use std::borrow::Borrow;

use rivero_plugin_api::Format;

/// Encodings that are named at most.
const ENCODINGS: usize = 3;
/// Differing parameters that are named at most.
const PARAMETERS: usize = 2;
/// Characters of a name or value at most: peers choose some of them.
const LENGTH: usize = 24;

/// What a source sends and what a sink accepts, each in a few words: `VP8` and `H264 or VP9`, or,
/// of one encoding, `H264 (profile-level-id=640c1f)` and `H264 (profile-level-id=42e01f)`.
pub(super) fn in_words(
    sent: Option<&Format>,
    accepted: &[impl Borrow<Format>],
) -> (String, String) {
    let accepted: Vec<&Format> = accepted.iter().map(Borrow::borrow).collect();
    let Some(sent) = sent else {
        return ("nothing".to_owned(), encodings(&accepted));
    };
    let mut alike = accepted.iter();
    match alike.find(|accepted| accepted.encoding == sent.encoding) {
        None => (cut(&sent.encoding), encodings(&accepted)),
        Some(accepted) => {
            let (of_sent, of_accepted) = differences(sent, accepted);
            let encoding = cut(&sent.encoding);
            (
                format!("{encoding}{of_sent}"),
                format!("{encoding}{of_accepted}"),
            )
        }
    }
}

/// Their names, each once, in the order of preference.
fn encodings(formats: &[&Format]) -> String {
    let mut names: Vec<String> = Vec::new();
    for format in formats {
        let name = cut(&format.encoding);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let others = names.len().saturating_sub(ENCODINGS);
    names.truncate(ENCODINGS);
    let mut text = names.join(" or ");
    if others > 0 {
        text.push_str(&format!(" or {others} others"));
    }
    text
}

/// What two formats of one encoding have different, in parentheses.
fn differences(a: &Format, b: &Format) -> (String, String) {
    let (of_a, of_b) = (properties(a), properties(b));
    let all = of_a.iter().chain(&of_b).map(|(name, _)| name);
    let mut names: Vec<&String> = Vec::new();
    for name in all {
        let differs = value(&of_a, name) != value(&of_b, name);
        if differs && !names.contains(&name) && names.len() < PARAMETERS {
            names.push(name);
        }
    }
    let shown = |properties: &[(String, String)]| {
        let part = |name: &&String| match value(properties, name) {
            Some(value) => format!("{}={}", cut(name), cut(value)),
            None => format!("no {}", cut(name)),
        };
        let parts: Vec<String> = names.iter().map(part).collect();
        match parts.is_empty() {
            true => String::new(),
            false => format!(" ({})", parts.join(", ")),
        }
    };
    (shown(&of_a), shown(&of_b))
}

fn properties(format: &Format) -> Vec<(String, String)> {
    let mut properties = format.parameters.clone();
    properties.push(("rate".to_owned(), format.clock_rate.to_string()));
    properties.push(("channels".to_owned(), format.channels.to_string()));
    properties.push((
        "packaging".to_owned(),
        format!("{:?}", format.packaging).to_lowercase(),
    ));
    properties
}

fn value<'p>(properties: &'p [(String, String)], name: &str) -> Option<&'p str> {
    let found = properties.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(encoding: &str, parameters: &[(&str, &str)]) -> Format {
        let format = Format::rtp(encoding, 90_000, 0);
        let with = |format: Format, (name, value): &(&str, &str)| format.with(*name, *value);
        parameters.iter().fold(format, with)
    }

    #[test]
    fn encodings_are_named_once_and_few_of_them() {
        let profile = |profile| video("H264", &[("profile-level-id", profile)]);
        let accepted = [profile("42e01f"), profile("4d001f"), video("VP9", &[])];
        let (sent, wanted) = in_words(Some(&video("VP8", &[])), &accepted);
        assert_eq!((sent.as_str(), wanted.as_str()), ("VP8", "H264 or VP9"));
        let many: Vec<Format> = (0..95).map(|n| video(&format!("X{n}"), &[])).collect();
        assert_eq!(in_words(None, &many).1, "X0 or X1 or X2 or 92 others");
        assert_eq!(
            in_words(None, &[] as &[Format]),
            ("nothing".into(), "nothing".into())
        );
    }

    #[test]
    fn of_one_encoding_the_difference_is_named() {
        let sent = video(
            "H264",
            &[("packetization-mode", "1"), ("profile-level-id", "640c1f")],
        );
        let accepted = video(
            "H264",
            &[("packetization-mode", "1"), ("profile-level-id", "42e01f")],
        );
        assert_eq!(
            in_words(Some(&sent), &[video("VP8", &[]), accepted]),
            (
                "H264 (profile-level-id=640c1f)".into(),
                "H264 (profile-level-id=42e01f)".into()
            )
        );
        let plain = video("H264", &[]);
        assert_eq!(
            in_words(Some(&plain), &[sent]).0,
            "H264 (no packetization-mode, no profile-level-id)"
        );
        assert_eq!(in_words(Some(&plain), &[&plain]).0, "H264");
    }

    #[test]
    fn whatever_peers_name_it_is_short() {
        let long = "x".repeat(10_000);
        let sent = video(&long, &[(&long, &long)]);
        let (sent, accepted) = in_words(Some(&sent), &[video(&long, &[])]);
        assert!(
            sent.len() < 120 && accepted.len() < 120,
            "{sent} {accepted}"
        );
    }
}
