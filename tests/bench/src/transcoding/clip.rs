//! The pictures that are sent, and the plain pipeline that converts the same.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{affinity::Cores, error::Error, process::Process};

/// Pictures a second.
pub(super) const FRAME_RATE: u32 = 30;
/// Of IVF's file header.
const FILE_HEADER: usize = 32;
/// Of the header before each frame: its length, and its time.
const FRAME_HEADER: usize = 12;

/// What the module `codecs` sets of the encoder (`plugins/codecs/src/encode/encoder.rs`).
const X264: &str = "x264enc tune=zerolatency speed-preset=superfast sliced-threads=false threads=1 \
     key-int-max=60 bframes=0 vbv-buf-capacity=500 aud=false option-string=scenecut=0";

/// A moving picture in VP8, whose first frame alone is a keyframe.
pub(super) struct Clip {
    width: u32,
    height: u32,
    bitrate: u32,
    pictures: Vec<Vec<u8>>,
    home: TempDir,
}

impl Clip {
    /// Has GStreamer make one that lasts at least so long. `bitrate` is that of the conversion.
    pub(super) fn make(
        width: u32,
        height: u32,
        bitrate: u32,
        length: Duration,
    ) -> Result<Self, Error> {
        let home = TempDir::new().map_err(Error::system("a temporary directory"))?;
        let file = file(home.path());
        let count = (length.as_secs() + 2) * u64::from(FRAME_RATE);
        let pipeline = format!(
            "videotestsrc pattern=smpte horizontal-speed=3 num-buffers={count} ! \
             video/x-raw,format=I420,width={width},height={height},framerate={FRAME_RATE}/1 ! \
             vp8enc deadline=1 cpu-used=8 end-usage=cbr target-bitrate={} keyframe-max-dist=1000000 ! \
             avmux_ivf ! filesink location={}",
            bitrate + bitrate / 3,
            file.display()
        );
        let status = gst_launch(&pipeline)?.wait();
        let status = status.map_err(Error::system("gst-launch-1.0"))?;
        let bytes = fs::read(&file).map_err(Error::system("the clip"))?;
        let pictures = frames(&bytes);
        if !status.success() || pictures.len() as u64 != count {
            let made = pictures.len();
            return Err(Error::Other(format!(
                "gst-launch-1.0 made {made} of {count} pictures"
            )));
        }
        // The muxer's times are in units of its own, from which the plain pipeline's rate control
        // would take another frame rate.
        fs::write(&file, ivf(&pictures, width, height)).map_err(Error::system("the clip"))?;
        Ok(Self {
            width,
            height,
            bitrate,
            pictures,
            home,
        })
    }

    /// VP8 frames.
    pub(super) fn pictures(&self) -> Vec<Vec<u8>> {
        self.pictures.clone()
    }

    /// Bit/s of the conversion.
    pub(super) fn bitrate(&self) -> u32 {
        self.bitrate
    }

    /// Whether the limit of cost holds at this size, else that of latency does.
    pub(super) fn is_for_cost(&self) -> bool {
        self.height == 720
    }

    /// Percent of the server's core that the plain pipeline uses in a window that begins after
    /// `settle`, in real time. `wait` passes the time.
    pub(super) fn plain_percent(
        &self,
        cores: Cores,
        settle: Duration,
        window: Duration,
        wait: &mut dyn FnMut(Duration) -> Result<(), Error>,
    ) -> Result<f64, Error> {
        let pipeline = format!(
            "filesrc location={} ! ivfparse ! vp8dec threads=1 ! {X264} bitrate={} ! \
             video/x-h264,profile=constrained-baseline,stream-format=byte-stream ! \
             fakesink sync=true",
            file(self.home.path()).display(),
            self.bitrate / 1000
        );
        cores.enter_server()?;
        let child = gst_launch(&pipeline);
        cores.enter_generator()?;
        let mut child = Running(child?);
        wait(settle)?;
        let process = Process(child.0.id());
        let before = process.cpu_time()?;
        wait(window)?;
        let used = process.cpu_time()? - before;
        if !matches!(child.0.try_wait(), Ok(None)) {
            return Err(Error::Other("gst-launch-1.0 ended early".to_owned()));
        }
        Ok(100.0 * used.as_secs_f64() / window.as_secs_f64())
    }
}

impl fmt::Display for Clip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}x{} at {FRAME_RATE} a second",
            self.width, self.height
        )
    }
}

/// Ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn file(home: &Path) -> PathBuf {
    home.join("clip.ivf")
}

fn gst_launch(pipeline: &str) -> Result<Child, Error> {
    Command::new("gst-launch-1.0")
        .arg("-q")
        .args(pipeline.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(Error::system("gst-launch-1.0 (package gstreamer1.0-tools)"))
}

/// A file of these frames, each of which lasts as long.
fn ivf(frames: &[Vec<u8>], width: u32, height: u32) -> Vec<u8> {
    let low = |side: u32| u16::try_from(side).unwrap_or(u16::MAX).to_le_bytes();
    let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
    file.extend(low(width));
    file.extend(low(height));
    let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    for number in [FRAME_RATE, 1, count, 0] {
        file.extend(number.to_le_bytes());
    }
    for (time, frame) in (0u64..).zip(frames) {
        file.extend(u32::try_from(frame.len()).unwrap_or(0).to_le_bytes());
        file.extend(time.to_le_bytes());
        file.extend_from_slice(frame);
    }
    file
}

/// The frames of an IVF file.
fn frames(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = file.get(FILE_HEADER..).unwrap_or_default();
    let mut frames = Vec::new();
    while let Some((length, _)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let end = FRAME_HEADER.saturating_add(length);
        let (Some(frame), Some(after)) = (rest.get(FRAME_HEADER..end), rest.get(end..)) else {
            break;
        };
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_out_of_their_file() {
        let mut file = ivf(&[b"one".to_vec(), b"three".to_vec()], 640, 480);
        assert_eq!(frames(&file), [b"one".to_vec(), b"three".to_vec()]);
        file.pop();
        assert_eq!(frames(&file), [b"one".to_vec()]);
        assert!(frames(b"short").is_empty());
    }
}
