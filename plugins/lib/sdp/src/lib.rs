//! SDP offer/answer as Kurento speaks it
