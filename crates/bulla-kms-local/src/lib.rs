//! bulla-kms-local.
