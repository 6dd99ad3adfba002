//! What is said to a service: `image-deliver.proto`, and how tonic writes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use prost::Message;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// The path of `ImageDeliver.deliverImage` (gRPC over HTTP/2, "Requests").
pub(crate) const PATH: &str = "/videoSampler.ImageDeliver/deliverImage";

/// `SampleImage` of the file.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SampleImage {
    #[prost(string, tag = "1")]
    pub(crate) codec: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) data: Bytes,
    #[prost(string, tag = "3")]
    pub(crate) timestamp: String,
    #[prost(string, tag = "4")]
    pub(crate) pipeline_id: String,
    #[prost(string, tag = "5")]
    pub(crate) metadata: String,
    #[prost(int64, tag = "101")]
    pub(crate) unix_nanoseconds: i64,
    #[prost(string, tag = "102")]
    pub(crate) sampler_id: String,
    #[prost(uint64, tag = "103")]
    pub(crate) sequence: u64,
}

/// Writes pictures, and reads `Empty`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Images;

impl Codec for Images {
    type Encode = SampleImage;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Images {
    type Item = SampleImage;
    type Error = Status;

    fn encode(&mut self, image: SampleImage, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let encoded = image.encode(buffer);
        encoded.map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for Images {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        // Whatever fields a later version has are passed over.
        let decoded = <() as Message>::decode(buffer);
        decoded
            .map(Some)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

/// Nanoseconds since 1970 on the machine's clock, `age` ns ago.
pub(crate) fn unix_nanoseconds(age: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(age)
}

/// Nanoseconds since 1970 as C's `ctime` writes them, in UTC: `Tue Dec  1 14:19:19 2026`.
pub(crate) fn timestamp(unix_nanoseconds: i64) -> String {
    let since = Duration::from_nanos(u64::try_from(unix_nanoseconds).unwrap_or_default());
    // Sun, 06 Nov 1994 08:49:37 GMT
    let date = httpdate::fmt_http_date(UNIX_EPOCH + since);
    let mut parts = date.split([',', ' ']).filter(|part| !part.is_empty());
    let mut part = || parts.next().unwrap_or_default();
    let (weekday, day, month, year, time) = (part(), part(), part(), part(), part());
    let day = day.trim_start_matches('0');
    format!("{weekday} {month} {day:>2} {time} {year}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_ctime_does() {
        let written = |seconds: i64| timestamp(seconds * 1_000_000_000);
        assert_eq!(written(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(written(1_796_134_759), "Tue Dec  1 14:19:19 2026");
        assert_eq!(written(951_782_399), "Mon Feb 28 23:59:59 2000");
        assert_eq!(timestamp(-5), written(0));
    }

    #[test]
    fn a_message_has_the_numbers_of_the_file() {
        let image = SampleImage {
            codec: "PNG".to_owned(),
            data: Bytes::from_static(&[1, 2]),
            pipeline_id: "p".to_owned(),
            metadata: "m".to_owned(),
            sequence: 3,
            ..SampleImage::default()
        };
        let wanted = [
            b"\x0a\x03PNG".as_slice(),
            b"\x12\x02\x01\x02",
            b"\x22\x01p",
            b"\x2a\x01m",
            b"\xb8\x06\x03",
        ];
        assert_eq!(image.encode_to_vec(), wanted.concat());
    }

    #[test]
    fn the_machines_time_is_told() {
        let (then, now) = (unix_nanoseconds(5_000_000_000), unix_nanoseconds(0));
        assert!((4_000_000_000..=6_000_000_000).contains(&(now - then)));
    }
}
