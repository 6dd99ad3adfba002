//! Mutated copies of a call's own datagrams, from the addresses of its peers and of strangers.

mod trial;

#[test]
fn calls_lose_nothing_and_memory_comes_back() {
    let (datagrams, rate) = match trial::scale() {
        1 => (40_000u64, "5000"),
        _ => (1_000_000, "10000"),
    };
    let count = datagrams.to_string();
    let damage = trial::run(&["hostile", "--datagrams", &count, "--rate", rate]);
    let figure = |key: &str| damage[key].as_u64().unwrap_or(u64::MAX);
    assert_eq!(figure("datagrams"), datagrams, "{damage}");
    assert!(figure("sent") > 0, "{damage}");
    assert_eq!((figure("lost"), figure("repeated")), (0, 0), "{damage}");
    assert!(
        figure("after_kib") < figure("before_kib") + 5 * 1024,
        "{damage}"
    );
}
