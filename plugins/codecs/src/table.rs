// Included by the module and by its build script, which writes the manifest.

/// Payload formats: the encoding's name in RTP, and what its packets hold.
const PAYLOADS: [(&str, &str); 13] = [
    ("VP8", "VP8"),
    ("VP9", "VP9"),
    ("AV1", "AV1"),
    ("H264", "H264"),
    ("H265", "H265"),
    ("OPUS", "OPUS"),
    ("PCMU", "PCMU"),
    ("PCMA", "PCMA"),
    ("G722", "G722"),
    ("AMR", "AMR"),
    ("AMR-WB", "AMR-WB"),
    ("MPEG4-GENERIC", "AAC"),
    ("L16", "L16"),
];

/// Encodings that are decoded, into what, and the cost.
const DECODED: [(&str, &str, u32); 17] = [
    ("VP8", PICTURES, 100),
    ("VP9", PICTURES, 120),
    ("AV1", PICTURES, 150),
    ("H264", PICTURES, 110),
    ("H265", PICTURES, 150),
    ("JPEG", PICTURES, 100),
    ("PNG", PICTURES, 200),
    ("OPUS", SAMPLES, 10),
    ("PCMU", SAMPLES, 5),
    ("PCMA", SAMPLES, 5),
    ("G722", SAMPLES, 6),
    ("AMR", SAMPLES, 10),
    ("AMR-WB", SAMPLES, 10),
    ("L16", SAMPLES, 4),
    ("AAC", SAMPLES, 10),
    ("MP3", SAMPLES, 10),
    ("VORBIS", SAMPLES, 10),
];

/// Encodings that are encoded, out of what, and the cost. That of telephones' codecs counts what they take
/// away: they keep 8,000 or 16,000 samples a second, so they are for consumers that take nothing better.
const ENCODED: [(&str, &str, u32); 16] = [
    ("VP8", PICTURES, 400),
    ("VP9", PICTURES, 700),
    ("AV1", PICTURES, 1500),
    ("H264", PICTURES, 300),
    ("H265", PICTURES, 1500),
    ("JPEG", PICTURES, 200),
    ("PNG", PICTURES, 1000),
    ("OPUS", SAMPLES, 30),
    ("PCMU", SAMPLES, 50),
    ("PCMA", SAMPLES, 50),
    ("G722", SAMPLES, 45),
    ("AMR", SAMPLES, 60),
    ("AMR-WB", SAMPLES, 48),
    ("L16", SAMPLES, 4),
    ("AAC", SAMPLES, 30),
    ("VORBIS", SAMPLES, 40),
];

/// Raw video: planes of Y, U and V, one picture a packet, without gaps between rows and planes.
const PICTURES: &str = "I420";
/// Raw audio: interleaved samples of 16 bits, little endian.
const SAMPLES: &str = "S16LE";

/// Putting together and cutting touch each byte once.
const REPACKAGING: u32 = 2;
