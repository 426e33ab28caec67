//! Dependent picklists: what describe and `ui-api` tell of them, and what is refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const DATA: &str = "/services/data/v62.0";

fn project(trade: Json, material: Json) -> Json {
    json!({ "Name": "Roof", "Trade__c": trade, "Material__c": material })
}

#[tokio::test]
async fn describe_tells_by_bits_which_values_go_together() {
    let org = served(&small()).await;
    let token = org.token().await;
    let (_, described) = org.get(&token, &format!("{DATA}/sobjects/Project__c/describe")).await;
    let field = |name: &str| {
        let fields = described["fields"].as_array().expect("fields");
        fields.iter().find(|field| field["name"] == name).expect("the field").clone()
    };
    let (trade, material) = (field("Trade__c"), field("Material__c"));
    assert_eq!((&trade["controllerName"], &trade["dependentPicklist"]), (&Json::Null, &json!(false)));
    assert_eq!((&material["controllerName"], &material["dependentPicklist"]), (&json!("Trade__c"), &json!(true)));
    assert_eq!(material["restrictedPicklist"], true);
    // As a client reads them: bit n of the bytes, the highest first, is the controlling value n.
    let trades: Vec<&str> = trade["picklistValues"]
        .as_array()
        .expect("values")
        .iter()
        .filter_map(|value| value["value"].as_str())
        .collect();
    let goes_with = |value: &Json| {
        let bytes = STANDARD.decode(value["validFor"].as_str().expect("bits")).expect("base64");
        let set = |place: usize| bytes[place >> 3] & (0x80 >> (place & 7)) != 0;
        let own: Vec<&str> = trades.iter().enumerate().filter(|(place, _)| set(*place)).map(|(_, own)| *own).collect();
        format!("{}: {}", value["value"].as_str().expect("a value"), own.join(", "))
    };
    let pairs: Vec<String> = material["picklistValues"].as_array().expect("values").iter().map(goes_with).collect();
    assert_eq!(
        pairs,
        [
            "Tile: Roofing",
            "Slate: Roofing, Facade",
            "Panel: Solar",
            "Inverter: Solar",
            "Glass: Solar, Facade",
            "Sealant: Roofing, Solar, Facade",
        ]
    );
    assert!(trade["picklistValues"][0]["validFor"].is_null());
}

#[tokio::test]
async fn a_value_that_the_controlling_one_does_not_allow_is_refused_in_every_write() {
    let org = served(&small()).await;
    let token = org.token().await;
    for (trade, material, code) in [
        (json!("Roofing"), json!("Panel"), "FIELD_INTEGRITY_EXCEPTION"),
        (Json::Null, json!("Tile"), "FIELD_INTEGRITY_EXCEPTION"),
        (json!("Roofing"), json!("Gold"), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
        (json!("Plumbing"), json!("Tile"), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
    ] {
        let (status, refused) = org.send(&token, "POST", "/sobjects/Project__c", project(trade, material)).await;
        assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some(code)), "{refused}");
    }
    org.made(&token, "Project__c", project(json!("Solar"), Json::Null)).await;
    let id = org.made(&token, "Project__c", project(json!("Facade"), json!("Slate"))).await;
    let path = format!("/sobjects/Project__c/{id}");
    for (fields, status) in [
        (json!({ "Material__c": "Tile" }), 400),
        (json!({ "Trade__c": "Solar" }), 400),
        (json!({ "Trade__c": "Solar", "Material__c": "Inverter" }), 204),
        (json!({ "Material__c": "Glass" }), 204),
        (json!({ "Trade__c": "Facade" }), 204),
        (json!({ "Trade__c": null }), 400),
        (json!({ "Trade__c": null, "Material__c": null }), 204),
    ] {
        let (answered, refused) = org.send(&token, "PATCH", &path, fields.clone()).await;
        assert_eq!(answered, status, "{fields}: {refused}");
        if status == 400 {
            assert_eq!(refused[0]["errorCode"], "FIELD_INTEGRITY_EXCEPTION");
            assert_eq!(refused[0]["fields"], json!(["Material__c"]));
        }
    }
    let mut wrong = project(json!("Solar"), json!("Tile"));
    wrong["attributes"] = json!({ "type": "Project__c" });
    let (_, results) = org.send(&token, "POST", "/composite/sobjects", json!({ "records": [wrong] })).await;
    assert_eq!(results[0]["errors"][0]["statusCode"], "FIELD_INTEGRITY_EXCEPTION");
}

#[tokio::test]
async fn ui_api_tells_the_values_of_a_record_type() {
    let org = served(&small()).await;
    let token = org.token().await;
    let root = format!("{DATA}/ui-api/object-info/Project__c/picklist-values");
    let values = |field: &Json| -> Vec<String> {
        let values = field["values"].as_array().expect("values").iter();
        values.filter_map(|value| value["value"].as_str().map(str::to_owned)).collect()
    };
    let (status, internal) = org.get(&token, &format!("{root}/012Si0000000001IAA")).await;
    assert_eq!(status, 200, "{internal}");
    let fields = &internal["picklistFieldValues"];
    assert_eq!(values(&fields["Status__c"]), ["Planned", "Active", "Done"]);
    assert_eq!(fields["Material__c"]["controllerValues"], json!({ "Roofing": 0, "Solar": 1, "Facade": 2 }));
    let slate = json!({ "attributes": null, "label": "Slate", "validFor": [0, 2], "value": "Slate" });
    assert_eq!(fields["Material__c"]["values"][1], slate);
    assert_eq!(fields["Trade__c"]["controllerValues"], json!({}));

    let (_, one) = org.get(&token, &format!("{root}/012000000000000AAA/Status__c")).await;
    assert_eq!(values(&one).len(), 5, "the master has them all");
    assert_eq!(one["url"], format!("{root}/012000000000000AAA/Status__c"));
    for wrong in ["012Si0000000009IAA", "012", "012000000000000AAA/Name", "012000000000000AAA/Status__c/more"] {
        assert_eq!(org.get(&token, &format!("{root}/{wrong}")).await.0, 404, "{wrong}");
    }
    org.control("field-security", json!({ "hidden": ["Project__c.Trade__c"] })).await;
    assert_eq!(org.get(&token, &format!("{root}/012000000000000AAA/Trade__c")).await.0, 404);
}
