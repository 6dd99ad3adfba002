//! Adobe's login (`authmod=adobe`), which Akamai's and Wowza's servers ask for: a name, a challenge, a response.

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};

use super::Target;

/// How far a login has come. Each step is a connection of its own, since servers close the one that they refuse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Login {
    /// Nothing was asked for.
    #[default]
    None,
    /// The server knows who wants to come in.
    Named,
    /// It has the response to its challenge.
    Answered,
}

/// What a refusal of the server asks for: what to put behind the application of the next connection, and how far that
/// is. `None` where it asks for nothing that helps. `nonce`: random.
pub(crate) fn next(
    refusal: &str,
    login: &Login,
    target: &Target,
    nonce: u32,
) -> Option<(Login, String)> {
    if target.user.is_empty() {
        return None;
    }
    let user = &target.user;
    if let Some(challenge) = field(refusal, "challenge")
        && field(refusal, "reason") == Some("needauth")
    {
        if *login == Login::Answered {
            return None;
        }
        let salt = field(refusal, "salt").unwrap_or_default();
        let opaque = field(refusal, "opaque");
        let own = format!("{nonce:08x}");
        let salted = digest(&[user, salt, &target.password]);
        let response = digest(&[&salted, opaque.unwrap_or(challenge), &own]);
        let mut query = format!("?authmod=adobe&user={user}&challenge={own}&response={response}");
        if let Some(opaque) = opaque {
            query.push_str("&opaque=");
            query.push_str(opaque);
        }
        return Some((Login::Answered, query));
    }
    if refusal.contains("authmod=adobe") && *login == Login::None {
        return Some((Login::Named, format!("?authmod=adobe&user={user}")));
    }
    None
}

/// The value of a parameter of the query in a refusal, `… : ?reason=needauth&user=…&salt=…`.
fn field<'a>(refusal: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = refusal.split_once('?')?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(known, _)| *known == name);
    let (_, value) = values.next()?;
    Some(value.trim()).filter(|value| !value.is_empty())
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part);
    }
    BASE64_STANDARD.encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn target(url: &str) -> Target {
        Target::parse(&Url::parse(url).unwrap()).unwrap()
    }

    /// Field report 34.
    #[test]
    fn a_login_has_a_name_then_a_response_and_then_ends() {
        let target = target("rtmp://me:secret@host/live/key");
        let asked = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        let (login, query) = next(asked, &Login::None, &target, 1).unwrap();
        assert_eq!((&login, &*query), (&Login::Named, "?authmod=adobe&user=me"));
        let challenged = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=me&salt=ab&challenge=cd&opaque=ef";
        let (login, query) = next(challenged, &login, &target, 0x1f).unwrap();
        // md5, base64: echo -n mesabsecret | openssl md5 -binary | base64, and so on.
        let response = digest(&[&digest(&["me", "ab", "secret"]), "ef", "0000001f"]);
        assert_eq!(
            query,
            format!("?authmod=adobe&user=me&challenge=0000001f&response={response}&opaque=ef")
        );
        assert!(!query.contains("secret"));
        for refusal in [
            challenged,
            asked,
            "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=x",
        ] {
            assert_eq!(next(refusal, &login, &target, 2), None, "{refusal}");
        }
    }

    #[test]
    fn without_a_name_or_another_way_of_asking_there_is_none() {
        let asked = "[ code=403 need auth; authmod=adobe ]";
        let nobody = target("rtmp://host/live/key");
        assert_eq!(next(asked, &Login::None, &nobody, 1), None);
        let somebody = target("rtmp://me:secret@host/live/key");
        assert_eq!(next("authmod=llnw", &Login::None, &somebody, 1), None);
    }

    #[test]
    fn a_digest_is_md5_in_base64() {
        assert_eq!(digest(&["a", "bc"]), "kAFQmDzST7DWlj99KOF/cg==");
    }
}
