use std::collections::BTreeMap;

use bulla_crypto::record::Record;
use bulla_temporal::json::{self, Shape};
use bulla_temporal::{CodecError, ENCODING, ExternalPayload, NamespaceKeys, Payload, PayloadCodec, PayloadError};
use bulla_testkit::FaultyProvider;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::{codec, codec_of, decodes, default, encode_one, key, namespace, plain};

fn with(mut payload: Payload, name: &str, value: &[u8]) -> Payload {
    payload.metadata.insert(name.to_owned(), value.to_vec());
    payload
}

fn of_sizes(mut payload: Payload, sizes: &[i64]) -> Payload {
    let sizes = sizes.iter().map(|size_bytes| ExternalPayload {
        size_bytes: *size_bytes,
    });
    payload.external_payloads = sizes.collect();
    payload
}

/// The kinds of payloads that the SDKs write.
fn kinds() -> Vec<Payload> {
    vec![
        plain("{\"id\":123}"),
        with(
            Payload::new("json/protobuf", b"{}".to_vec()),
            "messageType",
            b"my.Order",
        ),
        Payload::new("binary/null", Vec::new()),
        Payload::new("binary/plain", (0..=255).collect()),
        with(Payload::new("binary/protobuf", vec![8, 1]), "messageType", b"my.Order"),
        Payload::default(),
        Payload::new("json/plain", vec![b'7'; 2_000_000]),
        with(with(plain("1"), "my-own", b"\x00\xff"), "ü", b""),
        // Encoded attributes of a failure, and a memo's field.
        plain("{\"message\":\"card 4111 declined\",\"stack_trace\":\"at pay()\"}"),
        with(plain("\"memo\""), "type", b"Keyword"),
        of_sizes(plain("x"), &[5, -1, 0]),
    ]
}

#[tokio::test]
async fn every_kind_of_payload_comes_back_bit_equal_in_count_and_order() {
    let codec = codec(&FaultyProvider::in_memory());
    let kinds = kinds();
    let sealed = codec.encode(&default(), kinds.clone()).await.unwrap();
    assert_eq!(sealed.len(), kinds.len());
    for (sealed, payload) in sealed.iter().zip(&kinds) {
        assert_eq!(sealed.encoding(), ENCODING.as_bytes());
        assert!(sealed.external_payloads.is_empty());
        assert!(payload.data.len() < 8 || !contains(&sealed.data, &payload.data));
        assert_eq!(sealed.metadata["bulla-format"], b"record-1");
        assert_eq!(
            sealed.metadata["bulla-key-id"],
            Record::parse(&sealed.data).unwrap().key().as_bytes()
        );
    }
    assert_eq!(codec.decode(&default(), sealed).await.unwrap(), kinds);
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test]
async fn encoding_twice_seals_once_and_a_claim_alone_is_sealed() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let sealed = encode_one(&codec, &plain("1")).await;
    assert_eq!(encode_one(&codec, &sealed).await, sealed);
    // The cache has its key now, and the answer is the same.
    assert_eq!(encode_one(&codec, &sealed).await, sealed);
    for claim in [
        Payload::new(ENCODING, b"no record".to_vec()),
        Payload::new(ENCODING, [&sealed.data[..], b"x"].concat()),
        Payload::new("binary/encrypted", b"x".to_vec()),
    ] {
        let again = encode_one(&codec, &claim).await;
        assert_ne!(again, claim);
        assert!(decodes(&codec, &again, &claim).await);
    }
}

#[tokio::test]
async fn the_keys_that_an_encode_used_are_those_of_the_records_whatever_stands_outside() {
    let provider = FaultyProvider::in_memory();
    let sealing = codec(&provider);
    let sealed = encode_one(&sealing, &plain("1")).await;
    let claims: Vec<_> = (0..200)
        .map(|index| {
            with(
                sealed.clone(),
                "bulla-key-id",
                format!("bulla:alias/a{index}").as_bytes(),
            )
        })
        .chain([with(plain("2"), "bulla-key-id", b"memory:forged")])
        .collect();
    // Cold, where the provider is asked whether they open, and warm.
    for codec in [&codec(&provider), &sealing] {
        let work = codec.prepare_encode(&default(), claims.clone()).await.unwrap();
        let finished = work.finish().await.unwrap();
        assert_eq!(finished.usage.keys.iter().collect::<Vec<_>>(), ["memory:key-a"]);
        assert_eq!(finished.into_payloads()[..200], claims[..200]);
    }
    // Of another key: not opened here, so it is sealed, and its key was not used.
    let foreign = codec_of(
        NamespaceKeys::new(key(&provider, "key-b")),
        PayloadCodec::default_settings(),
    );
    let foreign = encode_one(&foreign, &plain("3")).await;
    let strict = codec_of(
        NamespaceKeys::new(key(&provider, "key-a")),
        PayloadCodec::default_settings(),
    );
    let work = strict.prepare_encode(&default(), vec![foreign]).await.unwrap();
    let finished = work.finish().await.unwrap();
    assert_eq!(finished.usage.keys.iter().collect::<Vec<_>>(), ["memory:key-a"]);
}

#[tokio::test]
async fn storage_references_and_foreign_payloads_stay_as_they_are() {
    let codec = codec(&FaultyProvider::in_memory());
    let mut reference = with(
        Payload::new(
            "json/protobuf",
            br#"{"driverName":"s3","claimData":{"key":"k"}}"#.to_vec(),
        ),
        "messageType",
        b"temporal.api.sdk.v1.ExternalStorageReference",
    );
    reference.external_payloads.push(ExternalPayload { size_bytes: 10 });
    assert_eq!(encode_one(&codec, &reference).await, reference);
    let mut all = kinds();
    all.push(reference);
    all.push(Payload::new("binary/gzip", b"x".to_vec()));
    assert_eq!(codec.decode(&default(), all.clone()).await.unwrap(), all);
}

#[tokio::test]
async fn a_sealed_payload_opens_in_its_namespace_alone_and_unchanged() {
    let codec = codec(&FaultyProvider::in_memory());
    let sealed = encode_one(&codec, &plain("1")).await;
    let elsewhere = codec.decode(&namespace("other"), vec![sealed.clone()]).await;
    let refused = |result: Result<_, CodecError>| {
        matches!(
            result,
            Err(CodecError::Payload {
                index: 0,
                reason: PayloadError::Refused
            })
        )
    };
    assert!(refused(elsewhere));
    for at in (0..sealed.data.len()).step_by(7).chain([sealed.data.len() - 1]) {
        let mut changed = sealed.clone();
        changed.data[at] ^= 1;
        assert!(!decodes(&codec, &changed, &plain("1")).await, "{at}");
        let decoded = codec.decode(&default(), vec![changed]).await;
        assert!(decoded.is_err(), "{at}");
    }
    // SDKs may add metadata outside.
    assert!(decodes(&codec, &with(sealed.clone(), "__marker", b"true"), &plain("1")).await);
    let later = with(sealed, "encoding", b"binary/bulla-v2");
    let unknown = codec.decode(&default(), vec![plain("0"), later]).await.unwrap_err();
    assert!(matches!(
        unknown,
        CodecError::Payload {
            index: 1,
            reason: PayloadError::UnknownVersion
        }
    ));
}

#[tokio::test]
async fn the_request_says_what_it_will_use_before_it_is_finished() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let work = codec
        .prepare_encode(&default(), vec![plain("1"), plain("2")])
        .await
        .unwrap();
    assert_eq!(
        (work.usage().payloads, work.usage().hits, work.usage().misses),
        (2, 0, 2)
    );
    assert!(work.usage().keys.is_empty());
    assert_eq!(provider.calls().total(), 0);
    let finished = work.finish().await.unwrap();
    assert_eq!(finished.usage.keys.len(), 1);
    let sealed = finished.into_payloads();
    let work = codec.prepare_encode(&default(), vec![plain("1")]).await.unwrap();
    assert_eq!((work.usage().hits, work.usage().misses), (1, 0));
    assert_eq!(work.usage().keys.len(), 1);
    let calls = provider.calls().total();
    let work = codec.prepare_decode(&default(), sealed.clone()).await.unwrap();
    assert_eq!(
        (work.usage().hits, work.usage().misses, work.usage().keys.len()),
        (0, 2, 1)
    );
    assert_eq!(provider.calls().total(), calls);
    work.finish().await.unwrap();
    let mut some = sealed;
    some.push(plain("3"));
    let work = codec.prepare_decode(&default(), some).await.unwrap();
    let usage = work.usage();
    assert_eq!(
        (usage.payloads, usage.worked_on, usage.hits, usage.misses),
        (3, 2, 2, 0)
    );
    assert!(!format!("{work:?}").contains('3'.to_string().repeat(3).as_str()));
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let encoding = prop_oneof![
        Just("json/plain".to_owned()),
        Just(ENCODING.to_owned()),
        Just("binary/encrypted".to_owned()),
        Just("temporal-codec".to_owned()),
        ".*",
    ];
    let metadata = btree_map(".*", vec(any::<u8>(), 0..40), 0..6);
    let sizes = vec(any::<i64>().prop_map(|size_bytes| ExternalPayload { size_bytes }), 0..3);
    (
        metadata,
        proptest::option::of(encoding),
        vec(any::<u8>(), 0..300),
        sizes,
    )
        .prop_map(
            |(mut metadata, encoding, data, external_payloads): (BTreeMap<_, _>, _, _, _)| {
                metadata.extend(encoding.map(|encoding| ("encoding".to_owned(), encoding.into_bytes())));
                Payload {
                    metadata,
                    data,
                    external_payloads,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_payloads_come_back_bit_equal_through_json_too(payloads in vec(any_payload(), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let codec = codec(&FaultyProvider::in_memory());
            let asked = json::read(&json::write(Shape::Proto, &payloads).unwrap()).unwrap();
            assert_eq!(asked.payloads, payloads);
            let sealed = codec.encode(&default(), asked.payloads).await.unwrap();
            assert!(sealed.iter().all(Payload::claims_to_be_sealed));
            let answer = json::read(&json::write(Shape::Proto, &sealed).unwrap()).unwrap();
            assert_eq!(codec.decode(&default(), answer.payloads).await.unwrap(), payloads);
        });
    }
}
