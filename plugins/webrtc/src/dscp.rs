//! The names that the API has for the mark in the IP header, which routers may act on (RFC 2474).

use rivero_net::Mark;

use crate::api::DSCPValue;

/// The mark that the client chose for an endpoint; without a choice, what the configuration says.
pub(crate) fn mark(chosen: DSCPValue, configured: DSCPValue) -> Mark {
    let value = match chosen {
        DSCPValue::NoValue => configured,
        chosen => chosen,
    };
    Mark::new(code_point(value))
}

/// The code point of six bits. The names for media are those of RFC 8837 §5, as Kurento reads it.
const fn code_point(value: DSCPValue) -> u8 {
    use DSCPValue as D;
    match value {
        D::NoDscp | D::NoValue | D::AudioLow | D::VideoLow | D::DataLow | D::ChromeLow | D::Cs0 => {
            0
        }
        D::AudioVerylow | D::VideoVerylow | D::DataVerylow | D::Le => 1,
        D::ChromeVerylow | D::Cs1 => 8,
        D::DataMedium | D::Af11 => 10,
        D::Af12 => 12,
        D::Af13 => 14,
        D::Cs2 => 16,
        D::DataHigh | D::Af21 => 18,
        D::Af22 => 20,
        D::Af23 => 22,
        D::Cs3 => 24,
        D::Af31 => 26,
        D::Af32 => 28,
        D::Af33 => 30,
        D::Cs4 => 32,
        D::VideoHighThroughput | D::Af41 => 34,
        D::VideoMedium | D::VideoHigh | D::Af42 => 36,
        D::VideoMediumThroughput | D::Af43 => 38,
        D::Cs5 => 40,
        D::Voiceadmit => 44,
        D::AudioMedium | D::AudioHigh | D::Ef => 46,
        D::Cs6 => 48,
        D::ChromeHigh | D::ChromeMedium | D::Cs7 => 56,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_counts_where_the_client_chooses_nothing() {
        let class = |chosen, configured| mark(chosen, configured).traffic_class();
        assert_eq!(class(DSCPValue::AudioHigh, DSCPValue::Cs1), 46 << 2);
        assert_eq!(class(DSCPValue::NoValue, DSCPValue::Cs1), 8 << 2);
        assert_eq!(class(DSCPValue::NoDscp, DSCPValue::Cs1), 0);
        assert!(mark(DSCPValue::NoValue, DSCPValue::NoValue).is_none());
        assert_eq!(Mark::default().traffic_class(), 0);
    }
}
