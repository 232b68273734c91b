//! Random sequences of operations against a small model of AWS's state machine: the same answers, and the same keys afterwards.
//!
//! A few hundred sequences; with `scripts/test --full`, which sets `BULLA_TEST_FULL`, 10,000.

#[path = "../service/harness.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod harness;
#[path = "../service/importing.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod importing;
#[path = "../service/memory_store.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod memory_store;
mod model;
#[path = "../service/regions.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod regions;
mod system;

use proptest::test_runner::Config;
use proptest_state_machine::{StateMachineTest, prop_state_machine};

use crate::model::{Step, World};
use crate::system::Bulla;

impl StateMachineTest for Bulla {
    type SystemUnderTest = Bulla;
    type Reference = World;

    fn init_test(_: &World) -> Bulla {
        Bulla::new()
    }

    fn apply(mut bulla: Bulla, after: &World, step: Step) -> Bulla {
        let runtime = bulla.runtime.take().expect("a runtime");
        let said = runtime.block_on(bulla.step(after, &step));
        bulla.runtime = Some(runtime);
        let said = said.err().map(|error| error.code());
        assert_eq!(said, after.refused, "{step:?} with {after:?}");
        bulla
    }

    fn teardown(mut bulla: Bulla, world: World) {
        let runtime = bulla.runtime.take().expect("a runtime");
        runtime.block_on(bulla.compare_all(&world));
    }
}

/// Ten thousand sequences in the long form.
fn cases() -> u32 {
    let full = std::env::var_os("BULLA_TEST_FULL").is_some();
    if full { 10_000 } else { 200 }
}

prop_state_machine! {
    #![proptest_config(Config {
        cases: cases(),
        max_shrink_iters: 2_000,
        ..Config::default()
    })]

    #[test]
    fn every_sequence_of_operations_is_answered_as_awss_state_machine_has_it(sequential 1..40 => Bulla);
}
