//! What AWS's model demands of each kind of string, under the model's own name for it.

/// Says whether a string matches a pattern.
type Admits = fn(&str) -> bool;

/// What a string must satisfy; lengths in UTF-16 units, as Java counts.
#[derive(Debug)]
pub struct Rule {
    /// The model's name of the shape.
    pub shape: &'static str,
    /// Least length.
    pub min: usize,
    /// Greatest length.
    pub max: usize,
    /// The pattern, in the model's words.
    pub pattern: Option<&'static str>,
    /// Whether the value is never shown.
    pub sensitive: bool,
    admits: Admits,
}

impl Rule {
    /// Whether the pattern admits a string; `true` where there is none.
    pub fn admits(&self, text: &str) -> bool {
        (self.admits)(text)
    }
}

macro_rules! rules {
    ($($name:ident = $shape:literal $min:literal..=$max:literal $(, $pattern:literal, $admits:expr)? $(=> $sensitive:ident)?;)*) => {
        $(
            #[doc = concat!("`", $shape, "`.")]
            pub(in crate::aws) const $name: Rule = rules!(@rule $shape, $min, $max, [$($pattern, $admits)?], [$($sensitive)?]);
        )*

        /// Every kind of constrained string, sorted by the model's names.
        pub const RULES: &[Rule] = &[$($name),*];
    };
    (@rule $shape:literal, $min:literal, $max:literal, [], [$($sensitive:ident)?]) => {
        Rule { shape: $shape, min: $min, max: $max, pattern: None, sensitive: rules!(@is $($sensitive)?), admits: |_| true }
    };
    (@rule $shape:literal, $min:literal, $max:literal, [$pattern:literal, $admits:expr], [$($sensitive:ident)?]) => {
        Rule { shape: $shape, min: $min, max: $max, pattern: Some($pattern), sensitive: rules!(@is $($sensitive)?), admits: $admits }
    };
    (@is) => { false };
    (@is sensitive) => { true };
}

rules! {
    ACCOUNT_ID = "AccountIdType" 12..=12, "[0-9]{12}", |text| text.len() == 12 && each(text, |byte| byte.is_ascii_digit());
    ALIAS_NAME = "AliasNameType" 1..=256, "^[a-zA-Z0-9:/_-]+$", is_name;
    KEY_MATERIAL_ID = "BackingKeyIdType" 64..=64, "^[a-f0-9]+$", |text| each(text, |byte| matches!(byte, b'a'..=b'f' | b'0'..=b'9'));
    CLOUD_HSM_CLUSTER_ID = "CloudHsmClusterIdType" 19..=24, "cluster-[2-7a-zA-Z]{11,16}", is_cluster;
    CUSTOM_KEY_STORE_ID = "CustomKeyStoreIdType" 1..=64;
    CUSTOM_KEY_STORE_NAME = "CustomKeyStoreNameType" 1..=256;
    DESCRIPTION = "DescriptionType" 0..=8192;
    GRANT_CONSTRAINT_SOURCE_ARN = "GrantConstraintSourceArnType" 20..=512,
        "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$", is_source_arn;
    GRANT_ID = "GrantIdType" 1..=128;
    GRANT_NAME = "GrantNameType" 1..=256, "^[a-zA-Z0-9:/_-]+$", is_name;
    GRANT_TOKEN = "GrantTokenType" 1..=8192 => sensitive;
    KEY_ID = "KeyIdType" 1..=2048, "^\\p{ASCII}+$", |text| !text.is_empty() && text.is_ascii();
    KEY_MATERIAL_DESCRIPTION = "KeyMaterialDescriptionType" 0..=256, "^[a-zA-Z0-9:/_\\s.-]+$", |text| {
        each(text, |byte| byte.is_ascii_alphanumeric() || b":/_.- \t\n\x0b\x0c\r".contains(&byte))
    };
    KEY_STORE_PASSWORD = "KeyStorePasswordType" 7..=32 => sensitive;
    MARKER = "MarkerType" 1..=1024, "[\\u0020-\\u00FF]*", |text| text.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c));
    POLICY_NAME = "PolicyNameType" 1..=128, "[\\w]+", |text| each(text, is_word);
    POLICY = "PolicyType" 1..=131_072, "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+", |text| {
        !text.is_empty() && text.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
    };
    PRINCIPAL_ID = "PrincipalIdType" 1..=256, "^[\\w+=,.@:/-]+$", |text| {
        each(text, |byte| is_word(byte) || b"+=,.@:/-".contains(&byte))
    };
    REGION = "RegionType" 1..=32, "^([a-z]+-){2,3}\\d+$", is_region;
    SERVICE_PRINCIPAL = "ServicePrincipalType" 1..=128, "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$", |text| {
        text.split('.').count() >= 3 && text.split('.').all(|part| each(part, |byte| byte.is_ascii_alphanumeric() || byte == b'-'))
    };
    TAG_KEY = "TagKeyType" 1..=128;
    TAG_VALUE = "TagValueType" 0..=256;
    TRUST_ANCHOR_CERTIFICATE = "TrustAnchorCertificateType" 1..=5000;
    XKS_KEY_ID = "XksKeyIdType" 1..=128, "^[a-zA-Z0-9-_.]+$", |text| {
        each(text, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    XKS_ACCESS_KEY_ID = "XksProxyAuthenticationAccessKeyIdType" 20..=30, "^[A-Z2-7]+$",
        |text| each(text, |byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')) => sensitive;
    XKS_SECRET_ACCESS_KEY = "XksProxyAuthenticationRawSecretAccessKeyType" 43..=64, "^[a-zA-Z0-9\\/+=]+$",
        |text| each(text, |byte| byte.is_ascii_alphanumeric() || b"/+=".contains(&byte)) => sensitive;
    XKS_URI_ENDPOINT = "XksProxyUriEndpointType" 10..=128, "^https://[a-zA-Z0-9.-]+$", |text| {
        text.strip_prefix("https://").is_some_and(|host| each(host, |byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)))
    };
    XKS_URI_PATH = "XksProxyUriPathType" 10..=128, "^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$", is_xks_path;
    XKS_VPC_ENDPOINT_SERVICE_NAME = "XksProxyVpcEndpointServiceNameType" 20..=64,
        "^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$", is_vpc_service;
}

/// Whether there is a byte, and every one satisfies the test.
fn each(text: &str, test: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(test)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_name(text: &str) -> bool {
    each(text, |byte| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte))
}

fn is_cluster(text: &str) -> bool {
    text.strip_prefix("cluster-").is_some_and(|rest| {
        (11..=16).contains(&rest.len()) && each(rest, |byte| byte.is_ascii_alphabetic() || matches!(byte, b'2'..=b'7'))
    })
}

fn is_source_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, rest] = parts[..] else {
        return false;
    };
    let plain = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    arn == "arn"
        && partition.starts_with("aws")
        && plain(partition)
        && !service.is_empty()
        && plain(service)
        && plain(region)
        && ACCOUNT_ID.admits(account)
        && !rest.is_empty()
        && !rest.contains(['\n', '\r'])
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    (2..=3).contains(&words.len())
        && words.iter().all(|word| each(word, |byte| byte.is_ascii_lowercase()))
        && each(number, |byte| byte.is_ascii_digit())
}

fn is_xks_path(text: &str) -> bool {
    let Some((prefix, version)) = text.rsplit_once("/kms/xks/v") else {
        return false;
    };
    let prefix_is_legal = prefix.is_empty()
        || prefix
            .strip_prefix('/')
            .is_some_and(|rest| each(rest, |byte| is_word(byte) || b"/-".contains(&byte)));
    prefix_is_legal && version.len() <= 2 && each(version, |byte| byte.is_ascii_digit())
}

fn is_vpc_service(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let [top, "amazonaws", "vpce", region, service] = parts[..] else {
        return false;
    };
    matches!(top, "com" | "eu")
        && is_region(region)
        && service
            .strip_prefix("vpce-svc-")
            .is_some_and(|id| each(id, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}
