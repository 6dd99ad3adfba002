//! What packets are marked with. The load of `tests/bench` has this file, too.

/// What all packets of an endpoint carry; by default nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    dscp: u8,
}

impl Mark {
    /// A code point of six bits.
    pub(crate) const fn new(dscp: u8) -> Self {
        Self { dscp }
    }

    /// The byte in the IP header: the traffic class of IPv6, once the type of service of IPv4.
    /// Its lower two bits are not ours (RFC 3168).
    pub(crate) const fn traffic_class(self) -> u8 {
        self.dscp << 2
    }

    /// Whether packets leave as the system makes them.
    pub(crate) const fn is_none(self) -> bool {
        self.dscp == 0
    }
}
