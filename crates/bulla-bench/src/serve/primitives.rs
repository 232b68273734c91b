//! The bare primitive of an operation: what the library alone does in its place, on one thread.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};

/// Does the operation's primitive once, on 32 bytes.
pub(super) type Primitive = Box<dyn FnMut()>;

const MESSAGE: [u8; 32] = [0x5a; 32];

/// The primitive of a figure; `None` where the symmetric cipher is a small part of the operation, as `seal/<bytes>` shows.
pub(super) fn of(operation: &str) -> Option<Result<Primitive>> {
    match operation {
        "sign-p256" => Some(ecdsa_p256()),
        "sign-rsa2048" => Some(rsa_2048()),
        "hmac" => Some(Ok(hmac_256())),
        _ => None,
    }
}

/// How often it is done in a second.
pub(super) fn per_second(mut primitive: Primitive, time: Duration) -> f64 {
    let begin = Instant::now();
    let mut count = 0.0;
    while begin.elapsed() < time {
        primitive();
        count += 1.0;
    }
    count / begin.elapsed().as_secs_f64()
}

fn ecdsa_p256() -> Result<Primitive> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| anyhow!("no key was made"))?;
    let random = SystemRandom::new();
    Ok(Box::new(move || {
        black_box(key.sign(&random, black_box(&MESSAGE)).is_ok());
    }))
}

fn rsa_2048() -> Result<Primitive> {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no key was made"))?;
    let random = SystemRandom::new();
    let mut signature = vec![0; key.public_modulus_len()];
    Ok(Box::new(move || {
        black_box(
            key.sign(&RSA_PKCS1_SHA256, &random, black_box(&MESSAGE), &mut signature)
                .is_ok(),
        );
    }))
}

fn hmac_256() -> Primitive {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[0x17; 32]);
    Box::new(move || {
        black_box(hmac::sign(&key, black_box(&MESSAGE)));
    })
}
