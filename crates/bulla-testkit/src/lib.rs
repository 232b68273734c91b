//! bulla-testkit.
