//! RTP and RTCP building blocks shared by modules
