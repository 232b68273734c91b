//! bulla-service.
