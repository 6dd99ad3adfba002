//! Padding that lets the packets of a frame leave in one message.
//!
//! With UDP GSO the system cuts one message into datagrams of one size, of which only the last may
//! be shorter. Encoders that divide a frame evenly, as that of libwebrtc does, make some packets a
//! byte larger than the others, and the larger ones come last: without padding such a frame takes
//! two messages for each viewer. A byte of RTP padding (RFC 3550 §5.1) costs less than a message.

use rivero_rtp_session::Paddings;

/// Bytes that a packet is padded by at most. Even division makes differences of one byte; more
/// than this is another kind of packet, for which a message of its own is cheaper than filling.
const LIMIT: usize = 8;

/// For packets of these lengths, in this order: by how many bytes to pad each of them, so that they
/// leave in few messages.
pub(crate) fn paddings(lengths: &[usize]) -> Paddings {
    let mut paddings = Paddings::with_capacity(lengths.len());
    while let Some(run) = lengths
        .get(paddings.len()..)
        .filter(|rest| !rest.is_empty())
    {
        let (count, size) = run_of(run);
        let fill = |length: &usize| u8::try_from(size.saturating_sub(*length)).unwrap_or(0);
        // The last of a message may be shorter, and is not padded.
        paddings.extend(run.iter().take(count - 1).map(fill));
        paddings.push(0);
    }
    paddings
}

/// How many packets the next message takes, and to which size all but its last are padded.
fn run_of(lengths: &[usize]) -> (usize, usize) {
    let (mut smallest, mut largest) = (usize::MAX, 0);
    for (count, length) in lengths.iter().enumerate() {
        let (low, high) = (smallest.min(*length), largest.max(*length));
        if high - low > LIMIT {
            // A much shorter one may still end the message; a much larger one begins the next.
            let ends = usize::from(*length < smallest);
            return (count + ends, largest);
        }
        (smallest, largest) = (low, high);
    }
    (lengths.len(), largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages that packets of these lengths take once they are padded.
    fn messages(lengths: &[usize]) -> usize {
        messages_of(lengths, &paddings(lengths))
    }

    fn messages_of(lengths: &[usize], paddings: &[u8]) -> usize {
        assert_eq!(paddings.len(), lengths.len());
        let sizes = lengths.iter().zip(paddings);
        let (mut messages, mut segment) = (0, None);
        for size in sizes.map(|(length, padding)| length + usize::from(*padding)) {
            messages += usize::from(segment.is_none_or(|segment| size > segment));
            segment = match segment {
                Some(segment) if size < segment => None,
                Some(segment) if size == segment => Some(segment),
                _ => Some(size),
            };
        }
        messages
    }

    #[test]
    fn evenly_divided_frames_take_one_message() {
        for (lengths, expected) in [
            (&[][..], &[][..]),
            (&[900], &[0]),
            (&[1100, 1100, 1101, 1101], &[1, 1, 0, 0]),
            (&[1100, 1100, 1101, 1100], &[1, 1, 0, 0]),
            (&[1101, 1100, 1100], &[0, 1, 0]),
            (&[1100, 1104, 1108, 300], &[8, 4, 0, 0]),
        ] {
            assert_eq!(&*paddings(lengths), expected, "{lengths:?}");
            assert!(messages(lengths) <= 1, "{lengths:?}");
        }
    }

    #[test]
    fn what_differs_more_is_left_as_it_is() {
        assert_eq!(&*paddings(&[100, 1100, 1101]), [0, 1, 0]);
        assert_eq!(&*paddings(&[1100, 300, 1100, 1100]), [0, 0, 0, 0]);
        assert_eq!(messages(&[1100, 300, 1100, 1100]), 2);
        // Steps that are small one by one do not add up.
        let steps: Vec<usize> = (0..10).map(|step| 1000 + 8 * step).collect();
        assert!(paddings(&steps).iter().all(|padding| *padding <= 8));
        assert_eq!(messages(&steps), 5);
    }

    #[test]
    fn padding_never_takes_more_messages() {
        let mut seed = 7_u64;
        for _ in 0..20_000 {
            let mut lengths = Vec::new();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                lengths.push(1000 + usize::try_from(seed >> 59).unwrap());
            }
            let zeros = vec![0; lengths.len()];
            let padded = messages_of(&lengths, &paddings(&lengths));
            assert!(padded <= messages_of(&lengths, &zeros), "{lengths:?}");
        }
    }
}
