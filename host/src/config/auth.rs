//! `mediaServer.auth`, which only Rivero reads: nothing in it may be misspelt, and no message shows
//! what stands there.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::accounts::Quotas;
use crate::auth::{
    Algorithm, JwtSettings, KeySettings, LoadError, Permissions, Scope, Secret, Settings,
    TokenSettings,
};

/// Clocks that differ by more than this should be set.
const MOST_LEEWAY: u64 = 600;

/// What a tree says about credentials; `None` if it asks for none.
pub(super) fn read(tree: &Value) -> Result<Option<Settings>, LoadError> {
    let Some(auth) = tree.pointer("/mediaServer/auth") else {
        return Ok(None);
    };
    let mut auth = Section::of(auth, String::new())?;
    let tokens = auth.sections("tokens")?.into_iter().map(token);
    let settings = Settings {
        tokens: tokens.collect::<Result<_, _>>()?,
        jwt: auth.section("jwt")?.map(jwt).transpose()?,
    };
    auth.end()?;
    // Nobody could come in, which is never what somebody wanted to say.
    if settings.tokens.is_empty() && settings.jwt.is_none() {
        return Err(LoadError::new(
            "tokens",
            "there is no token, and 'jwt' is missing",
        ));
    }
    Ok(Some(settings))
}

fn token((name, mut section): (String, Section)) -> Result<TokenSettings, LoadError> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(section.wrong("a token has to have a name"));
    }
    let token = TokenSettings {
        secret: secret(&mut section)?,
        scope: scope(&mut section)?,
        permissions: Permissions {
            classes: section.list("classes")?,
            methods: section.list("methods")?,
        },
        quotas: quotas(&mut section)?,
        name,
    };
    section.end()?;
    Ok(token)
}

/// One of `sha256`, `value` and `file`.
fn secret(section: &mut Section) -> Result<Secret, LoadError> {
    let (sha256, value) = (section.text("sha256")?, section.text("value")?);
    match (sha256, value, section.text("file")?) {
        (Some(digest), None, None) => match digest_of(digest.trim()) {
            Some(digest) => Ok(Secret::Sha256(digest)),
            None => Err(section.wrong("'sha256' has to be 64 hexadecimal digits")),
        },
        (None, Some(value), None) => Ok(Secret::Value(value)),
        (None, None, Some(file)) => Ok(Secret::File(file.into())),
        _ => Err(section.wrong("it has to have one of 'sha256', 'value' and 'file'")),
    }
}

fn digest_of(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let is_hexadecimal = hexadecimal.bytes().all(|b| b.is_ascii_hexdigit());
    if hexadecimal.len() != 64 || !is_hexadecimal {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hexadecimal.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(digest)
}

fn scope(section: &mut Section) -> Result<Scope, LoadError> {
    match section.text("scope")?.as_deref() {
        None | Some("own") => Ok(Scope::Own),
        Some("all") => Ok(Scope::All),
        Some(_) => Err(section.wrong("'scope' has to be 'own' or 'all'")),
    }
}

fn quotas(section: &mut Section) -> Result<Quotas, LoadError> {
    let mut quotas = Quotas::default();
    let Some(mut given) = section.section("quotas")? else {
        return Ok(quotas);
    };
    for name in Quotas::names() {
        if let Some(quota) = given.number(name)? {
            quotas.set(name, quota);
        }
    }
    given.end()?;
    Ok(quotas)
}

fn jwt(mut section: Section) -> Result<JwtSettings, LoadError> {
    let keys = section.sections("keys")?.into_iter().map(key);
    let leeway = section.number("leeway")?.unwrap_or_default();
    if leeway > MOST_LEEWAY {
        return Err(section.wrong(&format!("'leeway' may be {MOST_LEEWAY} seconds at most")));
    }
    let jwt = JwtSettings {
        keys: keys.collect::<Result<_, _>>()?,
        jwks: section.text("jwks")?.map(Into::into),
        issuer: section.text("issuer")?,
        audience: section.list("audience")?.unwrap_or_default(),
        leeway: Duration::from_secs(leeway),
    };
    section.end()?;
    Ok(jwt)
}

fn key((name, mut section): (String, Section)) -> Result<KeySettings, LoadError> {
    let algorithm = match section.text("algorithm")?.as_deref() {
        Some("HS256") => Algorithm::Hs256,
        Some("RS256") => Algorithm::Rs256,
        Some("EdDSA") => Algorithm::EdDsa,
        _ => return Err(section.wrong("'algorithm' has to be HS256, RS256 or EdDSA")),
    };
    let key = match (section.text("value")?, section.text("file")?) {
        (Some(value), None) => Secret::Value(value),
        (None, Some(file)) => Secret::File(file.into()),
        _ => return Err(section.wrong("it has to have one of 'value' and 'file'")),
    };
    section.end()?;
    Ok(KeySettings {
        name,
        algorithm,
        key,
    })
}

/// The members of an object, of which each is taken once.
struct Section {
    /// Below `mediaServer.auth`, with dots.
    key: String,
    members: Map<String, Value>,
}

impl Section {
    fn of(value: &Value, key: String) -> Result<Section, LoadError> {
        match value {
            Value::Object(members) => Ok(Section {
                key,
                members: members.clone(),
            }),
            _ => Err(LoadError::new(key, "it has to be an object")),
        }
    }

    fn below(&self, name: &str) -> String {
        match self.key.as_str() {
            "" => name.to_owned(),
            key => format!("{key}.{name}"),
        }
    }

    fn wrong(&self, problem: &str) -> LoadError {
        LoadError::new(self.key.clone(), problem)
    }

    fn section(&mut self, name: &str) -> Result<Option<Section>, LoadError> {
        let value = self.members.remove(name);
        value
            .map(|value| Section::of(&value, self.below(name)))
            .transpose()
    }

    /// The sections of an object that has one for each name.
    fn sections(&mut self, name: &str) -> Result<Vec<(String, Section)>, LoadError> {
        let Some(section) = self.section(name)? else {
            return Ok(Vec::new());
        };
        let named = section.members.iter().map(|(name, value)| {
            Section::of(value, section.below(name)).map(|below| (name.clone(), below))
        });
        named.collect()
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, LoadError> {
        match self.members.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(LoadError::new(self.below(name), "it has to be a text")),
        }
    }

    /// As in all files, a number may be written as text.
    fn number(&mut self, name: &str) -> Result<Option<u64>, LoadError> {
        let number = match self.members.remove(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(other) => other.as_u64(),
        };
        let wrong = || LoadError::new(self.below(name), "it has to be a whole number from 0 on");
        number.map(Some).ok_or_else(wrong)
    }

    /// A list, or a text with commas or spaces between the entries.
    fn list(&mut self, name: &str) -> Result<Option<Vec<String>>, LoadError> {
        let wrong = || LoadError::new(self.below(name), "it has to be a list of texts");
        let items = match self.members.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => {
                let entries = text.split([',', ' ', '\t', '\n', '\r']);
                let entries = entries.filter(|entry| !entry.is_empty());
                entries.map(str::to_owned).collect()
            }
            Some(Value::Array(items)) => {
                let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().ok_or_else(wrong)?
            }
            Some(_) => return Err(wrong()),
        };
        self.members.remove(name);
        Ok(Some(items))
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), LoadError> {
        match self.members.keys().next() {
            Some(name) => Err(LoadError::new(self.below(name), "there is no such key")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn auth(auth: Value) -> Result<Option<Settings>, LoadError> {
        read(&json!({"mediaServer": {"auth": auth}}))
    }

    #[test]
    fn tokens_and_keys_are_read() {
        let given = json!({
            "tokens": {
                "app": {"sha256": "AB".repeat(32), "classes": ["WebRtcEndpoint", "chroma.*"],
                    "methods": "create, invoke.get*", "quotas": {"pipelines": "5", "requestsPerSecond": 10}},
                "ops": {"file": "ops.token", "scope": "all"},
            },
            "jwt": {"keys": {"k": {"algorithm": "RS256", "file": "k.pem"}}, "jwks": "set.json",
                "issuer": "https://i", "audience": "media", "leeway": 30},
        });
        let settings = auth(given).unwrap().unwrap();
        let [app, ops] = &settings.tokens[..] else {
            panic!("{settings:?}")
        };
        assert_eq!(app.secret, Secret::Sha256([0xab; 32]));
        assert_eq!((app.scope, ops.scope), (Scope::Own, Scope::All));
        let methods = app.permissions.methods.as_ref().unwrap();
        assert_eq!(methods, &["create", "invoke.get*"]);
        let mut quotas = Quotas::default();
        assert!(quotas.set("pipelines", 5) && quotas.set("requestsPerSecond", 10));
        assert_eq!(app.quotas, quotas);
        let jwt = settings.jwt.as_ref().unwrap();
        assert_eq!(
            (jwt.audience.as_slice(), jwt.keys.len()),
            (&["media".to_owned()][..], 1)
        );
        assert_eq!(read(&json!({})), Ok(None));
    }

    #[test]
    fn the_documented_settings_can_be_pasted() {
        let document = include_str!("../../../docs/security.md");
        let blocks = document.split("```json\n").skip(1);
        let blocks: Vec<_> = blocks
            .filter_map(|block| block.split("```").next())
            .collect();
        assert!(blocks.len() >= 5);
        for block in blocks {
            let whole = block.starts_with('{');
            let text = if whole {
                block.to_owned()
            } else {
                format!("{{{block}}}")
            };
            let given: Value = serde_json::from_str(&text).unwrap();
            let first = given.as_object().unwrap().keys().next().unwrap().clone();
            let tree = match first.as_str() {
                "mediaServer" => given,
                "auth" => json!({ "mediaServer": given }),
                "keys" => json!({"mediaServer": {"auth": {"jwt": given}}}),
                "quotas" => {
                    let mut token = given;
                    token["file"] = json!("x");
                    json!({"mediaServer": {"auth": {"tokens": {"a": token}}}})
                }
                _ => json!({"mediaServer": {"auth": {"tokens": given}}}),
            };
            assert!(read(&tree).unwrap().is_some(), "{block}");
        }
    }

    #[test]
    fn nothing_may_be_misspelt_and_nothing_secret_is_told() {
        let token = |token: Value| json!({"tokens": {"a": token}});
        for (wrong, told) in [
            (json!({}), "mediaServer.auth.tokens: there is no token"),
            (
                json!({"token": {}}),
                "mediaServer.auth.token: there is no such key",
            ),
            (
                json!({"tokens": {"a": "s3cret"}}),
                "mediaServer.auth.tokens.a: it has to be an object",
            ),
            (
                token(json!({})),
                "mediaServer.auth.tokens.a: it has to have one of",
            ),
            (
                token(json!({"value": "s3cret", "file": "x"})),
                "mediaServer.auth.tokens.a: it has",
            ),
            (
                token(json!({"value": ["s3cret"]})),
                "mediaServer.auth.tokens.a.value: it has to be a text",
            ),
            (
                token(json!({"sha256": "s3cret"})),
                "mediaServer.auth.tokens.a: 'sha256'",
            ),
            (
                token(json!({"value": "s3cret", "Scope": "all"})),
                "mediaServer.auth.tokens.a.Scope",
            ),
            (
                token(json!({"value": "s3cret", "scope": "every"})),
                "mediaServer.auth.tokens.a: 'scope'",
            ),
            (
                token(json!({"value": "s3cret", "classes": 1})),
                "mediaServer.auth.tokens.a.classes",
            ),
            (
                token(json!({"value": "s3cret", "quotas": {"x": 1}})),
                "mediaServer.auth.tokens.a.quotas.x",
            ),
            (
                token(json!({"value": "s3cret", "quotas": {"objects": -1}})),
                "mediaServer.auth.tokens.a.quotas.objects",
            ),
            (
                json!({"jwt": {"keys": {"k": {"algorithm": "none", "value": "s3cret"}}}}),
                "mediaServer.auth.jwt.keys.k",
            ),
            (
                json!({"jwt": {"leeway": 601}}),
                "mediaServer.auth.jwt: 'leeway'",
            ),
        ] {
            let error = auth(wrong).unwrap_err().to_string();
            assert!(
                error.starts_with(told) && !error.contains("s3cret"),
                "{error}"
            );
        }
    }
}
