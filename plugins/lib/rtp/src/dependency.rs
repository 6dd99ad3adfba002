//! The dependency descriptor of scalable streams (RTP payload format of AV1, appendix A): what a forwarder writes
//! anew in it.
//!
//! It begins with three bytes: two flags and the number of a template, then the number of the frame. Which
//! frames a frame needs is said by differences of these numbers, so that they may have gaps, and all of a
//! stream may be moved by one offset.

/// What each descriptor begins with.
const MANDATORY: usize = 3;
/// Numbers that are left free before the first frame of another source: packets may arrive out of order,
/// and one of a frame before it may come yet.
const GAP: u16 = 16;

/// The beginning of a descriptor, which takes the place of as many bytes of it.
pub type DescriptorFront = [u8; MANDATORY];

/// Numbers the frames of one stream on that comes from several sources in turn.
#[derive(Debug, Default)]
pub struct FrameNumbers {
    source: Option<u64>,
    /// From the numbers of the present source to ours.
    offset: u16,
    /// The highest one that was written.
    latest: Option<u16>,
}

impl FrameNumbers {
    /// How the `descriptor` of a packet of `source` is to begin; `None` for one that is too short.
    pub fn rewrite(&mut self, source: u64, descriptor: &[u8]) -> Option<DescriptorFront> {
        let number = number_of(descriptor)?;
        if self.source.replace(source) != Some(source) {
            let next = self
                .latest
                .map_or(number, |latest| latest.wrapping_add(GAP));
            self.offset = next.wrapping_sub(number);
        }
        let written = number.wrapping_add(self.offset);
        let is_later = |latest: u16| written.wrapping_sub(latest) < 1 << 15;
        if self.latest.is_none_or(is_later) {
            self.latest = Some(written);
        }
        self.rewrite_again(descriptor)
    }

    /// The same for a packet of the present source that was sent before.
    #[must_use]
    pub fn rewrite_again(&self, descriptor: &[u8]) -> Option<DescriptorFront> {
        let template = *descriptor.first()?;
        let [high, low] = number_of(descriptor)?
            .wrapping_add(self.offset)
            .to_be_bytes();
        Some([template, high, low])
    }
}

fn number_of(descriptor: &[u8]) -> Option<u16> {
    let [_, high, low] = *descriptor.first_chunk::<MANDATORY>()?;
    Some(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(number: u16) -> [u8; 5] {
        let [high, low] = number.to_be_bytes();
        [0xc1, high, low, 0x80, 7]
    }

    /// The number that a frame of a source gets.
    fn rewrite(numbers: &mut FrameNumbers, source: u64, number: u16) -> u16 {
        let [template, high, low] = numbers.rewrite(source, &descriptor(number)).unwrap();
        assert_eq!(template, 0xc1);
        u16::from_be_bytes([high, low])
    }

    #[test]
    fn numbers_go_on_when_the_source_changes() {
        let mut numbers = FrameNumbers::default();
        for number in 65_530..65_534 {
            assert_eq!(rewrite(&mut numbers, 1, number), number);
        }
        // 65,533 is followed by 65,549, which is 13.
        assert_eq!(rewrite(&mut numbers, 2, 100), 13);
        assert_eq!(rewrite(&mut numbers, 2, 102), 15, "gaps stay");
        assert_eq!(rewrite(&mut numbers, 2, 99), 12, "it came late");
        assert_eq!(rewrite(&mut numbers, 1, 65_535), 31, "back again");
    }

    #[test]
    fn what_is_sent_again_has_its_number() {
        let mut numbers = FrameNumbers::default();
        rewrite(&mut numbers, 1, 7);
        rewrite(&mut numbers, 2, 1000);
        let first = numbers.rewrite(2, &descriptor(1001));
        rewrite(&mut numbers, 2, 1002);
        assert_eq!(numbers.rewrite_again(&descriptor(1001)), first);
    }

    #[test]
    fn what_is_too_short_is_none() {
        let mut numbers = FrameNumbers::default();
        for length in 0..3 {
            assert_eq!(numbers.rewrite(1, &descriptor(1)[..length]), None);
            assert_eq!(numbers.rewrite_again(&descriptor(1)[..length]), None);
        }
        assert_eq!(numbers.rewrite(1, &[1, 2, 3]), Some([1, 2, 3]));
    }
}
