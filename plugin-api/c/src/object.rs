//! Objects: a class of C as the server calls it.

use crate::answer::Answer;
use crate::class::{ClassOfC, Picture, Sound};
use crate::lane::Lane;
use crate::server::Context;
use crate::text::for_c;
use crate::values::Values;
use rivero_plugin_api::{Element, ElementContext, Error, MediaKind, Object, Result};
use serde_json::Value;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The module's object, whose functions are called one at a time.
pub(crate) struct State {
    class: ClassOfC,
    /// Null before it is made and once it is destroyed.
    object: Mutex<Pointer>,
    /// Where the module's object finds the server. In a box, so that it stays in its place.
    context: Box<Context>,
}

struct Pointer(*mut c_void);

// SAFETY: the header says that the functions may be called by any thread, one at a time.
unsafe impl Send for Pointer {}

impl State {
    fn lock(&self) -> MutexGuard<'_, Pointer> {
        self.object.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the class does anything with media of this kind.
    pub(crate) fn treats(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Video => self.class.picture.is_some(),
            MediaKind::Audio => self.class.sound.is_some(),
            _ => false,
        }
    }

    pub(crate) fn picture(&self, picture: &mut Picture) {
        let object = self.lock();
        if let Some(call) = self.class.picture.filter(|_| !object.0.is_null()) {
            // SAFETY: the object is the module's own; the picture's planes are there during the call.
            unsafe { call(object.0, picture) }
        }
    }

    pub(crate) fn sound(&self, sound: &mut Sound) {
        let object = self.lock();
        if let Some(call) = self.class.sound.filter(|_| !object.0.is_null()) {
            // SAFETY: as for pictures.
            unsafe { call(object.0, sound) }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let object = std::mem::replace(&mut *self.lock(), Pointer(std::ptr::null_mut()));
        if let Some(destroy) = self.class.destroy.filter(|_| !object.0.is_null()) {
            // SAFETY: it is the last call for this object, whose context still lives.
            unsafe { destroy(object.0) }
        }
    }
}

/// An object with its pads.
pub(crate) struct ObjectOfC {
    // Before the state: what comes through a pad reaches no destroyed object.
    _lanes: Vec<Arc<Lane>>,
    state: Arc<State>,
}

/// The constructor of a class.
pub(crate) fn create(
    class: ClassOfC,
    element: ElementContext,
    params: Value,
) -> Result<Box<dyn Object>> {
    let state = Arc::new(State {
        class,
        object: Mutex::new(Pointer(std::ptr::null_mut())),
        context: Box::new(Context::new(element.clone())),
    });
    let create = class
        .create
        .ok_or_else(|| Error::unexpected("the class has no function `create`"))?;
    let values = Values::new(params);
    let mut answer = Answer::new();
    let context = std::ptr::from_ref(&*state.context).cast_mut();
    // SAFETY: all three live during the call, the context as long as the object.
    let object = unsafe { create(context, &raw const values, &raw mut answer) };
    if object.is_null() {
        return Err(match answer.0 {
            Some(Err(error)) => error,
            _ => Error::unexpected("the module made no object and did not say why"),
        });
    }
    state.lock().0 = object;
    let lanes: Result<Vec<_>> = MediaKind::ALL
        .iter()
        .map(|kind| Lane::open(&element, *kind, &state))
        .collect();
    Ok(Box::new(ObjectOfC {
        _lanes: lanes?,
        state,
    }))
}

impl Object for ObjectOfC {
    fn invoke(&self, operation: &str, params: Value) -> Result<Value> {
        let count = params.as_object().map_or(0, serde_json::Map::len);
        let object = self.state.lock();
        let Some(invoke) = self.state.class.invoke else {
            return Err(Error::no_such_operation(operation, count));
        };
        let values = Values::new(params);
        let mut answer = Answer::new();
        let name = for_c(operation);
        // SAFETY: the object lives, since this does; the others live during the call.
        unsafe { invoke(object.0, name.as_ptr(), &raw const values, &raw mut answer) };
        answer.0.unwrap_or(Ok(Value::Null))
    }

    fn element(&self) -> &dyn Element {
        self
    }
}

impl Element for ObjectOfC {}
