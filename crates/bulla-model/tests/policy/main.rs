//! IAM JSON policies: AWS's documented examples as tables of decisions, each rule a row, and a naive evaluator to compare with.

mod conditions;
mod decisions;
mod documents;
mod harness;
mod reference;
mod wildcards;
