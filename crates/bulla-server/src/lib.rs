//! bulla-server.
