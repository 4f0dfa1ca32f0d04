//! Configuration: defaults < file < environment < flags; every value knows its origin.
