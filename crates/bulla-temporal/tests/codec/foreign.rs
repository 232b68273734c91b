use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bulla_crypto::{Context, SystemRandom};
use bulla_envelope::KeyPattern;
use bulla_kms::KeyProvider;
use bulla_temporal::json::{self, Shape};
use bulla_temporal::{
    CodecError, ExternalPayload, NamespaceKeys, Namespaces, OnPlaintext, OnUndecodable, Payload, PayloadCodec,
    PayloadError, SampleKey, SampleKeys, Unknown,
};
use bulla_testkit::FaultyProvider;
use prost::Message;
use serde_json::{Value, json};

use crate::{app_keys, codec, codec_of, default, key, namespace, plain};

fn seal(key: &[u8; 32], plaintext: &[u8]) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).unwrap());
    let mut buffer = plaintext.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([9; 12]), Aad::empty(), &mut buffer)
        .unwrap();
    [&[9; 12][..], &buffer].concat()
}

fn sample(id: &str, payload: &Payload) -> Payload {
    let mut sealed = Payload::new("binary/encrypted", seal(&[5; 32], &payload.encode_to_vec()));
    sealed.metadata.insert("encryption-key-id".to_owned(), id.into());
    sealed
}

fn codec_with_samples(on_undecodable: OnUndecodable) -> PayloadCodec {
    let mut keys = app_keys(&FaultyProvider::in_memory());
    keys.samples = Arc::new(SampleKeys::new([SampleKey::new("test-key-id", &[5; 32]).unwrap()]).unwrap());
    keys.on_undecodable = on_undecodable;
    codec_of(keys, PayloadCodec::default_settings())
}

#[tokio::test]
async fn what_the_sdk_samples_sealed_is_decoded_with_a_configured_key() {
    let codec = codec_with_samples(OnUndecodable::Error);
    let sealed = sample("test-key-id", &plain("\"x\""));
    assert_eq!(codec.decode(&default(), vec![sealed]).await.unwrap(), [plain("\"x\"")]);
}

#[tokio::test]
async fn what_can_not_be_decoded_fails_or_passes_as_the_namespace_says() {
    let unknown = sample("another", &plain("1"));
    let mut changed = sample("test-key-id", &plain("1"));
    changed.data[20] ^= 1;
    let bare = Payload::new("binary/encrypted", b"x".to_vec());
    let odd = Payload::new("temporal-codec", b"{}".to_vec());
    for payload in [unknown, changed, bare, odd] {
        let failed = codec_with_samples(OnUndecodable::Error)
            .decode(&default(), vec![plain("0"), payload.clone()])
            .await;
        assert!(matches!(
            failed,
            Err(CodecError::Payload {
                index: 1,
                reason: PayloadError::Undecodable
            })
        ));
        let passed = codec_with_samples(OnUndecodable::PassThrough)
            .decode(&default(), vec![plain("0"), payload.clone()])
            .await;
        assert_eq!(passed.unwrap(), [plain("0"), payload]);
    }
    // Not what claims to be sealed here.
    let ours = Payload::new(bulla_temporal::ENCODING, b"x".to_vec());
    assert!(
        codec_with_samples(OnUndecodable::PassThrough)
            .decode(&default(), vec![ours])
            .await
            .is_err()
    );
}

/// A payload as the replaced server wrote it, with a data key that was wrapped without a context.
async fn replaced(provider: &Arc<FaultyProvider>, key: &str, data: &str) -> Value {
    let made = provider.generate_data_key(key, &Context::empty()).await.unwrap();
    let id = made
        .wrapped
        .key
        .trim_start_matches("memory:")
        .trim_start_matches("//")
        .to_owned();
    let sealed = seal(made.data_key.expose_secret(), data.as_bytes());
    json!({
        "metadata": {"encoding": "binary/encrypted"},
        "data": base64_simd::STANDARD.encode_to_string(sealed),
        "kms_key_id": id,
        "encrypted_data_key": base64_simd::STANDARD.encode_to_string(made.wrapped.bytes),
        "algorithm": "AES-256-GCM",
    })
}

#[tokio::test]
async fn what_the_replaced_server_sealed_is_decoded_in_both_its_clothings() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let payload = replaced(&provider, "key-a", "{\"id\":123}").await;
    let request = json::read(json!({"payloads": [payload]}).to_string().as_bytes()).unwrap();
    assert_eq!(request.shape, Shape::Replaced);
    let unwraps = provider.calls().unwrap;
    for _ in 0..3 {
        let decoded = codec.decode(&default(), request.payloads.clone()).await.unwrap();
        assert_eq!(decoded, [plain("{\"id\":123}")]);
    }
    // As its Go client stored it in histories.
    let stored = Payload::new("temporal-codec", payload.to_string().into_bytes());
    assert_eq!(
        codec.decode(&default(), vec![stored]).await.unwrap(),
        [plain("{\"id\":123}")]
    );
    assert_eq!(provider.calls().unwrap - unwraps, 1);
}

#[tokio::test]
async fn a_data_key_of_the_replaced_server_under_a_key_that_is_not_accepted_asks_no_provider() {
    let provider = FaultyProvider::in_memory();
    provider.rotate_alias("alias/x", "theirs");
    let payload = replaced(&provider, "theirs", "planted").await;
    let request = json::read(json!({"payloads": [payload]}).to_string().as_bytes()).unwrap();
    let unwraps = provider.calls().unwrap;
    assert!(codec(&provider).decode(&default(), request.payloads).await.is_err());
    assert_eq!(provider.calls().unwrap, unwraps);
}

#[tokio::test(start_paused = true)]
async fn a_data_key_of_the_replaced_server_goes_with_its_disabled_key() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let payload = replaced(&provider, "key-a", "{}").await;
    let request = json::read(json!({"payloads": [payload]}).to_string().as_bytes()).unwrap();
    for _ in 0..2 {
        assert!(codec.decode(&default(), request.payloads.clone()).await.is_ok());
    }
    provider.set_key_state("key-a", bulla_kms::KeyState::Disabled);
    let gone = async {
        while codec.decode(&default(), request.payloads.clone()).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    // "a key that was disabled … stops sealing and opening within 30 s and one call"
    tokio::time::timeout(Duration::from_secs(35), gone).await.unwrap();
    assert_eq!(codec.stats()[0].1.cached_keys, 0);
}

#[tokio::test]
async fn where_plaintext_is_an_error_only_what_says_nothing_passes_unopened() {
    let mut keys = app_keys(&FaultyProvider::in_memory());
    keys.on_plaintext = OnPlaintext::Error;
    let codec = codec_of(keys, PayloadCodec::default_settings());
    let sealed = codec.encode(&default(), vec![plain("1")]).await.unwrap();
    let null = Payload::new("binary/null", Vec::new());
    let reference = br#"{"driver_name":"s3","driver_claim":{"claim_data":{"key":"k"}}}"#;
    let mut reference = Payload::new("json/external-storage-reference", reference.to_vec());
    reference.external_payloads.push(ExternalPayload { size_bytes: 1 });
    let bare = [Payload::default(), null.clone(), reference];
    let all = [&sealed[..], &bare].concat();
    let opened = codec.decode(&default(), all).await.unwrap();
    assert_eq!(opened, [&[plain("1")][..], &bare].concat());
    let mut described = null.clone();
    described.metadata.insert("note".to_owned(), b"x".to_vec());
    let filled = Payload::new("binary/null", b"x".to_vec());
    let near = Payload::new("binary/Bulla-v1", sealed[0].data.clone());
    for planted in [
        plain("{\"amount\":1000000}"),
        described,
        filled,
        near,
        Payload::new("binary/plain", vec![1]),
    ] {
        let refused = codec.decode(&default(), vec![sealed[0].clone(), planted]).await;
        assert!(matches!(
            refused,
            Err(CodecError::Payload {
                index: 1,
                reason: PayloadError::Plaintext
            })
        ));
    }
    assert_eq!(codec.stats()[0].1.refused, 5);
}

fn arn(key: &str) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{key}")
}

#[tokio::test]
async fn what_the_replaced_server_sealed_opens_where_its_key_is_named_and_not_in_all_of_the_account() {
    let provider = FaultyProvider::in_memory();
    let keys = |name: &str| {
        provider.rotate_alias(&format!("alias/{name}"), &arn(name));
        NamespaceKeys::new(key(&provider, &format!("alias/{name}")))
    };
    let mut reading = keys("reading");
    reading.decrypt_only = vec![key(&provider, &arn("first"))];
    let mut accepting = keys("accepting");
    accepting.accept = vec![KeyPattern::new(format!("memory://{}", arn("first"))).unwrap()];
    let rules = [
        ("first", keys("first")),
        ("second", keys("second")),
        ("reading", reading),
        ("accepting", accepting),
    ];
    let rules = rules.map(|(name, keys)| (name.parse().unwrap(), keys)).to_vec();
    let namespaces = Namespaces::new(rules, Unknown::Deny);
    let codec = PayloadCodec::new(namespaces, PayloadCodec::default_settings(), Arc::new(SystemRandom));
    let payload = replaced(&provider, &arn("first"), "{}").await;
    let request = json::read(json!({"payloads": [payload]}).to_string().as_bytes()).unwrap();
    for (name, opens) in [
        ("first", true),
        ("reading", true),
        ("accepting", true),
        ("second", false),
    ] {
        let unwraps = provider.calls().unwrap;
        let decoded = codec.decode(&namespace(name), request.payloads.clone()).await;
        assert_eq!(decoded.is_ok(), opens, "{name} {decoded:?}");
        assert_eq!(provider.calls().unwrap - unwraps, u64::from(opens), "{name}");
    }
}

#[tokio::test]
async fn the_replaced_servers_documented_calls_work_both_ways() {
    let codec = codec(&FaultyProvider::in_memory());
    let asked =
        json!({"payloads": [{"metadata": {"encoding": "json/plain"}, "data": "eyJpZCI6MTIzLCJuYW1lIjoiSm9obiJ9"}]});
    let request = json::read(asked.to_string().as_bytes()).unwrap();
    let sealed = codec.encode(&default(), request.payloads).await.unwrap();
    let answer: Value = serde_json::from_slice(&json::write(request.shape, &sealed).unwrap()).unwrap();
    let payload = answer["payloads"][0].as_object().unwrap();
    assert_eq!(payload["metadata"], json!({"encoding": "binary/encrypted"}));
    assert_eq!(payload["algorithm"], "AES-256-GCM");
    assert_eq!(payload["kms_key_id"], "key-a");
    assert_eq!(payload.len(), 5);
    let request = json::read(answer.to_string().as_bytes()).unwrap();
    let opened = codec.decode(&default(), request.payloads).await.unwrap();
    let answer: Value = serde_json::from_slice(&json::write(request.shape, &opened).unwrap()).unwrap();
    assert_eq!(answer, asked);
    // A record in that clothing that was changed does not pass as the other server's.
    let mut changed = sealed;
    let last = changed[0].data.len() - 1;
    changed[0].data[last] ^= 1;
    let body = json::write(Shape::Replaced, &changed).unwrap();
    let refused = codec.decode(&default(), json::read(&body).unwrap().payloads).await;
    assert!(matches!(
        refused,
        Err(CodecError::Payload {
            reason: PayloadError::Refused,
            ..
        })
    ));
}
