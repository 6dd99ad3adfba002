//! Whom a certificate is about: the names in it (RFC 5280 sections 4.1.2.6 and 4.2.1.6) and the end of its
//! validity.

use x509_cert::Certificate;
use x509_cert::der::asn1::{Ia5StringRef, PrintableStringRef, Utf8StringRef};
use x509_cert::der::{Any, Decode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// Object identifier of `commonName` (RFC 5280 appendix A.1).
const COMMON_NAME: &str = "2.5.4.3";

/// Kinds of names, the ones that say most about a client first: what stands for a client that is not
/// known by name is the first name that it has.
pub(super) const KINDS: [&str; 4] = ["URI:", "DNS:", "email:", "CN:"];

/// What a certificate says of its holder.
#[derive(Debug, PartialEq)]
pub(super) struct Subject {
    /// Each with its kind, as in `DNS:app.example.com`; in the order of [`KINDS`].
    pub(super) names: Vec<String>,
    /// Seconds since 1970.
    pub(super) not_after: f64,
}

impl Subject {
    /// Of a certificate that was verified.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(certificate: &[u8]) -> Result<Subject, String> {
        let certificate = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let about = &certificate.tbs_certificate;
        let extension = about.get::<SubjectAltName>();
        let extension = extension.map_err(|error| error.to_string())?;
        let alternatives = extension.into_iter().flat_map(|(_, names)| names.0);
        let mut names: Vec<String> = alternatives.filter_map(|name| alternative(&name)).collect();
        let attributes = about.subject.0.iter().flat_map(|part| part.0.iter());
        let common = attributes.filter(|attribute| attribute.oid.to_string() == COMMON_NAME);
        names.extend(common.filter_map(|name| Some(format!("CN:{}", text(&name.value)?))));
        names.sort_by_key(|name| KINDS.iter().position(|kind| name.starts_with(kind)));
        Ok(Subject {
            names,
            not_after: about.validity.not_after.to_unix_duration().as_secs_f64(),
        })
    }
}

fn alternative(name: &GeneralName) -> Option<String> {
    let name = match name {
        GeneralName::UniformResourceIdentifier(uri) => format!("URI:{uri}"),
        GeneralName::DnsName(name) => format!("DNS:{name}"),
        GeneralName::Rfc822Name(address) => format!("email:{address}"),
        _ => return None,
    };
    Some(comparable(&name))
}

/// A name, or a pattern of names, as it is compared: letters of hosts are the same in both cases.
pub(super) fn comparable(name: &str) -> String {
    let host_from = match name.split_once(':') {
        Some(("DNS", _)) => 4,
        // What stands before the host may tell the cases apart (RFC 5321 section 2.4).
        Some(("email", _)) => name.rfind('@').unwrap_or(name.len()),
        _ => return name.to_owned(),
    };
    match name.split_at_checked(host_from) {
        Some((before, host)) => before.to_owned() + &host.to_ascii_lowercase(),
        None => name.to_owned(),
    }
}

/// The text of an attribute; `None` in the encodings of which RFC 5280 wants none in new certificates.
fn text(value: &Any) -> Option<String> {
    let utf8 = value.decode_as::<Utf8StringRef<'_>>();
    let printable = || value.decode_as::<PrintableStringRef<'_>>();
    let ia5 = || value.decode_as::<Ia5StringRef<'_>>();
    match (utf8, printable(), ia5()) {
        (Ok(text), _, _) => Some(text.to_string()),
        (_, Ok(text), _) => Some(text.to_string()),
        (_, _, Ok(text)) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    #[test]
    fn names_of_all_kinds_and_the_end_are_read() {
        let mut params = CertificateParams::new(["App.Example.com".into()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Media \u{e9}");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "none of these");
        for name in [
            SanType::Rfc822Name("Ops@Example.com".try_into().unwrap()),
            SanType::URI("spiffe://example.com/App".try_into().unwrap()),
            SanType::IpAddress([192, 0, 2, 1].into()),
        ] {
            params.subject_alt_names.push(name);
        }
        params.not_after = date_time_ymd(2030, 1, 1);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let subject = Subject::of(made.der()).unwrap();
        let wanted = [
            "URI:spiffe://example.com/App",
            "DNS:app.example.com",
            "email:Ops@example.com",
            "CN:Media \u{e9}",
        ];
        assert_eq!(subject.names, wanted);
        assert!((subject.not_after - 1_893_456_000.0).abs() < 0.5);
    }

    #[test]
    fn whatever_is_no_certificate_is_refused() {
        let made = rcgen::generate_simple_self_signed(["a".into()]).unwrap();
        let good = made.cert.der();
        for length in 0..good.len() {
            assert!(Subject::of(&good[..length]).is_err(), "{length}");
        }
        for place in 0..good.len() {
            let mut broken = good.to_vec();
            broken[place] ^= 0x55;
            // Some other certificate, or none; in any case no panic.
            drop(Subject::of(&broken));
        }
    }
}
