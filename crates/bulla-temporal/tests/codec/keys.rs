use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bulla_crypto::SystemRandom;
use bulla_temporal::{
    CodecError, MakeKeys, MakeKeysError, Namespace, NamespaceKeys, Namespaces, PayloadCodec, Unknown,
};
use bulla_testkit::FaultyProvider;

use crate::{app_keys, codec_of, decodes, default, encode_one, key, namespace, plain};

fn table(rules: Vec<(&str, NamespaceKeys)>, unknown: Unknown) -> PayloadCodec {
    let rules = rules
        .into_iter()
        .map(|(pattern, keys)| (pattern.parse().unwrap(), keys))
        .collect();
    let settings = PayloadCodec::default_settings();
    PayloadCodec::new(Namespaces::new(rules, unknown), settings, Arc::new(SystemRandom))
}

async fn key_of(codec: &PayloadCodec, name: &str) -> String {
    let sealed = codec
        .encode(&namespace(name), vec![plain("1")])
        .await
        .unwrap()
        .remove(0);
    String::from_utf8(sealed.metadata["bulla-key-id"].clone()).unwrap()
}

#[tokio::test]
async fn the_first_rule_that_matches_says_the_key_and_the_name_may_be_part_of_it() {
    let provider = FaultyProvider::in_memory();
    provider.rotate_alias("alias/temporal-prod-eu", "key-eu");
    let keys = |name| NamespaceKeys::new(key(&provider, name));
    let codec = table(
        vec![
            ("prod-test", keys("key-a")),
            ("prod-*", keys("alias/temporal-{namespace}")),
        ],
        Unknown::Use(Box::new(keys("key-b"))),
    );
    assert!(key_of(&codec, "prod-test").await.ends_with("key-a"));
    assert!(key_of(&codec, "prod-eu").await.ends_with("key-eu"));
    assert!(key_of(&codec, "other").await.ends_with("key-b"));
}

#[tokio::test]
async fn a_namespace_that_nobody_configured_is_refused_and_asks_no_provider() {
    let provider = FaultyProvider::in_memory();
    let codec = table(vec![("prod", app_keys(&provider))], Unknown::Deny);
    for name in ["default", "prod2"] {
        let refused = codec.encode(&namespace(name), vec![plain("1")]).await;
        assert!(matches!(refused, Err(CodecError::UnknownNamespace(_))));
        let refused = codec.decode(&namespace(name), vec![plain("1")]).await;
        assert!(matches!(refused, Err(CodecError::UnknownNamespace(_))));
    }
    assert_eq!(provider.calls().total() + provider.calls().describe, 0);
    assert!(codec.stats().is_empty());
}

#[derive(Debug)]
struct Maker {
    provider: Arc<FaultyProvider>,
    made: AtomicU64,
}

#[async_trait]
impl MakeKeys for Maker {
    async fn make_keys(&self, namespace: &Namespace) -> Result<NamespaceKeys, MakeKeysError> {
        if self.made.fetch_add(1, Ordering::SeqCst) == 0 {
            return Err(MakeKeysError("not yet".into()));
        }
        let name = format!("made-for-{namespace}");
        self.provider.rotate_alias(&format!("alias/{name}"), &name);
        Ok(NamespaceKeys::new(key(&self.provider, &name)))
    }
}

#[tokio::test]
async fn keys_are_made_once_for_each_namespace_and_again_where_that_failed() {
    let maker = Arc::new(Maker {
        provider: FaultyProvider::in_memory(),
        made: AtomicU64::new(0),
    });
    let codec = table(Vec::new(), Unknown::Make(Arc::clone(&maker) as _));
    let failed = codec.encode(&namespace("a"), vec![plain("1")]).await;
    assert!(matches!(failed, Err(CodecError::SetUp(_))));
    for _ in 0..3 {
        assert!(key_of(&codec, "a").await.ends_with("made-for-a"));
        assert!(key_of(&codec, "b").await.ends_with("made-for-b"));
    }
    assert_eq!(maker.made.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn decrypt_only_keys_open_and_never_seal() {
    let (old, new) = (FaultyProvider::in_memory(), FaultyProvider::in_memory());
    let before = codec_of(NamespaceKeys::new(key(&old, "key-a")), PayloadCodec::default_settings());
    let sealed = encode_one(&before, &plain("old")).await;
    let mut keys = NamespaceKeys::new(key(&new, "key-b"));
    let without = codec_of(keys.clone(), PayloadCodec::default_settings());
    assert!(!decodes(&without, &sealed, &plain("old")).await);
    keys.decrypt_only = vec![key(&old, "key-a")];
    let after = codec_of(keys, PayloadCodec::default_settings());
    assert!(decodes(&after, &sealed, &plain("old")).await);
    let made = old.calls().generate_data_key;
    let again = encode_one(&after, &plain("new")).await;
    assert!(again.metadata["bulla-key-id"].ends_with(b"key-b"));
    assert_eq!(old.calls().generate_data_key, made);
    assert!(decodes(&after, &again, &plain("new")).await);
}

#[tokio::test]
async fn a_payload_under_a_key_that_is_not_accepted_asks_no_provider() {
    let provider = FaultyProvider::in_memory();
    let theirs = codec_of(
        NamespaceKeys::new(key(&provider, "key-b")),
        PayloadCodec::default_settings(),
    );
    let planted = encode_one(&theirs, &plain("planted")).await;
    let ours = codec_of(
        NamespaceKeys::new(key(&provider, "key-a")),
        PayloadCodec::default_settings(),
    );
    let calls = provider.calls().unwrap;
    assert!(ours.decode(&default(), vec![planted]).await.is_err());
    assert_eq!(provider.calls().unwrap, calls);
}

#[tokio::test]
async fn a_request_that_names_more_keys_than_it_may_asks_no_provider() {
    let provider = FaultyProvider::in_memory();
    let codec = codec_of(app_keys(&provider), PayloadCodec::default_settings());
    let sealed = encode_one(&codec, &plain("1")).await;
    let renamed = |name: String| {
        let record = bulla_crypto::record::Record::parse(&sealed.data).unwrap();
        let mut payload = sealed.clone();
        payload.data = record.rewrap(&name, record.wrapped_key()).unwrap();
        payload
    };
    let many = (0..65).map(|index| renamed(format!("memory:key-{index}"))).collect();
    let calls = provider.calls();
    let refused = codec.decode(&default(), many).await;
    assert!(matches!(refused, Err(CodecError::TooManyKeys)));
    assert_eq!(provider.calls(), calls);
}

#[tokio::test]
async fn a_request_that_needs_more_data_keys_than_it_may_asks_no_provider() {
    let provider = FaultyProvider::in_memory();
    let codec = codec_of(app_keys(&provider), PayloadCodec::default_settings());
    let sealed = encode_one(&codec, &plain("1")).await;
    let rewrapped = |index: u32| {
        let record = bulla_crypto::record::Record::parse(&sealed.data).unwrap();
        let mut payload = sealed.clone();
        payload.data = record.rewrap(record.key(), &index.to_be_bytes()).unwrap();
        payload
    };
    let many = |count| (0..count).map(rewrapped).collect::<Vec<_>>();
    let calls = provider.calls();
    let refused = codec.decode(&default(), many(257)).await;
    assert!(matches!(refused, Err(CodecError::TooManyKeys)));
    let refused = codec.encode(&default(), many(257)).await;
    assert!(matches!(refused, Err(CodecError::TooManyKeys)));
    assert_eq!(provider.calls(), calls);
    // What is under one data key counts once, however often it comes.
    let same = vec![sealed.clone(); 1_000];
    assert!(codec.decode(&default(), same).await.is_ok());
    assert_eq!(codec.encode(&default(), many(256)).await.unwrap().len(), 256);
    assert_eq!(provider.calls().unwrap - calls.unwrap, 1 + 256);
}

#[tokio::test]
async fn who_only_prepares_work_puts_no_namespace_out_of_memory() {
    let provider = FaultyProvider::in_memory();
    let codec = codec_of(app_keys(&provider), PayloadCodec::default_settings());
    let sealed = encode_one(&codec, &plain("1")).await;
    assert!(decodes(&codec, &sealed, &plain("1")).await);
    for index in 0..1_100 {
        let name = namespace(&format!("n{index}"));
        let work = codec.prepare_decode(&name, Vec::new()).await.unwrap();
        assert!(work.is_new());
    }
    assert_eq!(codec.stats().len(), 1);
    assert!(!codec.prepare_decode(&default(), Vec::new()).await.unwrap().is_new());
    provider.set_down(true);
    assert!(decodes(&codec, &sealed, &plain("1")).await);
}

#[tokio::test]
async fn work_that_was_begun_at_once_in_a_new_namespace_asks_for_one_data_key() {
    let provider = FaultyProvider::in_memory();
    let codec = codec_of(app_keys(&provider), PayloadCodec::default_settings());
    let mut begun = Vec::new();
    for _ in 0..10 {
        begun.push(codec.prepare_encode(&default(), vec![plain("1")]).await.unwrap());
    }
    for work in begun {
        work.finish().await.unwrap();
    }
    assert_eq!(provider.calls().generate_data_key, 1);
}

#[tokio::test]
async fn more_namespaces_than_fit_take_turns_and_all_decode() {
    let codec = codec_of(app_keys(&FaultyProvider::in_memory()), PayloadCodec::default_settings());
    let mut sealed = Vec::new();
    for index in 0..1_100 {
        let name = namespace(&format!("n{index}"));
        sealed.push((codec.encode(&name, vec![plain("1")]).await.unwrap(), name));
    }
    assert!(codec.stats().len() <= 1_024);
    for (sealed, name) in sealed.into_iter().step_by(97) {
        assert_eq!(codec.decode(&name, sealed).await.unwrap(), [plain("1")]);
    }
}
