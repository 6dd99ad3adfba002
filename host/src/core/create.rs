//! `create`: makes an object of a class, by the server itself or by a module.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rivero_idl::{Class, Model, Operation};
use rivero_media::{Graph, Node};
use serde_json::{Map, Value};

use super::media_element::encoder_rates;
use super::{Core, Execution, quotas};
use crate::auth::Caller;
use crate::convert::{Converted, Incoming, Place};
use crate::error::CallError;
use crate::events::Emitter;
use crate::lifecycle::UnderWay;
use crate::modules::ObjectContext;
use crate::registry::id::object_id;
use crate::registry::{Allotment, Body, Object, Session};

/// An object about to be made.
struct Plan {
    id: Arc<str>,
    class: Arc<Class>,
    /// The types that the class speaks of.
    types: Arc<Model>,
    parent: Option<Arc<Object>>,
    params: Map<String, Value>,
    emitter: Arc<Emitter>,
    session: Arc<Session>,
    /// Until the object is registered, or its module has let go of it again.
    under_way: Arc<UnderWay>,
    allotment: Allotment,
    /// The client has been told that it took too long. Relaxed: nothing else is published by it, and an
    /// object that is made all the same is ended.
    given_up: Arc<AtomicBool>,
}

impl Core {
    /// Creates an object of class `name` (plain or qualified), held by `session`.
    ///
    /// `properties` are set after construction; those that the class does not have or that
    /// cannot be written are ignored.
    ///
    /// Errors: 40108 when nothing makes such objects, or the caller may not, those of parameter conversion, 40004 for
    /// parameters of different pipelines, and whatever the module says.
    pub fn create(
        self: &Arc<Self>,
        caller: &Caller,
        session: &Arc<Session>,
        name: &str,
        params: Option<Value>,
        properties: Option<Value>,
    ) -> Execution<Arc<Object>> {
        let plan = match self.plan(caller, session, name, params) {
            Ok(plan) => plan,
            Err(error) => return error.into(),
        };
        let properties = settable(&plan.class, properties);
        if is_pipeline(&plan.class) && properties.is_empty() {
            return Execution::Done(self.make_pipeline(plan));
        }
        let (core, caller) = (self.clone(), caller.clone());
        Execution::pending(async move {
            let session = plan.session.clone();
            let object = core.make_in_time(plan).await?;
            for (operation, params) in properties {
                if let Err(error) = core
                    .invoke(&caller, &session, &object, operation, Some(params))
                    .wait()
                    .await
                {
                    core.destroy(core.registry.remove(&object)).wait().await?;
                    return Err(error);
                }
            }
            Ok(object)
        })
    }

    /// Whether objects of this class can be created.
    pub(super) fn creates(&self, class: &Class) -> bool {
        !class.is_abstract
            && (is_pipeline(class) || is_hub_port(class) || self.factories.provides(&class.name))
    }

    /// Names of all classes that can be created, plain and qualified, sorted.
    #[must_use]
    pub fn creatable_classes(&self) -> Vec<String> {
        let model = self.model();
        let classes = model.classes().iter().filter(|class| self.creates(class));
        let mut names: Vec<String> = classes
            .flat_map(|class| [class.name.clone(), class.qualified_name().to_string()])
            .collect();
        names.sort_unstable();
        names
    }

    fn plan(
        &self,
        caller: &Caller,
        session: &Arc<Session>,
        name: &str,
        params: Option<Value>,
    ) -> Result<Plan, CallError> {
        let under_way = self.lifecycle.begin();
        self.lifecycle.admit()?;
        self.resources.check()?;
        let types = self.model();
        let class = types.class(name).filter(|class| self.creates(class));
        let class = class.ok_or_else(|| CallError::no_factory(name))?.clone();
        caller.check_class(&class)?;
        if is_pipeline(&class) {
            self.lifecycle.admit_pipeline()?;
        }
        let incoming = Incoming {
            model: &types,
            view: self.registry.view(caller),
        };
        let converted = incoming.params(Place::Constructor, &class.constructor, params)?;
        for (_, object) in &converted.objects {
            self.registry.touch(session, object)?;
        }
        let parent = parent(&class, &converted)?;
        let id = object_id(
            parent.as_ref().map(|parent| &*parent.id),
            class.qualified_name(),
        );
        let pipeline = parent
            .as_ref()
            .and_then(|parent| parent.pipeline())
            .unwrap_or_default();
        let emitter = Emitter::new(self.events.clone(), &self.registry, pipeline);
        session.account().check_media()?;
        let allotment = Allotment::claim(session.account(), is_pipeline(&class))?;
        Ok(Plan {
            id,
            class,
            types,
            parent,
            params: converted.params,
            emitter,
            session: session.clone(),
            under_way: Arc::new(under_way),
            allotment,
            given_up: Arc::default(),
        })
    }

    /// Makes an object, unless its module takes too long; then it ends as soon as it is made,
    /// since the client has been told that there is none.
    async fn make_in_time(self: &Arc<Self>, plan: Plan) -> Result<Arc<Object>, CallError> {
        let what = format!("'create' of a {}", plan.class.name);
        let limit = self.options().call_timeout;
        let given_up = plan.given_up.clone();
        let core = self.clone();
        let mut making = Box::pin(async move { core.make(plan).await });
        if let Ok(made) = tokio::time::timeout(limit, &mut making).await {
            return made;
        }
        given_up.store(true, Relaxed);
        let core = self.clone();
        tokio::spawn(async move {
            if let Ok(late) = making.await {
                let _ = core.destroy(core.registry.remove(&late)).wait().await;
            }
        });
        Err(CallError::timed_out(&what, limit))
    }

    async fn make(self: &Arc<Self>, plan: Plan) -> Result<Arc<Object>, CallError> {
        if is_pipeline(&plan.class) {
            return self.make_pipeline(plan);
        }
        if is_hub_port(&plan.class) {
            return self.make_hub_port(plan).await;
        }
        let pipeline = plan
            .parent
            .as_ref()
            .and_then(|parent| parent.pipeline())
            .unwrap_or_default();
        let graph = plan.parent.as_ref().and_then(|parent| parent.graph());
        let is_hub = plan.class.is_a("kurento.Hub");
        let node = graph.and_then(|graph| match is_hub {
            true => Some(Node::hidden(plan.id.clone(), graph)),
            false => { plan.class.is_a("kurento.MediaElement") }
                .then(|| Node::new(plan.id.clone(), graph, plan.emitter.clone())),
        });
        let context = ObjectContext {
            id: plan.id.clone(),
            class: plan.class.clone(),
            pipeline: pipeline.into(),
            sink: plan.emitter.clone(),
            node: node.clone(),
        };
        let core = self.clone();
        let factory = self.factories.factory(&plan.class.name)?;
        let lane = self.lanes.of(&factory.module);
        // Registered on the thread that made it: nobody may be waiting any more, and an object
        // that exists in the module has to be known here.
        let made = lane.call(move || {
            if plan.given_up.load(Relaxed) {
                return Err(CallError::no_object(&plan.id));
            }
            let class = plan.class.name.clone();
            let params = plan.params.clone().into();
            let instance = (factory.make)(&class, context, &params)?;
            let body = match node {
                node if is_hub => Body::Hub {
                    node,
                    instance: instance.clone(),
                },
                Some(node) => Body::Element {
                    node,
                    instance: instance.clone(),
                },
                None => Body::Plain(instance.clone()),
            };
            let under_way = plan.under_way.clone();
            core.register(plan, body).inspect_err(|_| {
                // Of use to nobody; it stays under way until the module has let go of it.
                instance.release(Box::new(move || drop(under_way)));
            })
        });
        made.await?
    }

    fn make_pipeline(&self, plan: Plan) -> Result<Arc<Object>, CallError> {
        let graph = Graph::new(&self.plane);
        graph.measure_latency(self.options().element_settings.latency_stats);
        self.register(plan, Body::Pipeline { graph })
    }

    async fn make_hub_port(self: &Arc<Self>, plan: Plan) -> Result<Arc<Object>, CallError> {
        let hub = plan
            .parent
            .clone()
            .ok_or_else(|| CallError::marshall("'hub' parameter should be a string"))?;
        let (Some(instance), Some(graph)) = (hub.instance().cloned(), hub.graph()) else {
            return Err(CallError::marshall(format!(
                "'{}' cannot have ports",
                hub.id
            )));
        };
        let node = Node::new(plan.id.clone(), graph, plan.emitter.clone());
        let turn = hub.calls.clone().lock_owned().await;
        let (core, lane) = (self.clone(), self.lane(&instance));
        let made = lane.call(move || {
            let _turn = turn;
            instance.port_added(&plan.id, &node, plan.emitter.clone())?;
            let id = plan.id.clone();
            core.register(plan, Body::HubPort { node })
                .inspect_err(|_| instance.port_removed(&id))
        });
        made.await?
    }

    fn register(&self, plan: Plan, body: Body) -> Result<Arc<Object>, CallError> {
        let object = Object::new(plan.id, plan.class, plan.parent, body, plan.allotment);
        if object.instance().is_some() {
            object.set_types(plan.types);
        }
        *object.settings.lock() = self.options().element_settings;
        if let Some(node) = object.any_node() {
            node.set_encoder_rates(encoder_rates(&self.options().element_settings));
        }
        quotas::meter(&object);
        plan.emitter.attach(&object);
        self.registry.insert(&object, Some(&plan.session))?;
        self.announce("ObjectCreated", "object", &object);
        Ok(object)
    }
}

fn is_pipeline(class: &Class) -> bool {
    **class.qualified_name() == *"kurento.MediaPipeline"
}

fn is_hub_port(class: &Class) -> bool {
    **class.qualified_name() == *"kurento.HubPort"
}

/// The container of the new object: the hub of a port, the pipeline of anything else.
fn parent(class: &Class, converted: &Converted) -> Result<Option<Arc<Object>>, CallError> {
    let contains = |object: &&Arc<Object>| match object.body {
        Body::Hub { .. } => is_hub_port(class),
        Body::Pipeline { .. } => !is_hub_port(class),
        _ => false,
    };
    let objects = || converted.objects.iter().map(|(_, object)| object);
    let parent = objects().find(contains).cloned();
    let pipeline = parent.as_ref().and_then(|parent| parent.pipeline());
    if objects().any(|object| object.pipeline() != pipeline) {
        return Err(CallError::connect("Media elements do not share pipeline"));
    }
    Ok(parent)
}

/// The setters that `properties` mean, with their parameters.
fn settable(class: &Class, properties: Option<Value>) -> Vec<(String, Value)> {
    let Some(Value::Object(properties)) = properties else {
        return Vec::new();
    };
    let setter = |(name, value): (String, Value)| {
        let mut letters = name.chars();
        let first = letters.next()?.to_ascii_uppercase();
        let operation = format!("set{first}{}", letters.as_str());
        let is_setter = matches!(class.operation(&operation), Some(Operation::Setter(_)));
        is_setter.then(|| (operation, Value::Object(Map::from_iter([(name, value)]))))
    };
    properties.into_iter().filter_map(setter).collect()
}
