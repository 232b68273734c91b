//! bulla-model.
