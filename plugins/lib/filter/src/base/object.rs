//! An author's class as the host calls it.

use std::sync::{Arc, Mutex};

use rivero_plugin_api::{Class, Element, ElementContext, Error, Object, Result, supervise::lock};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::properties::{Properties, read_by, set_by};

/// What a class does, the media aside.
///
/// One object is called by one thread at a time. While it works on media, calls of clients wait, and the other way
/// round: what takes long belongs on a thread of its own.
pub trait Behaviour: Send + Sized + 'static {
    /// The constructor's parameters, as generated. Those that are properties as well are kept, read and set.
    type Properties: DeserializeOwned + Send + Sync + 'static;

    /// Makes an object.
    ///
    /// # Errors
    /// What the client is to hear that creates it.
    fn new(context: ElementContext, properties: &Self::Properties) -> Result<Self>;

    /// Whether properties fit, such as [`in_range`](super::in_range); asked before an object is made and before one
    /// of its properties is set.
    ///
    /// # Errors
    /// What the client is to hear.
    fn check(properties: &Self::Properties) -> Result<()> {
        let _ = properties;
        Ok(())
    }

    /// A property was set.
    fn changed(&mut self, properties: &Self::Properties) {
        let _ = properties;
    }

    /// Calls of the descriptor's methods, and of `getX` for properties that are no parameters of the constructor. The host
    /// has checked and converted the parameters.
    ///
    /// # Errors
    /// What the client is to hear.
    fn call(&mut self, operation: &str, parameters: Value) -> Result<Value> {
        let count = parameters.as_object().map_or(0, Map::len);
        Err(Error::no_such_operation(operation, count))
    }

    /// The object was released; its pads are closed.
    fn released(&mut self) {}
}

/// An object with what belongs to it: for its pads, which work on media with it.
pub struct Instance<B: Behaviour> {
    context: ElementContext,
    behaviour: Mutex<B>,
    properties: Properties<B::Properties>,
}

impl<B: Behaviour> Instance<B> {
    /// Its connection to the host.
    pub fn context(&self) -> &ElementContext {
        &self.context
    }

    /// Its properties as they are now.
    pub fn properties(&self) -> Arc<B::Properties> {
        self.properties.current()
    }

    /// Works with it; whoever else wants to waits.
    pub fn with<T>(&self, work: impl FnOnce(&mut B, &B::Properties) -> T) -> T {
        // First, so that setting a property does not wait for a picture.
        let properties = self.properties.current();
        work(&mut lock(&self.behaviour), &properties)
    }
}

/// What is open while an object lives. Closed when dropped.
pub trait Pads<B: Behaviour>: Send + Sized + 'static {
    /// Opens it. It may keep the instance.
    ///
    /// # Errors
    /// The host's
    fn open(instance: &Arc<Instance<B>>) -> Result<Self>;

    /// A property was set or a method was called.
    fn changed(&mut self, instance: &Arc<Instance<B>>) {
        let _ = instance;
    }

    /// Hubs only: a port came, whose pads are opened on `port`.
    ///
    /// # Errors
    /// Refuses the port.
    fn port_added(
        &mut self,
        instance: &Arc<Instance<B>>,
        id: &str,
        port: ElementContext,
    ) -> Result<()> {
        let _ = (instance, id, port);
        Err(Error::not_supported("this object has no ports"))
    }

    /// Hubs only: a port went.
    fn port_removed(&mut self, instance: &Arc<Instance<B>>, id: &str) {
        let _ = (instance, id);
    }
}

/// A class of objects that do what `B` says, with the pads of `P`.
pub fn class<B: Behaviour, P: Pads<B>>(name: &'static str) -> Class {
    Class::new(name, create::<B, P>)
}

fn create<B: Behaviour, P: Pads<B>>(
    context: ElementContext,
    parameters: Value,
) -> Result<Box<dyn Object>> {
    let properties = Properties::new(parameters, B::check)?;
    let behaviour = B::new(context.clone(), &properties.current())?;
    let instance = Arc::new(Instance {
        context,
        behaviour: Mutex::new(behaviour),
        properties,
    });
    let pads = P::open(&instance)?;
    Ok(Box::new(Based {
        instance,
        pads: Mutex::new(Some(pads)),
    }))
}

struct Based<B: Behaviour, P> {
    instance: Arc<Instance<B>>,
    /// Until it is released.
    pads: Mutex<Option<P>>,
}

impl<B: Behaviour, P: Pads<B>> Based<B, P> {
    /// Answers a call: what is kept here, then what the author answers, then properties without a value.
    fn answer(&self, operation: &str, parameters: Value) -> Result<Value> {
        let properties = &self.instance.properties;
        let read = read_by(operation, &parameters);
        let set = set_by(operation, &parameters);
        if let Some(value) = read.as_ref().and_then(|name| properties.get(name)) {
            return Ok(value);
        }
        if let Some((name, value)) = &set
            && properties.get(name).is_some()
        {
            return self.set(name, value.clone());
        }
        let called = lock(&self.instance.behaviour).call(operation, parameters);
        match (called, read, set) {
            // The descriptor has it, or the host would have refused it.
            (Err(error), Some(_), _) if error.code == NO_SUCH_OPERATION => Ok(Value::Null),
            (Err(error), _, Some((name, value))) if error.code == NO_SUCH_OPERATION => {
                self.set(&name, value)
            }
            (called, ..) => called,
        }
    }

    fn set(&self, name: &str, value: Value) -> Result<Value> {
        self.instance.properties.set(name, value)?;
        self.instance.with(B::changed);
        Ok(Value::Null)
    }
}

/// Of [`Error::no_such_operation`].
const NO_SUCH_OPERATION: i32 = 40008;

impl<B: Behaviour, P: Pads<B>> Object for Based<B, P> {
    fn invoke(&self, operation: &str, parameters: Value) -> Result<Value> {
        let answer = self.answer(operation, parameters)?;
        if !operation.starts_with("get")
            && let Some(pads) = &mut *lock(&self.pads)
        {
            pads.changed(&self.instance);
        }
        Ok(answer)
    }

    fn element(&self) -> &dyn Element {
        self
    }
}

impl<B: Behaviour, P: Pads<B>> Element for Based<B, P> {
    fn released(&self) {
        // Closing calls back: not under the lock.
        let pads = lock(&self.pads).take();
        drop(pads);
        lock(&self.instance.behaviour).released();
    }

    fn port_added(&self, id: &str, port: ElementContext) -> Result<()> {
        match &mut *lock(&self.pads) {
            Some(pads) => pads.port_added(&self.instance, id, port),
            None => Err(Error::not_supported("the hub is released")),
        }
    }

    fn port_removed(&self, id: &str) {
        if let Some(pads) = &mut *lock(&self.pads) {
            pads.port_removed(&self.instance, id);
        }
    }
}
