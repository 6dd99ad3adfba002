//! What a stream has lost and asked for.

/// Counted of a stream, or of many.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Losses {
    /// Packets that did not arrive (RFC 3550 §6.4.1).
    pub(crate) packets: u64,
    /// Generic NACK messages (RFC 4585 §6.2.1).
    pub(crate) nack: u64,
    /// Requests for keyframes: PLI (RFC 4585 §6.3.1) and FIR (RFC 5104 §4.3.1).
    pub(crate) pli: u64,
}

impl Losses {
    pub(crate) fn add(&mut self, other: Losses) {
        self.packets += other.packets;
        self.nack += other.nack;
        self.pli += other.pli;
    }

    /// What came since. A stream that ended takes its counts along, and late packets take losses back: nothing
    /// is new then.
    pub(crate) fn since(self, former: Losses) -> Losses {
        Losses {
            packets: self.packets.saturating_sub(former.packets),
            nack: self.nack.saturating_sub(former.nack),
            pli: self.pli.saturating_sub(former.pli),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_nothing_new() {
        let former = Losses {
            packets: 5,
            nack: 2,
            pli: 1,
        };
        let now = Losses {
            packets: 3,
            nack: 4,
            pli: 1,
        };
        let new = Losses {
            nack: 2,
            ..Losses::default()
        };
        assert_eq!(now.since(former), new);
    }
}
