//! Intents in words: the same after `:` and for `tiphys do`.
