use super::round_trips::random_data_key;
use super::{Broken, Fixture, context, ensure, refused};
use crate::KmsErrorKind::{Invalid, KeyDisabled, NotFound, Unsupported, WrongContext};
use crate::known_key::KnownKey;
use crate::{KeySpec, KeyState, KeyUsage, SigningAlgorithm, SigningInput, Verification};

const MESSAGE: &[u8] = b"what is signed";
const OTHER: &[u8] = b"what is signeD";

/// What a provider does not do it says with `Unsupported`, and its capabilities say so too.
pub async fn what_a_provider_can_not_do_is_unsupported(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    if provider.capabilities().signing.is_some() {
        return Ok(());
    }
    let (key, input) = (fixture.key(), SigningInput::Digest(&[0; 32]));
    let algorithm = SigningAlgorithm::EcdsaSha256;
    refused(provider.sign(&key, algorithm, input).await, &[Unsupported], "sign")?;
    refused(
        provider.verify(&key, algorithm, input, &[0; 64]).await,
        &[Unsupported],
        "verify",
    )?;
    refused(provider.public_key(&key).await, &[Unsupported], "public key")
}

/// What is signed verifies under the public key that the provider gives, with every algorithm of every spec.
pub async fn a_signature_verifies_under_the_public_key(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    for (key, spec) in signing_keys(fixture).await? {
        let known = known(fixture, &key).await?;
        for algorithm in spec.signing_algorithms() {
            let what = format!("{algorithm} of {spec}");
            let hashed = known.hashed(*algorithm, MESSAGE);
            let signed = provider.sign(&key, *algorithm, hashed.input()).await?;
            ensure(
                signed.algorithm == *algorithm,
                &format!("{what}: another algorithm is answered"),
            )?;
            ensure(
                signed.key_id == known.description.key,
                &format!("{what}: another key is answered"),
            )?;
            let verifies = known.verifies_message(*algorithm, MESSAGE, &signed.signature);
            ensure(verifies, &format!("{what}: the signature does not verify"))?;
        }
    }
    Ok(())
}

/// Whether the provider gets a message or its digest, what it signs is the same.
pub async fn a_signature_of_a_digest_is_one_of_its_message(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    for (key, spec) in signing_keys(fixture).await? {
        let known = known(fixture, &key).await?;
        for algorithm in spec.signing_algorithms() {
            let hashed = known.hashed(*algorithm, MESSAGE);
            for input in [SigningInput::Message(MESSAGE), hashed.input()] {
                if *algorithm == SigningAlgorithm::Ed25519PhSha512 && matches!(input, SigningInput::Message(_)) {
                    continue;
                }
                let signature = provider.sign(&key, *algorithm, input).await?.signature;
                let what = format!("{algorithm} of {spec} over {input:?}");
                ensure(known.verifies(*algorithm, hashed.input(), &signature), &what)?;
            }
        }
    }
    Ok(())
}

/// The provider itself finds valid what it signed, and invalid, without an error, what it did not.
pub async fn who_holds_the_key_agrees_on_what_is_valid(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    for (key, spec) in signing_keys(fixture).await? {
        let known = known(fixture, &key).await?;
        for algorithm in spec.signing_algorithms() {
            let what = format!("{algorithm} of {spec}");
            let (hashed, other) = (known.hashed(*algorithm, MESSAGE), known.hashed(*algorithm, OTHER));
            let signature = provider.sign(&key, *algorithm, hashed.input()).await?.signature;
            let valid = provider.verify(&key, *algorithm, hashed.input(), &signature).await?;
            ensure(
                valid == Verification::Valid,
                &format!("{what}: its own signature is invalid"),
            )?;
            let mut flipped = signature.clone();
            if let Some(last) = flipped.last_mut() {
                *last ^= 1;
            }
            for (input, signature, of) in [
                (other.input(), signature.as_slice(), "another message"),
                (hashed.input(), flipped.as_slice(), "a flipped bit"),
                (hashed.input(), &signature[..signature.len() - 1], "a byte too few"),
                (hashed.input(), &[], "no bytes"),
                (hashed.input(), &[0; 7000], "far too many bytes"),
            ] {
                let invalid = provider.verify(&key, *algorithm, input, signature).await?;
                ensure(
                    invalid == Verification::Invalid,
                    &format!("{what}: the signature of {of} is valid"),
                )?;
            }
        }
    }
    Ok(())
}

/// A signature is no other message's, and no other key's.
pub async fn a_signature_is_of_its_message_and_its_key(fixture: &impl Fixture) -> Result<(), Broken> {
    for (key, spec) in signing_keys(fixture).await? {
        let (one, Some(second)) = (known(fixture, &key).await?, fixture.signing_key(spec).await) else {
            continue;
        };
        let two = known(fixture, &second).await?;
        for algorithm in spec.signing_algorithms() {
            let hashed = one.hashed(*algorithm, MESSAGE);
            let signature = fixture
                .provider()
                .sign(&key, *algorithm, hashed.input())
                .await?
                .signature;
            let what = format!("{algorithm} of {spec}");
            let other = one.hashed(*algorithm, OTHER);
            ensure(
                !one.verifies(*algorithm, other.input(), &signature),
                &format!("{what}: a signature is another message's too"),
            )?;
            ensure(
                one.description.key == two.description.key
                    || !two.verifies(*algorithm, two.hashed(*algorithm, MESSAGE).input(), &signature),
                &format!("{what}: a signature is another key's too"),
            )?;
        }
    }
    Ok(())
}

/// The public key says what the key is, is the same whenever it is asked for, and is named as every other method names it.
pub async fn the_public_key_is_that_of_the_resolved_key(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    for (key, spec) in signing_keys(fixture).await? {
        let public = provider.public_key(&key).await?;
        ensure(
            public.spec == spec,
            &format!("a key of spec {spec} is said to be of {}", public.spec),
        )?;
        ensure(
            public.usage == KeyUsage::SignVerify,
            "a key that signs is said to be for something else",
        )?;
        ensure(!public.algorithms.is_empty(), "a key that signs has no algorithm")?;
        let known = public
            .algorithms
            .iter()
            .all(|algorithm| spec.signing_algorithms().contains(algorithm));
        ensure(known, &format!("a key of spec {spec} has an algorithm of another"))?;
        let described = provider.describe(&key).await?;
        ensure(described.key == public.key, "describe resolves the key to another name")?;
        ensure(
            (described.spec, described.usage) == (Some(spec), Some(KeyUsage::SignVerify)),
            "describe says something else of the key",
        )?;
        ensure(
            provider.public_key(&public.key).await? == public,
            "the resolved key has another public key",
        )?;
    }
    Ok(())
}

/// A key signs with the algorithms of its spec alone.
pub async fn sign_refuses_an_algorithm_of_another_spec(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    for (key, spec) in signing_keys(fixture).await? {
        for algorithm in SigningAlgorithm::ALL {
            if spec.signing_algorithms().contains(algorithm) {
                continue;
            }
            let digest = [0; 64];
            let input = algorithm
                .digest_bytes()
                .map_or(SigningInput::Message(MESSAGE), |bytes| {
                    SigningInput::Digest(&digest[..bytes])
                });
            let what = format!("{algorithm} of a key of spec {spec}");
            refused(provider.sign(&key, *algorithm, input).await, &[Invalid], &what)?;
        }
    }
    Ok(())
}

/// A digest of another length, a message where a digest belongs, a message that is too long: none is signed.
pub async fn sign_refuses_forms_and_lengths_that_are_not_the_algorithms(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let limit = provider.capabilities().signing.map(|limits| limits.max_message_bytes);
    for (key, spec) in signing_keys(fixture).await? {
        for algorithm in spec.signing_algorithms() {
            let long = vec![0; limit.filter(|limit| *limit < 1 << 20).map_or(65, |limit| limit + 1)];
            let bytes = algorithm.digest_bytes().unwrap_or(64);
            for (input, what) in [
                (SigningInput::Digest(&long[..bytes - 1]), "a digest that is too short"),
                (SigningInput::Digest(&long[..bytes + 1]), "a digest that is too long"),
                (SigningInput::Digest(&[]), "an empty digest"),
            ] {
                let outcome = provider.sign(&key, *algorithm, input).await;
                refused(outcome, &[Invalid], &format!("{what} for {algorithm} of {spec}"))?;
            }
            if limit.is_some_and(|limit| long.len() > limit) {
                let outcome = provider.sign(&key, *algorithm, SigningInput::Message(&long)).await;
                refused(
                    outcome,
                    &[Invalid],
                    &format!("a message that is too long for {algorithm} of {spec}"),
                )?;
            }
        }
    }
    Ok(())
}

/// A key that signs wraps nothing, and one that wraps signs nothing; to unwrap under the former is to name the wrong key.
pub async fn a_key_is_for_one_thing(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    let context = context(&[("tenant", "a")])?;
    let wrapped = provider
        .generate_data_key(&fixture.key(), &context)
        .await?
        .wrapped
        .bytes;
    for (key, spec) in signing_keys(fixture).await? {
        let what = format!("a data key from a key of spec {spec}");
        refused(provider.generate_data_key(&key, &context).await, &[Invalid], &what)?;
        refused(
            provider.wrap(&key, &random_data_key()?, &context).await,
            &[Invalid],
            &what,
        )?;
        refused(
            provider.unwrap(&key, &wrapped, &context).await,
            &[Invalid, WrongContext],
            &what,
        )?;
        let algorithm = spec.signing_algorithms()[0];
        let input = match algorithm.digest_bytes() {
            Some(bytes) => SigningInput::Digest(&[0; 64][..bytes]),
            None => SigningInput::Message(MESSAGE),
        };
        let what = "a signature by a key that wraps";
        refused(provider.sign(&fixture.key(), algorithm, input).await, &[Invalid], what)?;
        refused(
            provider.public_key(&fixture.key()).await,
            &[Invalid, Unsupported],
            "its public key",
        )?;
    }
    Ok(())
}

/// A key that does not exist signs nothing and has no public half.
pub async fn an_unknown_key_signs_nothing(fixture: &impl Fixture) -> Result<(), Broken> {
    let (provider, unknown) = (fixture.provider(), fixture.unknown_key());
    if !fixture.signs() {
        return Ok(());
    }
    let (algorithm, input) = (SigningAlgorithm::EcdsaSha256, SigningInput::Digest(&[1; 32]));
    refused(
        provider.sign(&unknown, algorithm, input).await,
        &[NotFound],
        "sign with an unknown key",
    )?;
    let outcome = provider.verify(&unknown, algorithm, input, &[0x30; 70]).await;
    refused(outcome, &[NotFound], "verify with an unknown key")?;
    refused(
        provider.public_key(&unknown).await,
        &[NotFound],
        "the public half of an unknown key",
    )
}

/// A disabled key signs nothing until it is enabled again.
pub async fn a_disabled_key_signs_nothing(fixture: &impl Fixture) -> Result<(), Broken> {
    let provider = fixture.provider();
    if !provider.capabilities().key_state || !fixture.signs() {
        return Ok(());
    }
    let Some(key) = fixture.signing_key(KeySpec::EccNistP256).await else {
        return Err(Broken::new("a provider that signs needs a key of spec ECC_NIST_P256"));
    };
    let (algorithm, input) = (SigningAlgorithm::EcdsaSha256, SigningInput::Digest(&[1; 32]));
    let signature = provider.sign(&key, algorithm, input).await?.signature;
    fixture.set_enabled(&key, false).await;
    refused(
        provider.sign(&key, algorithm, input).await,
        &[KeyDisabled],
        "sign with a disabled key",
    )?;
    let outcome = provider.verify(&key, algorithm, input, &signature).await;
    refused(outcome, &[KeyDisabled], "verify with a disabled key")?;
    let described = provider.describe(&key).await?;
    ensure(
        described.state == KeyState::Disabled,
        "a disabled key is described as something else",
    )?;
    fixture.set_enabled(&key, true).await;
    provider.sign(&key, algorithm, input).await?;
    Ok(())
}

/// Every signing key that the fixture has, one of each spec; a provider that signs has one.
pub(super) async fn signing_keys(fixture: &impl Fixture) -> Result<Vec<(String, KeySpec)>, Broken> {
    let mut keys = Vec::new();
    for spec in KeySpec::ALL.iter().filter(|spec| !spec.signing_algorithms().is_empty()) {
        if let Some(key) = fixture.signing_key(*spec).await {
            keys.push((key, *spec));
        }
    }
    ensure(
        !fixture.signs() || !keys.is_empty(),
        "a provider that signs needs a key that does",
    )?;
    Ok(keys)
}

async fn known(fixture: &impl Fixture, key: &str) -> Result<KnownKey, Broken> {
    let description = fixture.provider().public_key(key).await?;
    KnownKey::read(description).ok_or_else(|| Broken::new(format!("the public half of {key} is none of its spec")))
}
