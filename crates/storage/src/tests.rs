//! The store from outside, on real files, on a simulated disk that loses power, and on files with
//! flipped bits.

mod append;
mod corruption;
mod flush;
mod lifecycle;
mod power;
mod scan;
mod sim_disk;
mod support;
