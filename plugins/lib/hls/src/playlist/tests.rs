use proptest::prelude::*;

use super::*;

fn base() -> Url {
    "https://me:secret@video.test/live/list.m3u8?token=1"
        .parse()
        .unwrap()
}

fn media(text: &str) -> Media {
    match Playlist::parse(text, &base()).unwrap() {
        Playlist::Media(media) => media,
        Playlist::Master(master) => panic!("{master:?}"),
    }
}

fn error(lines: &str) -> Error {
    Playlist::parse(
        &format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{lines}"),
        &base(),
    )
    .unwrap_err()
}

#[test]
fn segments_have_what_the_tags_before_them_say() {
    let media = media(
        "\u{feff}#EXTM3U\r\n#EXT-X-VERSION:7\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MEDIA-SEQUENCE:17\r\n#EXT-X-DISCONTINUITY-SEQUENCE:3\r\n\
         #EXT-X-MAP:URI=\"head.mp4\",BYTERANGE=\"600@0\"\r\n# a comment\r\n#EXTINF:3.96,title\r\n#EXT-X-BYTERANGE:1000@600\r\nall.mp4\r\n\
         #EXTINF:4,\r\n#EXT-X-BYTERANGE:500\r\nall.mp4\r\n\r\n#EXT-X-DISCONTINUITY\r\n#EXT-X-KEY:METHOD=AES-128,URI=\"/key\",IV=0x1f\r\n#EXT-X-GAP\r\n#EXTINF:2\r\nhttp://other.test/b.ts\r\n#EXT-X-ENDLIST",
    );
    assert_eq!(
        (media.first, media.target, media.is_complete),
        (17, Duration::from_secs(4), true)
    );
    let [one, two, three] = &media.segments[..] else {
        panic!("{media:?}")
    };
    assert_eq!(
        one.url.as_str(),
        "https://me:secret@video.test/live/all.mp4"
    );
    assert_eq!(
        one.part,
        Some(Part {
            offset: 600,
            length: 1000
        })
    );
    assert_eq!(one.duration, Duration::from_millis(3960));
    assert_eq!(
        two.part,
        Some(Part {
            offset: 1600,
            length: 500
        })
    );
    assert_eq!(
        two.map.as_ref().unwrap().part,
        Some(Part {
            offset: 0,
            length: 600
        })
    );
    assert_eq!(
        [one, two, three].map(|segment| segment.discontinuity),
        [3, 3, 4]
    );
    assert_eq!(
        three.url.as_str(),
        "http://other.test/b.ts",
        "without the password"
    );
    assert!(three.is_gap && !two.is_gap);
    let key = three.key.as_ref().unwrap();
    assert_eq!(key.url.as_str(), "https://me:secret@video.test/key");
    assert_eq!(key.vector.map(u128::from_be_bytes), Some(0x1f));
    assert_eq!(one.key, None);
}

#[test]
fn variants_and_renditions_of_sound() {
    let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",DEFAULT=YES,URI=\"sound.m3u8\"\n\
        #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",URI=\"text.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360,CODECS=\"avc1.4d401e, mp4a.40.2\",AUDIO=\"a\"\nlow/list.m3u8\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"pictures.m3u8\"\n";
    let Playlist::Master(master) = Playlist::parse(text, &base()).unwrap() else {
        panic!()
    };
    let [variant] = &master.variants[..] else {
        panic!("{master:?}")
    };
    assert_eq!(variant.url.path(), "/live/low/list.m3u8");
    assert_eq!(
        (variant.bandwidth, variant.resolution),
        (900_000, Some((640, 360)))
    );
    assert_eq!(variant.codecs, ["avc1.4d401e", "mp4a.40.2"]);
    let [rendition] = &master.renditions[..] else {
        panic!("{master:?}")
    };
    assert_eq!(
        (rendition.group.as_str(), rendition.is_default),
        ("a", true)
    );
}

#[test]
fn a_key_of_none_ends_encryption() {
    let media = media(
        "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:1\na\n#EXT-X-KEY:METHOD=NONE\n#EXTINF:1\nb\n",
    );
    assert_eq!(
        [0, 1].map(|index| media.segments[index].key.is_some()),
        [true, false]
    );
    assert!(!media.is_complete);
}

#[test]
fn what_cannot_be_played_is_told() {
    assert_eq!(Playlist::parse("<html>", &base()), Err(Error::NoPlaylist));
    assert_eq!(error("#EXT-X-ENDLIST"), Error::Empty);
    assert!(matches!(
        error("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\""),
        Error::Encryption(_)
    ));
    assert!(matches!(
        error("#EXT-X-KEY:METHOD=AES-128,URI=\"k\",KEYFORMAT=\"com.apple\""),
        Error::Encryption(_)
    ));
    assert!(matches!(
        error("#EXT-X-KEY:METHOD=AES-128"),
        Error::Line { line: 3, .. }
    ));
    assert!(matches!(
        error("#EXT-X-I-FRAMES-ONLY"),
        Error::Unsupported(_)
    ));
    assert!(matches!(
        error("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\""),
        Error::Unsupported(_)
    ));
    assert!(matches!(
        error("#EXTINF:-1\na"),
        Error::Line { line: 3, .. }
    ));
    assert!(matches!(error("#EXTINF:NaN\na"), Error::Line { .. }));
    assert!(matches!(
        error("#EXT-X-BYTERANGE:5\na"),
        Error::Line { line: 4, .. }
    ));
    assert!(matches!(
        error("#EXT-X-BYTERANGE:5@18446744073709551615\na"),
        Error::Line { .. }
    ));
    assert!(matches!(
        error("#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n"),
        Error::TooMuch(_)
    ));
    let many = "#EXTINF:1\na\n".repeat(MOST_SEGMENTS + 1);
    assert!(matches!(error(&many), Error::TooMuch(_)));
    let variants = "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".repeat(MOST_VARIANTS + 1);
    assert!(matches!(error(&variants), Error::TooMuch(_)));
}

#[test]
fn older_playlists_are_told_apart() {
    assert!(is_hls("#EXTM3U\n#EXT-X-TARGETDURATION:4\n"));
    assert!(!is_hls("#EXTM3U\n#EXTINF:120,A song\nsong.mp3\n"));
    assert!(!is_hls("song.mp3\n#EXT-X-TARGETDURATION:4"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        lines in proptest::collection::vec("(#EXT(INF|-X-(KEY|MAP|BYTERANGE|STREAM-INF|MEDIA|MEDIA-SEQUENCE|START|DISCONTINUITY)):)?[A-Z=\",0-9@x.-]{0,30}", 0..20)
    ) {
        let _ = Playlist::parse(&format!("#EXTM3U\n{}", lines.join("\n")), &base());
    }
}
