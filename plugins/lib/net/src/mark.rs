//! What packets are marked with in their IP headers (RFC 2474).

/// What all packets of a session carry; by default nothing, so that routers treat them as any others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    dscp: u8,
}

impl Mark {
    /// A code point of six bits (RFC 2474 §3).
    #[must_use]
    pub const fn new(dscp: u8) -> Self {
        Self { dscp }
    }

    /// The byte in the IP header: the traffic class of IPv6, once the type of service of IPv4. Its
    /// lower two bits are those of explicit congestion notification (RFC 3168 §5), which no code point
    /// may touch.
    #[must_use]
    #[inline]
    pub const fn traffic_class(self) -> u8 {
        self.dscp << 2
    }

    /// Whether packets leave as the system makes them.
    #[must_use]
    #[inline]
    pub const fn is_none(self) -> bool {
        self.dscp == 0
    }
}
