//! Objects of the wrong class, pipeline or hub as references: requests of this kind end the
//! process of Kurento 7.3. Every class of the standard descriptors is asked, with every object
//! that does not fit.

use std::collections::BTreeMap;

use crate::common::{Bench, Client};
use rivero_idl::{Class, Method, Model, Param, Type};
use serde_json::{Map, Value, json};

/// An object of each class, by class.
type Objects = BTreeMap<String, String>;

async fn one_of_each(client: &mut Client, model: &Model) -> Objects {
    let mut objects = Objects::new();
    let pipeline = client.create("MediaPipeline", json!({})).await;
    let concrete = model.classes().iter().filter(|class| !class.is_abstract);
    let in_pipelines =
        concrete.filter(|class| class.name != "MediaPipeline" && class.name != "HubPort");
    for class in in_pipelines {
        let params = required(&class.constructor, &|_| pipeline.clone());
        objects.insert(class.name.clone(), client.create(&class.name, params).await);
    }
    let port = json!({"hub": objects.get("Dispatcher").unwrap()});
    objects.insert("HubPort".into(), client.create("HubPort", port).await);
    objects.insert("MediaPipeline".into(), pipeline);
    objects.insert("ServerManager".into(), "manager_ServerManager".into());
    objects
}

/// Values for the parameters that have to be given.
fn required(params: &[Param], object: &dyn Fn(&str) -> String) -> Value {
    let required = params.iter().filter(|param| !param.optional);
    let value = |param: &Param| match &param.ty {
        Type::Class(class) => json!(object(class.name())),
        Type::String => json!("x"),
        Type::Complex(name) if name.name() == "MediaType" => json!("VIDEO"),
        Type::Complex(_) | Type::Map(_) => json!({}),
        Type::List(_) => json!([]),
        Type::Boolean => json!(false),
        _ => json!(0),
    };
    let members = required.map(|param| (param.name.clone(), value(param)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn fitting<'a>(model: &Model, objects: &'a Objects, class: &str) -> &'a String {
    let fits = |of: &str| {
        model
            .class(of)
            .is_some_and(|of: &std::sync::Arc<Class>| of.is_a(class))
    };
    objects.iter().find(|(of, _)| fits(of)).unwrap().1
}

/// A call with `wrong` for `param`, and everything else right.
fn call(
    model: &Model,
    objects: &Objects,
    id: &str,
    method: &Method,
    param: &Param,
    wrong: &str,
) -> Value {
    let mut params = required(&method.params, &|class| {
        fitting(model, objects, &format!("kurento.{class}")).clone()
    });
    params[&param.name] = json!(wrong);
    json!({"object": id, "operation": method.name, "operationParams": params})
}

#[tokio::test]
async fn an_object_of_the_wrong_class_is_an_error_of_the_call() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let model = Model::standard().unwrap();
    let objects = one_of_each(&mut client, &model).await;
    let mut asked = 0;
    for (class, id) in &objects {
        let class = model.class(class).unwrap();
        for (method, param) in class
            .methods()
            .iter()
            .flat_map(|method| method.params.iter().map(move |param| (method, param)))
        {
            let Type::Class(wanted) = &param.ty else {
                continue;
            };
            for (other, wrong) in &objects {
                if model.class(other).unwrap().is_a(wanted) {
                    continue;
                }
                let params = call(&model, &objects, id, method, param, wrong);
                let (code, message) = client.error("invoke", params).await;
                assert!(
                    code == 40001
                        && message.contains(wanted.name())
                        && message.contains(other.as_str()),
                    "{}.{} with a {other}: {code} {message}",
                    class.name,
                    method.name
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 200, "{asked} requests");
    // Nothing reached a module after what made the objects.
    let calls = bench.toys.calls();
    assert!(
        calls.len() > 10
            && calls
                .iter()
                .all(|call| call.contains(".create") || call.contains(".port_added"))
    );
}

#[tokio::test]
async fn ports_of_another_hub_or_pipeline_are_errors_of_every_hub() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let model = Model::standard().unwrap();
    let objects = one_of_each(&mut client, &model).await;
    let pipeline = objects.get("MediaPipeline").unwrap();
    let other_pipeline = client.create("MediaPipeline", json!({})).await;
    let mut asked = 0;
    for class in model
        .classes()
        .iter()
        .filter(|class| !class.is_abstract && class.is_a("kurento.Hub"))
    {
        let hub = client.element(&class.name, pipeline).await;
        let own = client.create("HubPort", json!({"hub": hub})).await;
        let sibling = client.element(&class.name, pipeline).await;
        let stranger = client.element(&class.name, &other_pipeline).await;
        let foreign = [
            client.create("HubPort", json!({"hub": sibling})).await,
            client.create("HubPort", json!({"hub": stranger})).await,
        ];
        let released = client.create("HubPort", json!({"hub": hub})).await;
        client.result("release", json!({"object": released})).await;
        let with_ports = class.methods().iter().filter(|method| {
            method
                .params
                .iter()
                .any(|param| matches!(&param.ty, Type::Class(class) if class.name() == "HubPort"))
        });
        for method in with_ports {
            let params = |port: &str| required(&method.params, &|_| port.to_owned());
            let call = |port: &str| json!({"object": hub, "operation": method.name, "operationParams": params(port)});
            client.result("invoke", call(&own)).await;
            for port in &foreign {
                let (code, message) = client.error("invoke", call(port)).await;
                assert_eq!(code, 40004, "{}.{}: {message}", class.name, method.name);
            }
            assert_eq!(client.error("invoke", call(&released)).await.0, 40101);
            asked += 1;
        }
    }
    assert!(asked > 3, "{asked} operations");
}

#[tokio::test]
async fn a_parent_of_the_wrong_class_is_an_error_of_create() {
    let bench = Bench::start().await;
    let mut client = bench.client().await;
    let model = Model::standard().unwrap();
    let objects = one_of_each(&mut client, &model).await;
    let before = bench.core.registry.object_count();
    let mut asked = 0;
    for class in model.classes().iter().filter(|class| !class.is_abstract) {
        for param in &class.constructor {
            let Type::Class(wanted) = &param.ty else {
                continue;
            };
            for (other, wrong) in &objects {
                if model.class(other).unwrap().is_a(wanted) {
                    continue;
                }
                let params = required(&class.constructor, &|_| wrong.clone());
                let params = json!({"type": class.name, "constructorParams": params});
                let (code, message) = client.error("create", params).await;
                assert_eq!(code, 40001, "{} in a {other}: {message}", class.name);
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "{asked} parents");
    assert_eq!(bench.core.registry.object_count(), before);
}
