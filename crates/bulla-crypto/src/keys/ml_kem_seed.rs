//! ML-KEM keys from their seeds, by `ml-kem`: `aws-lc-rs` reads expanded keys only.

use aws_lc_rs::kem::{self, Algorithm, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
#[expect(
    deprecated,
    reason = "the expanded form is the only one that aws-lc-rs reads; it is not stored"
)]
use ml_kem::ExpandedKeyEncoding;
use ml_kem::{DecapsulationKey512, DecapsulationKey768, DecapsulationKey1024, KeyExport, Seed};
use zeroize::Zeroize;

use super::{InvalidKey, KeySpec};
use crate::{constant_time_eq, hazmat};

pub(super) fn algorithm(spec: KeySpec) -> Option<&'static Algorithm> {
    match spec {
        KeySpec::MlKem512 => Some(&ML_KEM_512),
        KeySpec::MlKem768 => Some(&ML_KEM_768),
        KeySpec::MlKem1024 => Some(&ML_KEM_1024),
        _ => None,
    }
}

/// Expands a seed d ‖ z (FIPS 203, algorithm 16) to the library's decapsulation key and the encapsulation key's bytes.
pub(super) fn expand(spec: KeySpec, seed: &[u8]) -> Result<(kem::DecapsulationKey, Vec<u8>), InvalidKey> {
    hazmat::on_burnt_stack(|| expand_here(spec, seed))
}

fn expand_here(spec: KeySpec, seed: &[u8]) -> Result<(kem::DecapsulationKey, Vec<u8>), InvalidKey> {
    let algorithm = algorithm(spec).ok_or(InvalidKey)?;
    let mut seed = Seed::try_from(seed).map_err(|_| InvalidKey)?;
    macro_rules! expand {
        ($key:ty) => {{
            let own = <$key>::from_seed(seed.clone());
            #[expect(deprecated, reason = "as above")]
            let mut expanded = own.to_expanded_bytes();
            let key = kem::DecapsulationKey::new(algorithm, &expanded);
            expanded.zeroize();
            (key, own.encapsulation_key().to_bytes().to_vec())
        }};
    }
    let (key, public) = match spec {
        KeySpec::MlKem512 => expand!(DecapsulationKey512),
        KeySpec::MlKem768 => expand!(DecapsulationKey768),
        _ => expand!(DecapsulationKey1024),
    };
    seed.zeroize();
    Ok((key.map_err(|_| InvalidKey)?, public))
}

/// Tells whether `expanded` is the decapsulation key of the seed, byte for byte.
pub(super) fn is_expanded(spec: KeySpec, seed: &[u8], expanded: &[u8]) -> bool {
    hazmat::on_burnt_stack(|| is_expanded_here(spec, seed, expanded))
}

fn is_expanded_here(spec: KeySpec, seed: &[u8], expanded: &[u8]) -> bool {
    let Ok(mut seed) = Seed::try_from(seed) else {
        return false;
    };
    macro_rules! same {
        ($key:ty) => {{
            #[expect(deprecated, reason = "as above")]
            let mut own = <$key>::from_seed(seed.clone()).to_expanded_bytes();
            let same = constant_time_eq(&own, expanded);
            own.zeroize();
            same
        }};
    }
    let same = match spec {
        KeySpec::MlKem512 => same!(DecapsulationKey512),
        KeySpec::MlKem768 => same!(DecapsulationKey768),
        _ => same!(DecapsulationKey1024),
    };
    seed.zeroize();
    same
}

/// FIPS 203, 7.2: the modulus check of an encapsulation key.
pub(super) fn check_public(spec: KeySpec, key: &[u8]) -> Result<(), InvalidKey> {
    use ml_kem::TryKeyInit;
    let checked = match spec {
        KeySpec::MlKem512 => ml_kem::EncapsulationKey512::new_from_slice(key).is_ok(),
        KeySpec::MlKem768 => ml_kem::EncapsulationKey768::new_from_slice(key).is_ok(),
        _ => ml_kem::EncapsulationKey1024::new_from_slice(key).is_ok(),
    };
    if checked { Ok(()) } else { Err(InvalidKey) }
}
