use super::*;
use crate::media::{Graph, Plane};
use rivero_idl::Model;

struct Bench {
    registry: Registry,
    model: Model,
    graph: Arc<Graph>,
}

impl Bench {
    fn new() -> Bench {
        let graph = Graph::new(&Plane::start().unwrap());
        Bench {
            registry: Registry::default(),
            model: Model::standard().unwrap(),
            graph,
        }
    }

    fn pipeline(&self, session: &Arc<Session>) -> Arc<Object> {
        let class = self.model.class("MediaPipeline").unwrap().clone();
        let graph = self.graph.clone();
        let pipeline = Object::new(
            id::object_id(None, "p"),
            class,
            None,
            Body::Pipeline { graph },
        );
        self.registry.insert(&pipeline, Some(session)).unwrap();
        pipeline
    }

    fn child(
        &self,
        parent: &Arc<Object>,
        session: &Arc<Session>,
    ) -> Result<Arc<Object>, CallError> {
        let class = self.model.class("MediaPipeline").unwrap().clone();
        let id = id::object_id(Some(&parent.id), "c");
        let graph = self.graph.clone();
        let child = Object::new(id, class, Some(parent.clone()), Body::Pipeline { graph });
        self.registry.insert(&child, Some(session)).map(|()| child)
    }

    fn session(&self, id: &str) -> Arc<Session> {
        self.registry.session(&id.into())
    }
}

fn ids(objects: &[Arc<Object>]) -> Vec<&str> {
    objects.iter().map(|object| &*object.id).collect()
}

#[test]
fn a_session_is_known_once_it_holds_something() {
    let bench = Bench::new();
    let session = bench.session("s");
    assert!(!session.is_known() && bench.registry.known_session("s").is_none());
    bench.pipeline(&session);
    assert!(Arc::ptr_eq(
        &bench.registry.known_session("s").unwrap(),
        &session
    ));
}

#[test]
fn holders_of_the_parent_hold_new_children() {
    let bench = Bench::new();
    let (first, second) = (bench.session("1"), bench.session("2"));
    let pipeline = bench.pipeline(&first);
    bench.registry.touch(&second, &pipeline).unwrap();
    let child = bench.child(&pipeline, &first).unwrap();
    assert!(bench.registry.end_session(&first, false).is_empty());
    assert!(bench.registry.object(&child.id).is_ok());
    assert_eq!(
        ids(&bench.registry.end_session(&second, false)),
        [&*child.id, &*pipeline.id]
    );
    assert_eq!(bench.registry.objects.read().len(), 0);
}

#[test]
fn using_a_child_holds_its_parents() {
    let bench = Bench::new();
    let (first, second) = (bench.session("1"), bench.session("2"));
    let pipeline = bench.pipeline(&first);
    let (child, other) = (
        bench.child(&pipeline, &first).unwrap(),
        bench.child(&pipeline, &first).unwrap(),
    );
    bench.registry.touch(&second, &child).unwrap();
    assert_eq!(
        ids(&bench.registry.end_session(&first, false)),
        [&*other.id]
    );
    assert!(bench.registry.object(&pipeline.id).is_ok());
    assert_eq!(bench.registry.unhold(&second, &pipeline).len(), 2);
}

#[test]
fn closing_with_release_takes_what_others_hold() {
    let bench = Bench::new();
    let (first, second) = (bench.session("1"), bench.session("2"));
    let pipeline = bench.pipeline(&first);
    let child = bench.child(&pipeline, &second).unwrap();
    assert_eq!(
        ids(&bench.registry.end_session(&first, true)),
        [&*child.id, &*pipeline.id]
    );
    assert_eq!(
        bench.registry.touch(&second, &pipeline).unwrap_err().code,
        40101
    );
    assert!(bench.registry.end_session(&second, false).is_empty());
}

#[test]
fn nothing_is_born_below_the_dead() {
    let bench = Bench::new();
    let session = bench.session("s");
    let pipeline = bench.pipeline(&session);
    assert_eq!(bench.registry.remove(&pipeline).len(), 1);
    assert!(bench.registry.remove(&pipeline).is_empty());
    assert_eq!(bench.child(&pipeline, &session).unwrap_err().code, 40101);
}

#[test]
fn two_connections_with_the_same_new_id_become_one_session() {
    let bench = Bench::new();
    let (first, second) = (bench.session("s"), bench.session("s"));
    let pipeline = bench.pipeline(&first);
    let known = bench.registry.touch(&second, &pipeline).unwrap();
    assert!(Arc::ptr_eq(&known, &first) && !second.is_known());
}

#[test]
fn the_collector_spares_the_used_and_the_connected() {
    let bench = Bench::new();
    let sessions: Vec<_> = ["used", "connected", "gone"]
        .map(|id| bench.session(id))
        .into();
    for session in &sessions {
        bench.pipeline(session);
    }
    sessions[1].bind(&Arc::default());
    assert!(bench.registry.collect().is_empty());
    sessions[0].keep_alive();
    assert_eq!(bench.registry.collect().len(), 1);
    assert_eq!(
        bench.registry.session_ids(),
        ["connected".into(), "used".into()]
    );
    assert_eq!(bench.registry.collect().len(), 1);
}
