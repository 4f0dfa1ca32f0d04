//! Rollouts on the embedded platform, on stepped time.

mod arithmetic;
mod bed;
mod blue_green;
mod canary;
mod routing;
mod settled;
mod timeline;
mod trouble;
