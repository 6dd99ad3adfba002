//! How long bytes to the other side and their acknowledgement take, as the system measures it: neither OBS nor FFmpeg
//! answers RTMP's own pings.

use std::{os::fd::AsFd, time::Duration};

use nix::{getsockopt_impl, libc, sys::socket::getsockopt, sys::socket::sockopt::GetStruct};

/// `TCP_INFO` (tcp(7)).
#[derive(Clone, Copy)]
struct TcpInfo;

getsockopt_impl!(
    TcpInfo,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    libc::tcp_info,
    GetStruct<libc::tcp_info>
);

/// The round trip of a TCP connection, smoothed (RFC 6298 §2); `None` for what is no such connection.
pub(crate) fn round_trip(socket: &impl AsFd) -> Option<Duration> {
    let info = getsockopt(socket, TcpInfo).ok()?;
    Some(Duration::from_micros(info.tcpi_rtt.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        net::{TcpListener, TcpStream},
    };

    #[test]
    fn a_connection_has_a_round_trip_and_a_file_has_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let measured = round_trip(&client).unwrap();
        assert!(measured > Duration::ZERO && measured < Duration::from_secs(1));
        assert_eq!(round_trip(&File::open("/dev/null").unwrap()), None);
    }
}
