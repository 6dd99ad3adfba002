//! `mediaServer.auth`, which only Rivero reads: nothing in it may be misspelt, and no message shows
//! what stands there.

mod section;

use std::time::Duration;

use serde_json::Value;

use crate::accounts::Quotas;
use crate::auth::{
    Algorithm, CertificateSettings, Grant, HolderSettings, JwtSettings, KeySettings, LoadError,
    Permissions, Scope, Secret, Settings, TokenSettings,
};
use section::Section;

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
        certificates: { auth.section("clientCertificates")? }
            .map(certificates)
            .transpose()?,
    };
    auth.end()?;
    // Nobody could come in, which is never what somebody wanted to say.
    let certificates = settings.certificates.as_ref();
    let opens = certificates.is_some_and(|of| of.others.is_some() || !of.principals.is_empty());
    if settings.tokens.is_empty() && settings.jwt.is_none() && !opens {
        return Err(LoadError::new(
            "tokens",
            "there is no token, 'jwt' is missing, and there is no principal in 'clientCertificates'",
        ));
    }
    if certificates.is_some() && !is_secure(tree) {
        return Err(LoadError::new(
            "clientCertificates",
            "clients show certificates at the TLS listener only, and mediaServer.net.websocket.secure.port is missing",
        ));
    }
    Ok(Some(settings))
}

/// Whether there is a listener for TLS.
fn is_secure(tree: &Value) -> bool {
    let port = tree.pointer("/mediaServer/net/websocket/secure/port");
    let port = port.and_then(|port| match port {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    });
    port.is_some_and(|port| port > 0)
}

fn token((name, mut section): (String, Section)) -> Result<TokenSettings, LoadError> {
    if !is_name(&name) {
        return Err(section.wrong("a token has to have a name"));
    }
    let token = TokenSettings {
        secret: secret(&mut section)?,
        grant: grant(&mut section)?,
        name,
    };
    section.end()?;
    Ok(token)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn grant(section: &mut Section) -> Result<Grant, LoadError> {
    Ok(Grant {
        scope: scope(section)?,
        permissions: Permissions {
            classes: section.list("classes")?,
            methods: section.list("methods")?,
        },
        quotas: quotas(section)?,
    })
}

fn certificates(mut section: Section) -> Result<CertificateSettings, LoadError> {
    let holders = section.sections("principals")?.into_iter().map(holder);
    let others = section.section("others")?.map(|mut others| {
        let grant = grant(&mut others)?;
        others.end().map(|()| grant)
    });
    let ca = section.text("ca")?;
    let certificates = CertificateSettings {
        ca: ca
            .ok_or_else(|| section.wrong("'ca' has to name a file"))?
            .into(),
        crl: section.text("crl")?.map(Into::into),
        required: section.flag("required")?.unwrap_or_default(),
        principals: holders.collect::<Result<_, _>>()?,
        others: others.transpose()?,
    };
    section.end()?;
    Ok(certificates)
}

fn holder((name, mut section): (String, Section)) -> Result<HolderSettings, LoadError> {
    let names = section.list("names")?.unwrap_or_default();
    if !is_name(&name) || names.is_empty() {
        return Err(
            section.wrong("a principal has to have a name here, and 'names' in its certificate")
        );
    }
    let holder = HolderSettings {
        names,
        grant: grant(&mut section)?,
        name,
    };
    section.end()?;
    Ok(holder)
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

#[cfg(test)]
mod tests;
