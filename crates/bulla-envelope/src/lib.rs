//! bulla-envelope.
