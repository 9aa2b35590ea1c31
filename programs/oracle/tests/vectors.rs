//! The golden records that Python and firmware read too (tests/vectors/records.json): every field where they put it,
//! the same digest, and what they refuse refused.

use oracle_interface::{Record, RECORD_LEN};
use serde_json::Value;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/records.json");

fn vectors() -> Value {
    let text = std::fs::read_to_string(VECTORS).expect("tests/vectors/records.json is part of the repository");
    serde_json::from_str(&text).expect("it is JSON")
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hex");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn list<'a>(vectors: &'a Value, name: &str) -> &'a Vec<Value> {
    vectors[name].as_array().filter(|found| !found.is_empty()).expect("a list that is not empty")
}

/// Integers of 2^53 and more stand there as decimal strings.
fn number(value: &Value) -> i128 {
    value.as_str().map_or_else(|| value.as_i64().expect("a number").into(), |text| text.parse().expect("a number"))
}

#[test]
fn every_field_of_a_golden_record_is_where_the_others_put_it() {
    for vector in list(&vectors(), "records") {
        let name = &vector["name"];
        let fields = &vector["fields"];
        let encoded: [u8; RECORD_LEN] = bytes(&vector["encoded"]).try_into().expect("96 bytes");
        let record = Record::view(&encoded);
        assert!(record.is_well_formed(), "{name}");
        assert_eq!(record.domain.to_vec(), bytes(&fields["domain"]), "{name}");
        let meter_id = fields["meter_id"].as_str().expect("text").as_bytes();
        assert_eq!(&record.meter_id[..meter_id.len()], meter_id, "{name}");
        assert!(record.meter_id[meter_id.len()..].iter().all(|byte| *byte == 0), "{name}");
        assert_eq!(record.prev.to_vec(), bytes(&fields["prev"]), "{name}");
        assert_eq!([record.reason], fields["reason"].as_str().expect("text").as_bytes(), "{name}");
        assert_eq!([record.time_status], fields["time_status"].as_str().expect("text").as_bytes(), "{name}");
        let numbers: [(&str, i128); 7] = [
            ("install_id", record.install_id.get().into()),
            ("seq", record.seq.get().into()),
            ("epoch", record.epoch.get().into()),
            ("ts", record.ts.get().into()),
            ("export_mwh", record.export_reg_mwh.get().into()),
            ("import_mwh", record.import_reg_mwh.get().into()),
            ("status_flags", record.status_flags.get().into()),
        ];
        for (field, read) in numbers {
            assert_eq!(read, number(&fields[field]), "{name}: {field}");
        }
        assert_eq!(anchor_lang::sha256(&encoded).to_vec(), bytes(&vector["digest"]), "{name}");
    }
}

#[test]
fn what_is_no_record_is_refused() {
    for vector in list(&vectors(), "rejected") {
        let Ok(encoded) = <[u8; RECORD_LEN]>::try_from(bytes(&vector["encoded"])) else {
            continue; // another length cannot even be passed to the program
        };
        let about_the_meter_id = vector["name"].as_str().expect("text").contains("meter id");
        // whose record it is, its name included, the program learns by comparing it with the meter's account
        assert!(about_the_meter_id || !Record::view(&encoded).is_well_formed(), "{}", vector["name"]);
    }
}
