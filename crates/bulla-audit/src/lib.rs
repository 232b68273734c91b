//! bulla-audit.
