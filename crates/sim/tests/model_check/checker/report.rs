use super::cluster::{Action, Cluster, State};
use super::subject::{NODE_COUNT_MAX, Named, Subject};
use super::tables::LocalId;
use hashbrown::HashSet;
use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::collections::{BTreeMap, BTreeSet};

/// Whether the long models are wanted: `MODEL_CHECK=full`.
pub(crate) fn is_full() -> bool {
    std::env::var("MODEL_CHECK").is_ok_and(|size| size == "full")
}

/// The size of a model. Both numbers are exact, so that a change that silently makes the
/// model smaller is seen, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Unique states.
    pub(crate) states: usize,
    /// The number of states on the longest of the shortest paths.
    pub(crate) depth: usize,
}

/// What a model is and how far it goes, in words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) name: &'static str,
    pub(crate) bound: &'static str,
    pub(crate) size: Size,
}

/// Visits every state, breadth first and in one thread, so that depths are exact. Every
/// invariant must hold in all of them, every situation must be reached, and the size must
/// be the one claimed. Prints a row of a table: name, bound, states, depth, steps, number of
/// invariants, situations with the length of the way to each.
pub(crate) fn verify<S: Subject>(claim: Claim, subject: S) {
    let checker = Cluster::new(subject).checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let Claim { name, bound, size: claimed } = claim;
    let model = checker.model();
    let size = Size { states: checker.unique_state_count(), depth: checker.max_depth() };
    let found = checker.discoveries();
    let (mut always, mut sometimes) = (0, Vec::new());
    for property in model.properties() {
        let path = found.get(property.name).map(|path| path.clone().into_actions());
        match (property.expectation, path) {
            (Expectation::Sometimes, Some(path)) => {
                sometimes.push(format!("{} ({})", property.name, path.len()));
            }
            (Expectation::Sometimes, None) => {
                panic!("{name}, {bound}: `{}` was never reached", property.name)
            }
            (_, Some(path)) => {
                print_path(model, &path);
                panic!("{name}, {bound}: violated: {}", property.name);
            }
            (_, None) => always += 1,
        }
    }
    let resolved = model.resolved();
    for rule in model.subject.rules() {
        assert!(resolved.contains(rule), "{name}, {bound}: no recovery was decided by {rule}");
    }
    if !resolved.is_empty() {
        let short = |rule: &'static str| rule.split(',').next().expect("a name");
        let rules = resolved.into_iter().map(short).collect::<Vec<_>>().join(", ");
        sometimes.push(format!("recoveries decided by {rules}"));
    }
    let (steps, sometimes) = (checker.state_count(), sometimes.join(", "));
    let Size { states, depth } = size;
    println!("| {name} | {bound} | {states} | {depth} | {steps} | {always} | {sometimes} |");
    println!("<!-- {name}: {} -->", model.sizes());
    assert_eq!(size, claimed, "{name}, {bound}: the model has another size than it had");
}

/// Looks for the violation of the named property by a planted fault, breadth first, and
/// prints one of the shorter ways there.
pub(crate) fn refute<S: Subject>(fault: &str, subject: S, (property, _): Named) {
    let wanted = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = Cluster::new(subject).checker().finish_when(wanted).spawn_bfs().join();
    let path =
        checker.discovery(property).unwrap_or_else(|| panic!("{fault}: `{property}` holds all the same"));
    println!("{fault}, after {} states: violated: {property}", checker.unique_state_count());
    print_path(checker.model(), &path.into_actions());
}

/// Every combination of node states that is reached: the node states, sorted, and for
/// each combination the places of its members among them.
pub(crate) fn node_states<S: Subject>(subject: S) -> (Vec<Vec<u8>>, BTreeSet<[usize; NODE_COUNT_MAX]>) {
    let model = Cluster::new(subject);
    let mut pending = model.init_states();
    let mut visited: HashSet<State> = pending.iter().cloned().collect();
    let mut actions = Vec::new();
    while let Some(state) = pending.pop() {
        model.actions(&state, &mut actions);
        let next = actions.drain(..).filter_map(|action| model.next_state(&state, action));
        pending.extend(next.filter(|state| visited.insert(state.clone())));
    }
    let used: BTreeSet<LocalId> = visited.iter().flat_map(|state| state.locals).collect();
    let mut nodes: Vec<(Vec<u8>, LocalId)> =
        used.into_iter().map(|local| (model.identity(local), local)).collect();
    nodes.sort_unstable();
    let places: BTreeMap<LocalId, usize> =
        nodes.iter().enumerate().map(|(place, (_, local))| (*local, place)).collect();
    let combinations = visited.iter().map(|state| state.locals.map(|local| places[&local])).collect();
    (nodes.into_iter().map(|(node, _)| node).collect(), combinations)
}

fn print_path<S: Subject>(model: &Cluster<S>, actions: &[Action]) {
    for (number, action) in (1..).zip(actions) {
        println!("  {number:>3}. {}", model.describe(action));
    }
}
