//! Frozen vectors: what version 1 of the formats wrote is read and verified forever, and is still what is written.

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_audit::{
    Checkpoint, Hash, KeyChain, KeyStatement, LogState, ProofBundle, VerifierKey, consistency_proof, inclusion_proof,
    leaf_hash, row_digest, timestamp, verify_consistency, verify_inclusion,
};
use serde_json::{Value, json};

use crate::{
    bundle::bundle,
    decided::{documents, event_forms, notes},
    fixture::{Log, ORIGIN, found, signing, verifier_key},
};

const FROZEN: &str = include_str!("../../../../spec/vectors/audit-log.json");
/// Group commits; from the third on the second key signs.
const GROUPS: [usize; 4] = [1, 2, 3, 1];
const FIRST_SIZE: u64 = 6;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn base64(value: &Value) -> Vec<u8> {
    STANDARD.decode(text(value)).unwrap()
}

fn hash(value: &Value) -> Hash {
    Hash::from_bytes(base64(value).try_into().unwrap())
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn row_digests() -> Vec<Value> {
    let rows = [
        ("aliases", "a0", "owner", 1, &b"{}"[..]),
        ("kms_keys", "1/eu/k\u{e9}y", "", (1 << 53) - 1, b""),
    ];
    rows.iter()
        .map(|&(table, id, owner, revision, body)| {
            json!({
                "table": table, "id": id, "owner": owner, "revision": revision, "body": STANDARD.encode(body),
                "digest": row_digest(table, id, owner, revision, body).to_string(),
            })
        })
        .collect()
}

/// Builds the document anew, as it was built when it was frozen.
fn document() -> Value {
    let encode = |hash: &Hash| STANDARD.encode(hash.as_bytes());
    let list = |hashes: Vec<Hash>| hashes.iter().map(encode).collect::<Vec<_>>();
    let mut log = Log::build(&[], 1, "v");
    let mut heads = Vec::new();
    for (index, group) in GROUPS.into_iter().enumerate() {
        log.commit(group, if index < 2 { 1 } else { 2 });
        heads.push(json!({
            "size": log.size(), "root": encode(&log.state.root()), "chain": encode(&log.state.last()),
            "metadataRevision": log.state.metadata_revision(), "state": STANDARD.encode(log.state.to_bytes()),
            "checkpoint": log.head.checkpoint,
        }));
    }
    let statement = KeyStatement {
        origin: ORIGIN.into(),
        number: 2,
        public_key: signing(2).public_key(),
        first_size: FIRST_SIZE,
        time: timestamp::parse("2024-05-01T12:00:05.000000Z").unwrap(),
    };
    let statement = statement.sign(&signing(1), &signing(2)).unwrap();
    let leaves: Vec<Hash> = log.events.iter().map(|(_, bytes)| leaf_hash(bytes)).collect();
    let size = leaves.len() as u64;
    let proof = |sequence| bundle(&log, sequence, vec![statement.clone()]);
    let read = |bundle: ProofBundle| serde_json::from_str::<Value>(&bundle.to_json().unwrap()).unwrap();
    let mut refused = Vec::new();
    let mut refuse = |reason: &str, change: &dyn Fn(&mut ProofBundle)| {
        let mut changed = proof(4);
        change(&mut changed);
        refused.push(json!({"reason": reason, "bundle": read(changed)}));
    };
    refuse("an edited event", &|b| {
        b.event = String::from_utf8(b.event.clone())
            .unwrap()
            .replace("alice", "malice")
            .into()
    });
    refuse("another sequence", &|b| b.sequence = 3);
    refuse("a path without its last hash", &|b| b.path.truncate(b.path.len() - 1));
    refuse("a path with one hash too many", &|b| b.path.push(Hash::ZERO));
    refuse("a path with two hashes in the wrong order", &|b| b.path.swap(0, 1));
    refuse("a checkpoint with another time", &|b| {
        b.checkpoint = b.checkpoint.replace("time 2024", "time 2023")
    });
    refuse("a checkpoint of another size", &|b| {
        b.checkpoint = text(&heads[2]["checkpoint"]).to_owned()
    });
    refuse("no statement for the key that signed", &|b| b.key_statements.clear());
    refuse("a statement with a changed byte", &|b| {
        b.key_statements[0] = b.key_statements[0].replace("from 6", "from 7")
    });
    refuse("a checkpoint that the old key signed after its end", &|b| {
        b.checkpoint = log.state.checkpoint(ORIGIN, 1).sign(&signing(1)).unwrap();
    });
    refuse("another first key", &|b| {
        b.key = verifier_key(3).to_string();
    });
    json!({
        "description": "Vectors of spec/audit-log.md, version 1. Hashes and bytes are standard Base64. Seeds are Ed25519 seeds.",
        "origin": ORIGIN,
        "keys": (1..=2).map(|seed: u8| json!({
            "seed": STANDARD.encode([seed; 32]), "publicKey": STANDARD.encode(signing(seed).public_key()),
            "verifierKey": verifier_key(seed).to_string(),
        })).collect::<Vec<_>>(),
        "keyStatements": [statement],
        "events": log.events.iter().map(|(sequence, bytes)| json!({
            "sequence": sequence, "bytes": STANDARD.encode(bytes), "leafHash": encode(&leaf_hash(bytes)),
        })).collect::<Vec<_>>(),
        "heads": heads,
        "inclusion": (0..size).map(|index| json!({
            "index": index, "size": size, "path": list(inclusion_proof(index, &leaves).unwrap()),
        })).collect::<Vec<_>>(),
        "consistency": (1..=size).map(|old| json!({
            "from": old, "to": size, "path": list(consistency_proof(old, &leaves).unwrap()),
        })).collect::<Vec<_>>(),
        "rowDigests": row_digests(),
        "bundles": (0..size).map(|sequence| read(proof(sequence))).collect::<Vec<_>>(),
        "refusedBundles": refused,
        "documents": documents(&proof(4)),
        "notes": notes(&log),
        "eventForms": event_forms(),
    })
}

fn keys(frozen: &Value) -> KeyChain {
    let mut keys = KeyChain::new(VerifierKey::parse(text(&frozen["keys"][0]["verifierKey"])).unwrap());
    for statement in frozen["keyStatements"].as_array().unwrap() {
        keys.extend(text(statement)).unwrap();
    }
    keys
}

#[test]
fn what_is_written_today_is_what_was_frozen() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    for (name, built) in document().as_object().unwrap() {
        assert_eq!(*built, frozen[name], "{name}");
    }
}

#[test]
fn the_frozen_events_lead_to_the_frozen_states_and_checkpoints() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let keys = keys(&frozen);
    let mut heads = frozen["heads"].as_array().unwrap().iter().peekable();
    let mut state = LogState::new();
    for event in frozen["events"].as_array().unwrap() {
        let bytes = base64(&event["bytes"]);
        let parsed = bulla_audit::canonical::parse(&bytes).unwrap();
        assert_eq!(parsed["previousHash"], state.last().to_string());
        assert_eq!(
            (&parsed["sequence"], number(&event["sequence"])),
            (&event["sequence"], state.size())
        );
        assert_eq!(state.append(&bytes), hash(&event["leafHash"]));
        if parsed.get("changes").is_some() {
            state.next_metadata_revision();
        }
        assert_eq!(number(&parsed["metadataRevision"]), state.metadata_revision());
        if let Some(head) = heads.next_if(|head| number(&head["size"]) == state.size()) {
            assert_eq!(LogState::from_bytes(&base64(&head["state"])), Ok(state.clone()));
            let checkpoint: Checkpoint = keys.verify_checkpoint(text(&head["checkpoint"])).unwrap().into_inner();
            assert_eq!(checkpoint, state.checkpoint(text(&frozen["origin"]), checkpoint.time));
            assert_eq!(
                (checkpoint.root, checkpoint.last),
                (hash(&head["root"]), hash(&head["chain"]))
            );
            assert_eq!(checkpoint.metadata_revision, number(&head["metadataRevision"]));
        }
    }
    assert!(heads.next().is_none());
}

#[test]
fn the_frozen_proofs_verify() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let leaves: Vec<Hash> = frozen["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| hash(&event["leafHash"]))
        .collect();
    let root = hash(&frozen["heads"].as_array().unwrap().last().unwrap()["root"]);
    for proof in frozen["inclusion"].as_array().unwrap() {
        let (index, size) = (number(&proof["index"]), number(&proof["size"]));
        assert_eq!(
            verify_inclusion(&leaves[index as usize], index, size, &hashes(&proof["path"]), &root),
            Ok(())
        );
    }
    for proof in frozen["consistency"].as_array().unwrap() {
        let (from, to) = (number(&proof["from"]), number(&proof["to"]));
        let old_root = bulla_audit::root_of(&leaves[..from as usize]);
        assert_eq!(
            verify_consistency(from, &old_root, to, &root, &hashes(&proof["path"])),
            Ok(())
        );
    }
    for row in frozen["rowDigests"].as_array().unwrap() {
        let (table, id, owner) = (text(&row["table"]), text(&row["id"]), text(&row["owner"]));
        let digest = row_digest(table, id, owner, number(&row["revision"]), &base64(&row["body"]));
        assert_eq!(digest.to_string(), text(&row["digest"]));
    }
}

#[test]
fn the_frozen_bundles_verify_and_the_refused_ones_do_not() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let trusted = VerifierKey::parse(text(&frozen["keys"][0]["verifierKey"])).unwrap();
    let verify = |document: &Value| {
        ProofBundle::from_json(&document.to_string())
            .and_then(|bundle| bundle.verify(&trusted))
            .map(|_| ())
    };
    for document in frozen["bundles"].as_array().unwrap() {
        assert_eq!(verify(document), Ok(()));
    }
    let refused = frozen["refusedBundles"].as_array().unwrap();
    assert_eq!(refused.len(), 11);
    for refused in refused {
        assert!(verify(&refused["bundle"]).is_err(), "{}", refused["reason"]);
    }
}

#[test]
fn the_frozen_log_verifies_as_a_whole() {
    let frozen: Value = serde_json::from_str(FROZEN).unwrap();
    let mut log = Log::build(&[], 1, "v");
    for (index, group) in GROUPS.into_iter().enumerate() {
        log.commit(group, if index < 2 { 1 } else { 2 });
    }
    assert_eq!(found(&log.verify_with(keys(&frozen), &[])), []);
}
