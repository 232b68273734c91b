//! IAM JSON policies: AWS's documented examples as tables of decisions, each rule a row, and a naive evaluator to compare with.

mod conditions;
mod decisions;
mod documents;
mod examples;
mod harness;
mod key_policies;
mod reference;
mod variables;
mod wildcards;
