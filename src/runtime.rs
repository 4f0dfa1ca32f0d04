//! The only loop and the only reader of the clock: runs effects, feeds messages, draws.
