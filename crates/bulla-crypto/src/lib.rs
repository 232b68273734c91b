//! bulla-crypto.
