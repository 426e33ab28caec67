//! The real program as a process: what it says when it cannot start, what it keeps when it is killed, what it leaves behind.

mod crash;
mod demo;
mod outage;
mod program;
mod set_up;
mod simulators;
mod start;
