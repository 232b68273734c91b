//! Scans this process's own memory: after use and drop no copy of a key of any spec is left.
//!
//! One test alone in its binary, so that no other thread holds secrets meanwhile.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::hint::black_box;
use std::sync::atomic::{AtomicU8, Ordering};

use bulla_crypto::keys::{EncryptionAlgorithm, KeySpec, MacAlgorithm, Message, PrivateKey, SigningAlgorithm};
use bulla_crypto::{Random, RandomError, SecretBytes, SystemRandom};
use bulla_testkit::memory;

/// 32 bytes of a secret, masked: nowhere does the test itself hold them in a row.
static MASKED: [AtomicU8; 32] = [const { AtomicU8::new(0) }; 32];
const MASK: u8 = 0x5a;

#[inline(never)]
fn remember(secret: &[u8]) {
    for (masked, byte) in MASKED.iter().zip(secret) {
        masked.store(black_box(*byte) ^ MASK, Ordering::SeqCst);
    }
}

#[inline(never)]
fn forward(at: usize) -> u8 {
    MASKED[at].load(Ordering::SeqCst) ^ black_box(MASK)
}

/// Libraries keep large numbers with their last byte first.
fn backward(at: usize) -> u8 {
    forward(31 - at)
}

fn copies() -> usize {
    memory::copies(forward).unwrap() + memory::copies(backward).unwrap()
}

/// The seed of the lattice keys whose expansion is looked for.
#[inline(never)]
fn seed_byte(at: usize) -> u8 {
    black_box(at as u8).wrapping_mul(37).wrapping_add(91) ^ 0xc3
}

struct FromSeed;

impl Random for FromSeed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        for (at, byte) in out.iter_mut().enumerate() {
            *byte = seed_byte(at);
        }
        Ok(())
    }
}

/// Uses a key in every way that its spec has.
fn use_it(key: &PrivateKey) {
    let spec = key.spec();
    for algorithm in SigningAlgorithm::ALL {
        let message = b"message";
        drop(key.sign(algorithm, Message::Raw(message), &SystemRandom));
        if let Some(digest) = algorithm.digest(message) {
            drop(key.sign(algorithm, Message::Digest(&digest), &SystemRandom));
        }
        drop(key.sign(algorithm, Message::ExternalMu(&[7; 64]), &SystemRandom));
    }
    for algorithm in [
        MacAlgorithm::HmacSha224,
        MacAlgorithm::HmacSha256,
        MacAlgorithm::HmacSha384,
        MacAlgorithm::HmacSha512,
    ] {
        drop(key.generate_mac(algorithm, b"message"));
    }
    if let Ok(public) = key.public_key() {
        drop(key.agree(&public));
        if let Ok(sealed) = public.encrypt(EncryptionAlgorithm::RsaesOaepSha256, b"plaintext") {
            key.decrypt(EncryptionAlgorithm::RsaesOaepSha256, &sealed).unwrap();
        }
        if let Ok(encapsulated) = public.encapsulate() {
            key.decapsulate(&encapsulated.ciphertext).unwrap();
        }
    }
    if let Some(pkcs8) = key.pkcs8_der() {
        drop(PrivateKey::from_imported(spec, &pkcs8).unwrap());
        // Refused after its secret was read.
        let mut wrong = SecretBytes::from_vec([pkcs8.expose_secret(), &[0]].concat());
        assert!(PrivateKey::from_imported(spec, &wrong).is_err());
        wrong = pkcs8;
        drop(wrong);
    }
}

/// Where 32 secret bytes lie in the stored form.
fn secret_part(spec: KeySpec, stored: &[u8]) -> &[u8] {
    let start = match spec {
        // The modulus comes first; the second half is nothing but primes and exponents.
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => stored.len() * 3 / 4,
        // After headers of at most 36 bytes, before the point.
        KeySpec::EccNistP256 | KeySpec::EccSecgP256k1 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => 36,
        KeySpec::EccNistEdwards25519 => 16,
        _ => 0,
    };
    &stored[start..]
}

/// First coefficients of the first polynomial of s1 (FIPS 204, algorithm 33), and of its NTT, of the seed above; by another implementation.
const S1: [(KeySpec, [i8; 8], [u32; 8]); 3] = [
    (
        KeySpec::MlDsa44,
        [2, 2, 0, -2, 1, 2, 2, -1],
        masked([
            530_015, 5_108_548, 1_225_614, 2_673_988, 8_035_759, 551_964, 2_881_223, 1_259_001,
        ]),
    ),
    (
        KeySpec::MlDsa65,
        [2, -4, 3, -1, -3, 4, 2, 3],
        masked([
            5_870_928, 5_655_849, 903_385, 4_311_867, 7_412_936, 751_156, 5_905_898, 253_498,
        ]),
    ),
    (
        KeySpec::MlDsa87,
        [0, -2, -2, -1, 0, 1, 1, -1],
        masked([
            4_085_711, 4_422_009, 2_346_269, 7_098_382, 5_737_099, 7_668_100, 5_846_462, 3_377_304,
        ]),
    ),
];

/// The NTT's coefficients lie in four bytes each as a library holds them: masked, so that the test's own are not found.
const fn masked(mut ntt: [u32; 8]) -> [u32; 8] {
    let mut at = 0;
    while at < ntt.len() {
        ntt[at] ^= u32::from_ne_bytes([MASK; 4]);
        at += 1;
    }
    ntt
}

/// Gives one coefficient of s1 as a library may hold it, from the plain ones and those of the NTT.
type Form = fn([i8; 8], [u32; 8], usize) -> u32;

/// Each form in which a library may hold s1: modulo q, with a sign, and as its NTT.
fn forms_of_s1() -> [Form; 3] {
    [
        |plain, _, at| u32::try_from(i64::from(plain[at]).rem_euclid(8_380_417)).unwrap(),
        |plain, _, at| i32::from(plain[at]).cast_unsigned(),
        |_, ntt, at| ntt[at] ^ black_box(u32::from_ne_bytes([MASK; 4])),
    ]
}

/// Remembers eight coefficients, each in four bytes, one byte at a time.
fn remember_coefficients(coefficient: impl Fn(usize) -> u32) {
    for (at, masked) in MASKED.iter().enumerate() {
        let byte = (coefficient(at / 4) >> (8 * (at % 4))) as u8;
        masked.store(black_box(byte) ^ MASK, Ordering::SeqCst);
    }
}

#[test]
fn after_use_and_drop_no_copy_of_a_key_of_any_spec_is_left() {
    let mut left = Vec::new();
    for spec in KeySpec::ALL {
        let key = PrivateKey::generate(spec, &SystemRandom).unwrap();
        remember(secret_part(spec, key.stored_bytes().expose_secret()));
        assert!(copies() >= 1, "{spec}: the scan sees a key that is there");
        use_it(&key);
        drop(key);
        let found = copies();
        if found > 0 {
            left.push(format!("{spec}: {found}"));
        }
    }
    for (spec, plain, ntt) in S1 {
        let key = PrivateKey::generate(spec, &FromSeed).unwrap();
        use_it(&key);
        drop(key);
        for (form, coefficient) in forms_of_s1().into_iter().enumerate() {
            remember_coefficients(|at| coefficient(plain, ntt, at));
            let found = copies();
            if found > 0 {
                left.push(format!("{spec}: s1 in form {form}: {found}"));
            }
        }
    }
    assert!(left.is_empty(), "left in memory: {left:?}");
}
