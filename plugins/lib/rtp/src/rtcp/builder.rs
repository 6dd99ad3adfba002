//! Writing compound packets.

use super::report::SDES_CNAME;
use super::{REMB_IDENTIFIER, ReportBlock, SenderInfo, packet_type};

/// Report blocks in one packet; the count has five bits. RFC 3550 §6.4.1.
const MAX_REPORTS: usize = 31;
/// Entries of lists in feedback messages, so that a packet stays below the path's MTU.
const MAX_LIST: usize = 200;

/// Packets of the longest run, 13 bits.
const MAX_RUN: usize = 0x1fff;
/// Statuses of two bits in a chunk.
const VECTOR_LEN: usize = 7;

/// 0 not received, 1 with a one-byte delta, 2 with a two-byte delta.
fn status(delta: &Option<i16>) -> u16 {
    match delta {
        None => 0,
        Some(0..=255) => 1,
        Some(_) => 2,
    }
}

/// Writes a compound RTCP packet into a buffer that is kept between packets.
///
/// RFC 3550 §6.1 wants a report first; without one the packet is of reduced size (RFC 5506), which
/// every WebRTC peer accepts.
#[derive(Debug, Clone, Default)]
pub struct CompoundBuilder {
    bytes: Vec<u8>,
}

impl CompoundBuilder {
    /// Begins a new packet and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The packet so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing was added yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Adds an SR; of more than 31 `reports` the first 31.
    pub fn sender_report(
        &mut self,
        ssrc: u32,
        info: &SenderInfo,
        reports: &[ReportBlock],
    ) -> &mut Self {
        let reports = reports.get(..MAX_REPORTS).unwrap_or(reports);
        self.packet(packet_type::SENDER_REPORT, reports.len(), |out| {
            out.u32(ssrc);
            out.u64(info.ntp);
            out.u32(info.rtp_timestamp);
            out.u32(info.packet_count);
            out.u32(info.octet_count);
            out.report_blocks(reports);
        })
    }

    /// Adds an RR; of more than 31 `reports` the first 31.
    pub fn receiver_report(&mut self, ssrc: u32, reports: &[ReportBlock]) -> &mut Self {
        let reports = reports.get(..MAX_REPORTS).unwrap_or(reports);
        self.packet(packet_type::RECEIVER_REPORT, reports.len(), |out| {
            out.u32(ssrc);
            out.report_blocks(reports);
        })
    }

    /// Adds an SDES with a canonical name, cut to 255 bytes.
    pub fn cname(&mut self, ssrc: u32, cname: &str) -> &mut Self {
        let cname = cname.as_bytes();
        let cname = cname.get(..255).unwrap_or(cname);
        self.packet(packet_type::SOURCE_DESCRIPTION, 1, |out| {
            out.u32(ssrc);
            out.u8(SDES_CNAME);
            out.u8(u8::try_from(cname.len()).unwrap_or(0));
            out.bytes.extend_from_slice(cname);
            // The end of the items; the padding to four bytes consists of zeros as well.
            out.u8(0);
        })
    }

    /// Adds a BYE.
    pub fn goodbye(&mut self, sources: &[u32]) -> &mut Self {
        let sources = sources.get(..MAX_REPORTS).unwrap_or(sources);
        self.packet(packet_type::GOODBYE, sources.len(), |out| {
            sources.iter().for_each(|ssrc| out.u32(*ssrc));
        })
    }

    /// Adds a generic NACK for `lost`, best in ascending order; nothing if it is empty.
    pub fn nack(&mut self, sender_ssrc: u32, media_ssrc: u32, lost: &[u16]) -> &mut Self {
        if lost.is_empty() {
            return self;
        }
        let format = usize::from(packet_type::FORMAT_NACK);
        self.packet(packet_type::TRANSPORT_FEEDBACK, format, |out| {
            out.u32(sender_ssrc);
            out.u32(media_ssrc);
            let mut lost = lost.iter().copied().take(MAX_LIST).peekable();
            while let Some(base) = lost.next() {
                let mut following = 0u16;
                while let Some(distance) = lost
                    .peek()
                    .map(|next| next.wrapping_sub(base))
                    .filter(|distance| (1..=16).contains(distance))
                {
                    following |= 1 << (distance - 1);
                    lost.next();
                }
                out.u16(base);
                out.u16(following);
            }
        })
    }

    /// Adds a picture loss indication.
    pub fn picture_loss(&mut self, sender_ssrc: u32, media_ssrc: u32) -> &mut Self {
        let format = usize::from(packet_type::FORMAT_PLI);
        self.packet(packet_type::PAYLOAD_FEEDBACK, format, |out| {
            out.u32(sender_ssrc);
            out.u32(media_ssrc);
        })
    }

    /// Adds a full intra request. `command` grows by one with each new request and stays for a
    /// repetition (RFC 5104 §4.3.1.1).
    pub fn full_intra_request(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        command: u8,
    ) -> &mut Self {
        let format = usize::from(packet_type::FORMAT_FIR);
        self.packet(packet_type::PAYLOAD_FEEDBACK, format, |out| {
            out.u32(sender_ssrc);
            // RFC 5104 §4.3.1.2: the header's media source is unused.
            out.u32(0);
            out.u32(media_ssrc);
            out.bytes.extend_from_slice(&[command, 0, 0, 0]);
        })
    }

    /// Adds a REMB of `bitrate` bits per second for `streams`.
    pub fn receiver_estimated_bitrate(
        &mut self,
        sender_ssrc: u32,
        bitrate: u64,
        streams: &[u32],
    ) -> &mut Self {
        let streams = streams.get(..MAX_LIST).unwrap_or(streams);
        let format = usize::from(packet_type::FORMAT_APPLICATION);
        self.packet(packet_type::PAYLOAD_FEEDBACK, format, |out| {
            out.u32(sender_ssrc);
            out.u32(0);
            out.bytes.extend_from_slice(&REMB_IDENTIFIER);
            // 18 bits of mantissa, rounded down: the estimate is a maximum.
            let exponent = (64 - bitrate.leading_zeros()).saturating_sub(18);
            let mantissa = u32::try_from(bitrate >> exponent).unwrap_or(0x3_ffff);
            let count = u32::try_from(streams.len()).unwrap_or(0);
            out.u32(count << 24 | exponent << 18 | mantissa);
            streams.iter().for_each(|ssrc| out.u32(*ssrc));
        })
    }

    /// Adds transport-wide congestion control feedback of `sender` about the transport of the
    /// stream `media`: one entry for each packet from `base_sequence` on, for those that arrived
    /// the time since the one before, in 250 µs, for the first one since `reference_time` (64 ms
    /// units, 24 bits). `count` numbers these messages.
    pub fn transport_feedback(
        &mut self,
        (sender, media): (u32, u32),
        base_sequence: u16,
        reference_time: u32,
        count: u8,
        deltas: &[Option<i16>],
    ) -> &mut Self {
        let format = usize::from(packet_type::FORMAT_TRANSPORT_CC);
        self.packet(packet_type::TRANSPORT_FEEDBACK, format, |out| {
            out.u32(sender);
            out.u32(media);
            out.u16(base_sequence);
            out.u16(u16::try_from(deltas.len()).unwrap_or(u16::MAX));
            out.u32(reference_time << 8 | u32::from(count));
            out.status_chunks(deltas);
            for delta in deltas.iter().flatten() {
                match u8::try_from(*delta) {
                    Ok(small) => out.u8(small),
                    Err(_) => out.u16(delta.cast_unsigned()),
                }
            }
        })
    }

    /// Runs of equal statuses where they are long, else seven statuses of two bits.
    fn status_chunks(&mut self, deltas: &[Option<i16>]) {
        let mut rest = deltas;
        while let Some(first) = rest.first() {
            let symbol = status(first);
            let run = rest.iter().take_while(|delta| status(delta) == symbol);
            let run = run.take(MAX_RUN).count();
            let covered = if run >= VECTOR_LEN || run == rest.len() {
                self.u16(symbol << 13 | u16::try_from(run).unwrap_or(0));
                run
            } else {
                let vector = rest.iter().take(VECTOR_LEN).zip((0..VECTOR_LEN).rev());
                let symbols = vector.map(|(delta, place)| status(delta) << (2 * place));
                self.u16(0xc000 | symbols.fold(0, |all, symbol| all | symbol));
                VECTOR_LEN
            };
            rest = rest.get(covered..).unwrap_or_default();
        }
    }

    /// Writes header, body and padding of one packet.
    fn packet(
        &mut self,
        packet_type: u8,
        count: usize,
        write_body: impl FnOnce(&mut Self),
    ) -> &mut Self {
        let start = self.bytes.len();
        let count = u8::try_from(count & 0x1f).unwrap_or(0);
        self.bytes
            .extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
        write_body(self);
        let len = (self.bytes.len() - start).next_multiple_of(4);
        self.bytes.resize(start + len, 0);
        let words = u16::try_from(len / 4 - 1).unwrap_or(0).to_be_bytes();
        if let Some(field) = self.bytes.get_mut(start + 2..start + 4) {
            field.copy_from_slice(&words);
        }
        self
    }

    fn report_blocks(&mut self, reports: &[ReportBlock]) {
        for report in reports {
            self.u32(report.ssrc);
            let lost = report.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) & 0xff_ffff;
            self.u32(u32::from(report.fraction_lost) << 24 | lost.cast_unsigned());
            self.u32(report.highest_sequence);
            self.u32(report.jitter);
            self.u32(report.last_sender_report);
            self.u32(report.delay_since_last_sender_report);
        }
    }

    fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }
}
