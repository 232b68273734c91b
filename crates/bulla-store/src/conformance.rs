//! The store conformance suite, for the tests of adapters.
