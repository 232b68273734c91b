//! bulla-kms-aws.
