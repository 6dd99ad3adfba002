//! Methods that name an object.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Arguments, Methods};
use crate::auth::Caller;
use crate::core::Execution;
use crate::error::CallError;
use crate::jsonrpc::response::Answer;
use crate::registry::{Object, Session};

type Begun = Result<Execution<Answer>, CallError>;

/// `create`
pub(super) fn create(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let class = arguments.take_string("type")?;
    let constructor_params = arguments.params.remove("constructorParams");
    let properties = arguments.params.remove("properties");
    let session = arguments.session;
    let created = methods.core.create(
        &arguments.caller,
        &session,
        &class,
        constructor_params,
        properties,
    );
    Ok(
        created
            .map(move |object| Answer::Value(Some(session.id.clone()), Value::from(&*object.id))),
    )
}

/// `invoke`
pub(super) fn invoke(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let operation = arguments.take_string("operation")?;
    let object = touched(methods, &mut arguments)?;
    let params = arguments.params.remove("operationParams");
    let value = methods.core.invoke(
        &arguments.caller,
        &arguments.session,
        &object,
        operation,
        params,
    );
    Ok(value.map(move |value| Answer::Value(Some(arguments.session.id.clone()), value)))
}

/// `describe`
pub(super) fn describe(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let class = touched(methods, &mut arguments)?.class.clone();
    let hierarchy: Value = class
        .ancestors()
        .iter()
        .map(|ancestor| Value::from(&**ancestor.qualified_name()))
        .collect();
    let members = Map::from_iter([
        ("hierarchy".to_owned(), hierarchy),
        (
            "qualifiedType".to_owned(),
            Value::from(&**class.qualified_name()),
        ),
        ("type".to_owned(), Value::from(class.name.as_str())),
    ]);
    answer(Answer::Members(arguments.session.id.clone(), members))
}

/// `subscribe`
pub(super) fn subscribe(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let event = arguments.take_string("type")?;
    let id = arguments.take_string("object")?;
    let object = methods.object(&arguments.caller, &id)?;
    let (subscription, session) =
        methods
            .core
            .subscribe(&arguments.caller, &arguments.session, &object, &event)?;
    answer(Answer::Value(
        Some(session.id.clone()),
        Value::from(&*subscription),
    ))
}

/// `unsubscribe`; unknown subscriptions and objects are no error.
pub(super) fn unsubscribe(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let subscription = arguments.take_string("subscription")?;
    let id = arguments.take_string("object")?;
    arguments.require_session()?;
    if let Ok(object) = methods.object(&arguments.caller, &id) {
        let registry = &methods.core.registry;
        registry.unsubscribe(&arguments.session, &object, &subscription);
    }
    answer(Answer::Session(arguments.session.id.clone()))
}

/// `release`: destroys the object for all sessions; unknown objects are no error.
pub(super) fn release(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let id = arguments.take_string("object")?;
    let session = arguments.session;
    let Ok(object) = methods.object(&arguments.caller, &id) else {
        return answer(Answer::Session(session.id.clone()));
    };
    Ok(methods
        .core
        .release(&object)
        .map(move |()| Answer::Session(session.id.clone())))
}

/// `ref`: the session holds the object.
pub(super) fn reference(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let object = take_object(methods, &mut arguments)?;
    arguments.require_session()?;
    let session = methods.core.registry.touch(&arguments.session, &object)?;
    answer(Answer::Session(session.id.clone()))
}

/// `unref`: the session holds the object no more; unknown objects are no error.
pub(super) fn unreference(methods: &Arc<Methods>, mut arguments: Arguments) -> Begun {
    let id = arguments.take_string("object")?;
    arguments.require_session()?;
    let session = arguments.session;
    let Ok(object) = methods.object(&arguments.caller, &id) else {
        return answer(Answer::Session(session.id.clone()));
    };
    let dead = methods.core.registry.unhold(&session, &object)?;
    Ok(methods
        .core
        .destroy(dead)
        .map(move |()| Answer::Session(session.id.clone())))
}

impl Methods {
    /// The object with this id, as far as there is one for the caller.
    fn object(&self, caller: &Caller, id: &str) -> Result<Arc<Object>, CallError> {
        self.core.registry.view(caller).object(id)
    }
}

fn answer(answer: Answer) -> Begun {
    Ok(Execution::Done(Ok(answer)))
}

fn take_object(
    methods: &Arc<Methods>,
    arguments: &mut Arguments,
) -> Result<Arc<Object>, CallError> {
    let id = arguments.take_string("object")?;
    methods.object(&arguments.caller, &id)
}

/// The object that the request names, held by the session from now on.
fn touched(methods: &Arc<Methods>, arguments: &mut Arguments) -> Result<Arc<Object>, CallError> {
    let object = take_object(methods, arguments)?;
    let session: Arc<Session> = methods.core.registry.touch(&arguments.session, &object)?;
    arguments.session = session;
    Ok(object)
}
