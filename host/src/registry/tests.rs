use super::*;
use crate::accounts::{Account, Accounts, Bounds, Limits, Resource};
use rivero_idl::Model;
use rivero_media::Plane;
use std::collections::BTreeSet;

struct Bench {
    registry: Registry,
    model: Model,
    graph: Arc<rivero_media::Graph>,
    account: Arc<Account>,
}

impl Bench {
    fn new() -> Bench {
        let graph = rivero_media::Graph::new(&Plane::start().unwrap());
        Bench {
            registry: Registry::default(),
            model: Model::standard().unwrap(),
            graph,
            account: Account::alone(),
        }
    }

    fn allotment(&self) -> Allotment {
        Allotment::claim(&self.account, false).unwrap()
    }

    fn pipeline(&self, session: &Arc<Session>) -> Arc<Object> {
        let class = self.model.class("MediaPipeline").unwrap().clone();
        let graph = self.graph.clone();
        let pipeline = Object::new(
            id::object_id(None, "p"),
            class,
            None,
            Body::Pipeline { graph },
            self.allotment(),
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
        let child = Object::new(
            id,
            class,
            Some(parent.clone()),
            Body::Pipeline { graph },
            self.allotment(),
        );
        self.registry.insert(&child, Some(session)).map(|()| child)
    }

    fn caller(&self) -> Caller {
        Caller::anyone(&self.account)
    }

    fn known_session(&self, id: &str) -> Option<Arc<Session>> {
        self.registry.view(&self.caller()).known_session(id)
    }

    fn object(&self, id: &str) -> Result<Arc<Object>, CallError> {
        self.registry.view(&self.caller()).object(id)
    }

    fn session(&self, id: &str) -> Arc<Session> {
        self.registry.view(&self.caller()).session(&id.into())
    }
}

fn ids(objects: &[Arc<Object>]) -> Vec<&str> {
    objects.iter().map(|object| &*object.id).collect()
}

#[test]
fn a_session_is_known_once_it_holds_something() {
    let bench = Bench::new();
    let session = bench.session("s");
    assert!(!session.is_known() && bench.known_session("s").is_none());
    bench.pipeline(&session);
    assert!(Arc::ptr_eq(&bench.known_session("s").unwrap(), &session));
}

#[test]
fn holders_of_the_parent_hold_new_children() {
    let bench = Bench::new();
    let (first, second) = (bench.session("1"), bench.session("2"));
    let pipeline = bench.pipeline(&first);
    bench.registry.touch(&second, &pipeline).unwrap();
    let child = bench.child(&pipeline, &first).unwrap();
    assert!(bench.registry.end_session(&first, false).is_empty());
    assert!(bench.object(&child.id).is_ok());
    assert_eq!(
        ids(&bench.registry.end_session(&second, false)),
        [&*child.id, &*pipeline.id]
    );
    assert_eq!(bench.registry.objects.len(), 0);
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
    assert!(bench.object(&pipeline.id).is_ok());
    assert_eq!(bench.registry.unhold(&second, &pipeline).unwrap().len(), 2);
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
    assert!(Arc::ptr_eq(&first, &second));
    // Those of different clients find out when one of them is known.
    let other = Caller::anyone(&Account::alone());
    let second = bench.registry.view(&other).session(&"s".into());
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
    sessions[1].bind(&Outbox::detached());
    let stale = || {
        let stale = bench.registry.stale_sessions();
        stale
            .iter()
            .map(|session| session.id.to_string())
            .collect::<Vec<_>>()
    };
    assert!(stale().is_empty());
    sessions[0].keep_alive();
    assert_eq!(stale(), ["gone"]);
    let _ = bench.registry.end_session(&sessions[2], false);
    assert_eq!(stale(), ["used"]);
}

/// Who holds what, written down for every pair: what [`holds`] must agree with.
#[derive(Default)]
struct Pairs {
    parents: BTreeMap<usize, Option<usize>>,
    held: BTreeSet<(usize, usize)>,
}

impl Pairs {
    fn chain(&self, object: usize) -> Vec<usize> {
        std::iter::successors(Some(object), |object| self.parents[object]).collect()
    }

    fn subtree(&self, object: usize) -> Vec<usize> {
        let below = |other: &&usize| self.chain(**other).contains(&object);
        self.parents.keys().filter(below).copied().collect()
    }

    fn insert(&mut self, object: usize, parent: Option<usize>, session: usize) {
        self.parents.insert(object, parent);
        let holders = self.held.iter().filter(|(_, held)| Some(*held) == parent);
        let inherited: Vec<_> = holders.map(|(session, _)| (*session, object)).collect();
        self.held.extend(inherited);
        self.touch(session, object);
    }

    fn touch(&mut self, session: usize, object: usize) {
        let chain = self.chain(object);
        self.held
            .extend(chain.into_iter().map(|object| (session, object)));
    }

    fn unhold(&mut self, session: usize, objects: &[usize]) {
        let lost: Vec<usize> = objects
            .iter()
            .copied()
            .filter(|object| self.held.remove(&(session, *object)))
            .collect();
        for object in lost {
            if !self.held.iter().any(|(_, held)| *held == object)
                && self.parents.contains_key(&object)
            {
                self.remove(object);
            }
        }
    }

    fn remove(&mut self, object: usize) {
        for dead in self.subtree(object) {
            self.parents.remove(&dead);
            self.held.retain(|(_, held)| *held != dead);
        }
    }
}

/// Anything may happen in any order: the same objects live and are held by the same sessions as
/// with a record for every pair.
#[test]
fn implied_holds_are_those_of_all_pairs() {
    for seed in 0..300 {
        let mut random = seed;
        let mut next = move |below: usize| {
            random = u64::wrapping_mul(random, 6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % below
        };
        let (bench, mut pairs) = (Bench::new(), Pairs::default());
        let mut objects: Vec<Arc<Object>> = Vec::new();
        let mut history = Vec::new();
        for _ in 0..120 {
            let number = next(4);
            let session = bench.session(&number.to_string());
            let alive: Vec<usize> = pairs.parents.keys().copied().collect();
            let any = (!alive.is_empty()).then(|| alive[next(alive.len())]);
            let operation = next(12);
            history.push((operation, number, any));
            match (operation, any) {
                (0, _) | (_, None) => {
                    objects.push(bench.pipeline(&session));
                    pairs.insert(objects.len() - 1, None, number);
                }
                (1..4, Some(parent)) if pairs.chain(parent).len() < 3 => {
                    objects.push(bench.child(&objects[parent], &session).unwrap());
                    pairs.insert(objects.len() - 1, Some(parent), number);
                }
                (1..7, Some(object)) => {
                    bench.registry.touch(&session, &objects[object]).unwrap();
                    pairs.touch(number, object);
                }
                (7..10, Some(object)) => {
                    let dead = bench.registry.unhold(&session, &objects[object]).unwrap();
                    assert_children_first(&dead);
                    let subtree = pairs.subtree(object);
                    pairs.unhold(number, &subtree);
                }
                (10, Some(object)) => {
                    assert_children_first(&bench.registry.remove(&objects[object]));
                    pairs.remove(object);
                }
                (_, Some(_)) => {
                    assert_children_first(&bench.registry.end_session(&session, false));
                    let all: Vec<usize> = pairs.parents.keys().copied().collect();
                    pairs.unhold(number, &all);
                }
            }
            for (number, object) in objects.iter().enumerate() {
                let lives = pairs.parents.contains_key(&number);
                assert_eq!(
                    !object.is_released(),
                    lives,
                    "{seed}: {number} after {history:?}"
                );
                for holder in 0..4 {
                    let session = bench.session(&holder.to_string());
                    let holds = lives && holds::holds(&session, object);
                    let expected = pairs.held.contains(&(holder, number));
                    assert_eq!(
                        holds, expected,
                        "{seed}: {holder} {number} after {history:?}"
                    );
                }
            }
        }
        for number in 0..4 {
            let _ = bench
                .registry
                .end_session(&bench.session(&number.to_string()), false);
        }
        assert_eq!(bench.registry.objects.len(), 0, "{seed}");
        assert_eq!(bench.account.usage(Resource::Holds), 0, "{seed}");
        assert_eq!(bench.account.usage(Resource::Sessions), 0, "{seed}");
    }
}

fn assert_children_first(dead: &[Arc<Object>]) {
    for (number, object) in dead.iter().enumerate() {
        let earlier = dead[..number].iter();
        assert!(
            earlier.clone().all(|other| !object.is_below(other)),
            "{:?}",
            ids(dead)
        );
    }
}

/// What every session implies costs nothing with each, neither memory nor time.
#[test]
fn thousands_of_sessions_share_the_holds_of_what_is_new() {
    let bench = Bench::new();
    let owner = bench.session("owner");
    let pipeline = bench.pipeline(&owner);
    let sessions: Vec<_> = (0..5_000)
        .map(|number| bench.session(&number.to_string()))
        .collect();
    for session in &sessions {
        bench.registry.touch(session, &pipeline).unwrap();
    }
    let children: Vec<_> = (0..200)
        .map(|_| bench.child(&pipeline, &owner).unwrap())
        .collect();
    assert!(
        sessions
            .iter()
            .all(|session| holds::holds(session, &children[199]))
    );
    assert_eq!(bench.account.usage(Resource::Holds), 5_001);
    assert!(bench.registry.end_session(&owner, false).is_empty());
    for session in &sessions[1..] {
        assert!(bench.registry.end_session(session, false).is_empty());
    }
    assert_eq!(bench.registry.end_session(&sessions[0], false).len(), 201);
}

#[test]
fn an_account_gets_no_more_sessions_than_it_may_have() {
    let bounds = Bounds {
        total: 100,
        account: 2,
    };
    let account = Accounts::new(Limits::default().with(Resource::Sessions, bounds)).of_server();
    let bench = Bench {
        account,
        ..Bench::new()
    };
    let pipeline = bench.pipeline(&bench.session("1"));
    let touch = |id: &str| bench.registry.touch(&bench.session(id), &pipeline);
    touch("2").unwrap();
    let error = touch("3").unwrap_err();
    assert!(
        error.code == 40009
            && error
                .message
                .contains("mediaServer.limits.account.sessions")
    );
    let _ = bench.registry.end_session(&bench.session("2"), false);
    touch("3").unwrap();
}
