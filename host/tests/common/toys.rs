//! Objects as modules would make them: every operation answers the zero value of its type,
//! unless a test scripts something else.

use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use parking_lot::Mutex;
use rivero::core::factories::Factories;
use rivero::error::CallError;
use rivero::modules::{Factory, Installed, Instance, ObjectEvents, Released, Reply};
use rivero::observe::metrics::Family;
use rivero_idl::{Class, ComplexType, Model, Type};
use rivero_media::{MediaKind, Node};
use serde_json::{Map, Value, json};

/// What a scripted operation does with its parameters.
pub type Script = Arc<dyn Fn(&Toy, Value) -> Result<Value, CallError> + Send + Sync>;

/// The factories of a server.
pub struct Toys {
    model: Arc<Model>,
    scripts: Mutex<HashMap<String, Script>>,
    /// Calls in their order: `<Class>.<operation> <params>`.
    pub log: Arc<Mutex<Vec<String>>>,
    /// What they measure.
    pub metrics: Mutex<Vec<Family>>,
}

/// One object.
pub struct Toy {
    pub class: Arc<Class>,
    pub sink: Arc<dyn ObjectEvents>,
    module: Arc<str>,
    model: Arc<Model>,
    scripts: HashMap<String, Script>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Toys {
    pub fn new() -> Arc<Toys> {
        Toys::of(Model::standard().unwrap())
    }

    /// Toys of the classes of this model.
    pub fn of(model: Model) -> Arc<Toys> {
        Arc::new(Toys {
            model: Arc::new(model),
            scripts: Mutex::default(),
            log: Arc::default(),
            metrics: Mutex::default(),
        })
    }

    /// Scripts an operation of objects made later; `create` is the constructor.
    pub fn script(
        &self,
        operation: &str,
        script: impl Fn(&Toy, Value) -> Result<Value, CallError> + Send + Sync + 'static,
    ) {
        self.scripts
            .lock()
            .insert(operation.to_owned(), Arc::new(script));
    }

    /// Scripts an operation that waits until the sender is used or dropped.
    pub fn block(&self, operation: &str) -> mpsc::Sender<()> {
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        self.script(operation, move |_, _| {
            let _ = receiver.lock().recv();
            Ok(Value::Null)
        });
        sender
    }

    pub fn calls(&self) -> Vec<String> {
        self.log.lock().clone()
    }
}

impl Factories for Toys {
    fn model(&self) -> Arc<Model> {
        self.model.clone()
    }

    fn installed(&self) -> Vec<Installed> {
        Vec::new()
    }

    fn metrics(&self) -> Vec<Family> {
        self.metrics.lock().clone()
    }

    fn provides(&self, class: &str) -> bool {
        !class.contains("Missing")
    }

    fn factory(&self, class: &str) -> Result<Factory, CallError> {
        let scripts = self.scripts.lock().clone();
        let (model, log) = (self.model.clone(), self.log.clone());
        let module: Arc<str> = format!("toy-{class}").into();
        let name = module.clone();
        Ok(Factory {
            module,
            make: Box::new(move |class, context, params| {
                let toy = Toy {
                    class: context.class,
                    sink: context.sink,
                    module: name,
                    model,
                    scripts,
                    log,
                };
                toy.note("create", params);
                if let Some(script) = toy.scripts.get("create") {
                    script(&toy, params.clone())?;
                }
                assert_eq!(toy.class.name, class);
                Ok(Arc::new(toy))
            }),
        })
    }
}

impl Toy {
    fn note(&self, what: &str, params: &Value) {
        self.log
            .lock()
            .push(format!("{}.{what} {params}", self.class.name));
    }

    fn zero(&self, ty: &Type) -> Value {
        match ty {
            Type::String => json!(""),
            Type::Boolean => json!(false),
            Type::Int | Type::Int64 => json!(0),
            Type::Float | Type::Double => json!(0.0),
            Type::Class(_) => Value::Null,
            Type::List(_) => json!([]),
            Type::Map(_) => json!({}),
            Type::Complex(name) => match &**self.model.complex_type(name).unwrap() {
                ComplexType::Enum(enumeration) => json!(enumeration.values[0]),
                ComplexType::Register(register) => {
                    let fields = register
                        .fields
                        .iter()
                        .map(|field| (field.name.clone(), self.zero(&field.ty)));
                    Value::Object(fields.collect())
                }
            },
        }
    }
}

impl Instance for Toy {
    fn module(&self) -> Arc<str> {
        self.module.clone()
    }

    fn invoke(&self, operation: &str, params: Value, reply: Reply) {
        self.note(operation, &params);
        if let Some(script) = self.scripts.get(operation) {
            return reply(script(self, params));
        }
        let returns = self.class.operation(operation).unwrap().returns().cloned();
        reply(Ok(returns.map_or(Value::Null, |ty| self.zero(&ty))));
    }

    fn stats(&self, _kind: Option<MediaKind>) -> Result<Map<String, Value>, CallError> {
        match self.scripts.get("stats") {
            Some(script) => {
                script(self, Value::Null).map(|stats| stats.as_object().unwrap().clone())
            }
            None => Ok(Map::new()),
        }
    }

    fn port_added(
        &self,
        port: &str,
        _node: &Arc<Node>,
        _events: Arc<dyn ObjectEvents>,
    ) -> Result<(), CallError> {
        self.note("port_added", &json!(port));
        match self.scripts.get("port_added") {
            Some(script) => script(self, json!(port)).map(|_| ()),
            None => Ok(()),
        }
    }

    fn port_removed(&self, port: &str) {
        self.note("port_removed", &json!(port));
    }

    fn release(&self, released: Released) {
        self.note("release", &Value::Null);
        if let Some(script) = self.scripts.get("release") {
            let _ = script(self, Value::Null);
        }
        released();
    }
}
