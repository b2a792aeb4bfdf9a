//! Holds every answer that a test gets against the description of the interface: what clients are generated from must be
//! what comes. Fields that are not described are as wrong as those that lack.

use reqwest::Method;
use serde_json::{Value, json};
use std::sync::LazyLock;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let mut description = serde_json::from_str(include_str!("../../../../frontend/openapi.json")).unwrap();
    close(&mut description);
    description
});

/// Fails if the answer is not one that is described for this request. Addresses and methods that do not exist are not.
pub(crate) fn check(method: &Method, path: &str, status: u16, kind: Option<&str>, body: &Value) {
    let Some(described) = operation(method, path).map(|operation| &operation["responses"]) else { return };
    let what = format!("{status} to {method} {path}");
    let responses = described.as_object().unwrap();
    let answer = responses.get(&status.to_string());
    // Refusals that any address may give, such as for a foreign origin, are described once: as a problem.
    let is_error = status >= 400;
    assert!(answer.is_some() || is_error, "{what} is not described");
    let Some(kind) = kind.filter(|kind| kind.ends_with("json")) else { return };
    let content = answer.map(|answer| &answer["content"][kind]["schema"]);
    let schema = match content {
        Some(schema) if !schema.is_null() => schema.clone(),
        _ if kind == "application/problem+json" => json!({ "$ref": "#/components/schemas/Problem" }),
        _ => panic!("{what} is not described as {kind}"),
    };
    let rooted = json!({ "allOf": [schema], "components": DESCRIPTION["components"] });
    let validator = jsonschema::validator_for(&rooted).unwrap();
    let errors: Vec<_> =
        validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what} is not as it is described:\n{}\n{body:#}", errors.join("\n"));
}

/// The operation of this method whose address fits, the one with the fewest parameters first.
fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        template.split('/').count() == path.split('/').count()
            && template.split('/').zip(path.split('/')).all(|(part, given)| part.starts_with('{') || part == given)
    };
    let templates = DESCRIPTION["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template));
    let (_, operations) = templates.min_by_key(|(template, _)| template.matches('{').count())?;
    operations.get(method.as_str().to_ascii_lowercase())
}

/// Nothing may come that is not described, wherever the description does not say otherwise.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.values_mut().for_each(close);
            if members.get("type") == Some(&json!("object")) && members.contains_key("properties") {
                members.entry("additionalProperties").or_insert(json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
#[should_panic(expected = "colour")]
fn field_that_is_not_described_is_found() {
    let list = json!({ "items": [], "next": null, "total": 0, "colour": "red" });
    check(&Method::GET, "/api/v1/books", 200, Some("application/json"), &list);
}

#[test]
#[should_panic(expected = "total")]
fn field_that_lacks_is_found() {
    check(&Method::GET, "/api/v1/books", 200, Some("application/json"), &json!({ "items": [], "next": null }));
}

#[test]
#[should_panic(expected = "418 to GET")]
fn problem_without_a_title_is_found_wherever_it_comes_from() {
    check(&Method::GET, "/api/v1/books", 418, Some("application/problem+json"), &json!({ "status": 418 }));
}
