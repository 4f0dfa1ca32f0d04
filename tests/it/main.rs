//! Tests that look at the program from outside its modules, in one binary.

mod architecture;
