//! ML-DSA over an external mu, by `ml-dsa`: `aws-lc-rs` takes messages only.

use ml_dsa::signature::rand_core::{TryCryptoRng, TryRng};
use ml_dsa::{
    EncodedVerifyingKey, ExpandedSigningKey, MlDsa44, MlDsa65, MlDsa87, MlDsaParams, Seed, Signature, VerifyingKey,
};
use ml_kem::array::{Array, sizes::U64};
use zeroize::Zeroize;

use super::{KeySpec, UseError};
use crate::{Random, RandomError, SecretBytes, hazmat};

/// A mu as the library takes it.
type B64 = Array<u8, U64>;

/// Length of a mu in bytes.
pub const MU_BYTES: usize = 64;

pub(super) fn sign(spec: KeySpec, seed: &SecretBytes, mu: &[u8], random: &dyn Random) -> Result<Vec<u8>, UseError> {
    hazmat::on_burnt_stack(|| match spec {
        KeySpec::MlDsa44 => sign_with::<MlDsa44>(seed, mu, random),
        KeySpec::MlDsa65 => sign_with::<MlDsa65>(seed, mu, random),
        KeySpec::MlDsa87 => sign_with::<MlDsa87>(seed, mu, random),
        _ => Err(UseError::Incompatible(spec)),
    })
}

/// FIPS 204, algorithm 7 from line 7, hedged: with 32 fresh bytes.
fn sign_with<P: MlDsaParams>(seed: &SecretBytes, mu: &[u8], random: &dyn Random) -> Result<Vec<u8>, UseError> {
    let mu = B64::try_from(mu).map_err(|_| UseError::MessageType)?;
    let mut seed = Seed::try_from(seed.expose_secret()).map_err(|_| UseError::Library)?;
    // The expanded key is made for each signature and wiped after it: it is tens of kilobytes, and expanding costs less than signing.
    let key = Box::new(ExpandedSigningKey::<P>::from_seed(&seed));
    seed.zeroize();
    let signature = key
        .sign_mu_randomized(&mu, &mut Source(random))
        .map_err(|_| UseError::Random(RandomError))?;
    Ok(signature.encode().to_vec())
}

pub(super) fn verify(spec: KeySpec, key: &[u8], mu: &[u8], signature: &[u8]) -> bool {
    match spec {
        KeySpec::MlDsa44 => verify_with::<MlDsa44>(key, mu, signature),
        KeySpec::MlDsa65 => verify_with::<MlDsa65>(key, mu, signature),
        KeySpec::MlDsa87 => verify_with::<MlDsa87>(key, mu, signature),
        _ => None,
    }
    .unwrap_or(false)
}

fn verify_with<P: MlDsaParams>(key: &[u8], mu: &[u8], signature: &[u8]) -> Option<bool> {
    let mu = B64::try_from(mu).ok()?;
    let signature = Signature::<P>::try_from(signature).ok()?;
    Some(decode::<P>(key)?.verify_mu(&mu, &signature))
}

pub(super) fn compute(spec: KeySpec, key: &[u8], message: &[u8]) -> Option<[u8; MU_BYTES]> {
    match spec {
        KeySpec::MlDsa44 => compute_with::<MlDsa44>(key, message),
        KeySpec::MlDsa65 => compute_with::<MlDsa65>(key, message),
        KeySpec::MlDsa87 => compute_with::<MlDsa87>(key, message),
        _ => None,
    }
}

fn compute_with<P: MlDsaParams>(key: &[u8], message: &[u8]) -> Option<[u8; MU_BYTES]> {
    use ml_dsa::signature::digest::Update;
    let absorb = |hash: &mut _| {
        Update::update(hash, message);
        Ok(())
    };
    decode::<P>(key)?.compute_mu(absorb, b"").ok().map(Into::into)
}

fn decode<P: MlDsaParams>(key: &[u8]) -> Option<VerifyingKey<P>> {
    EncodedVerifyingKey::<P>::try_from(key)
        .ok()
        .map(|encoded| VerifyingKey::decode(&encoded))
}

/// The caller's randomness, as the library takes it.
struct Source<'a>(&'a dyn Random);

impl TryRng for Source<'_> {
    type Error = RandomError;

    fn try_next_u32(&mut self) -> Result<u32, RandomError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, RandomError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill(out)
    }
}

impl TryCryptoRng for Source<'_> {}
