//! What became of the last batches that entered here, for whoever asks why a command took its time.
//!
//! Invariant: one story a batch that left, in the order in which they left, and a bounded number of
//! them. It costs a batch a few words and a command its id.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use isegoria_node::Event;
use isegoria_types::{NodeId, NodeSet, Order, RequestId, Vertex};
use serde::Serialize;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The most stories that are kept.
const STORY_COUNT_MAX: usize = 1024;
/// The slowest of those that were answered are kept longer, so many of them.
const SLOW_COUNT_MAX: usize = 64;
/// The most vertices of a component, and notes on a vertex, that are kept.
const LIST_MAX: usize = 64;

/// The stories of one node.
#[derive(Debug)]
pub(crate) struct Stories {
    own: NodeId,
    /// The nodes' names.
    names: Vec<String>,
    stories: VecDeque<Story>,
    /// The slowest older ones, and how long the fastest of them took, once there are as many as are kept.
    slow: Vec<Story>,
    slow_from: Option<Duration>,
    /// The number of the batch that the first story is of.
    first: u64,
    /// Of the batch that is still open: what is in it, and when the first of it came.
    open: Vec<RequestId>,
    opened: Option<Instant>,
    /// What was heard of own vertices of which it is not known yet what is chosen in them.
    notes: HashMap<Vertex, Notes, RandomState>,
    /// The batches of own vertices that are chosen and not answered.
    chosen: HashMap<Vertex, u64, RandomState>,
}

/// What became of one batch.
#[derive(Debug)]
struct Story {
    requests: Vec<RequestId>,
    taken: Instant,
    left: Instant,
    place: Option<Vertex>,
    is_slot: bool,
    notes: Notes,
    chosen: Option<Instant>,
    waits_for: Option<Vertex>,
    /// Members of its component, if there are others; not all of a large one.
    component: Rc<[Vertex]>,
    component_size: usize,
    answered: Option<Instant>,
}

impl Story {
    /// How long it took, if it was answered.
    fn took(&self) -> Option<Duration> {
        self.answered.map(|end| end - self.taken)
    }
}

/// What was heard of one own vertex.
#[derive(Debug, Default)]
struct Notes {
    /// When it was known what it depends on.
    known: Option<Instant>,
    is_fast: Option<bool>,
    by: NodeSet,
    added: Vec<(NodeId, Vec<Vertex>)>,
    recovery_count: u64,
}

/// A story, told.
#[derive(Serialize)]
struct Told {
    command: String,
    /// Commands decided together with it, itself included.
    batch: usize,
    place: Option<String>,
    path: &'static str,
    answered_by: Vec<String>,
    added: Vec<Added>,
    waited_for: Option<String>,
    component: Vec<String>,
    component_size: usize,
    us: Stages,
}

#[derive(Serialize)]
struct Added {
    by: String,
    dependencies: Vec<String>,
}

/// How long each stage took, us; none for one that has not ended.
#[derive(Serialize)]
struct Stages {
    waiting_for_batch: u64,
    learning_dependencies: Option<u64>,
    deciding: Option<u64>,
    waiting_for_execution: Option<u64>,
    all: Option<u64>,
}

impl Stories {
    pub(crate) fn new(own: NodeId, names: Vec<String>) -> Stories {
        Stories {
            own,
            names,
            stories: VecDeque::new(),
            slow: Vec::new(),
            slow_from: None,
            first: 0,
            open: Vec::new(),
            opened: None,
            notes: HashMap::default(),
            chosen: HashMap::default(),
        }
    }

    /// A request goes into the open batch.
    pub(crate) fn takes(&mut self, request: RequestId, now: Instant) {
        self.open.push(request);
        self.opened.get_or_insert(now);
    }

    /// The open batch leaves, as this number.
    pub(crate) fn departs(&mut self, number: u64, now: Instant) {
        if self.stories.len() >= STORY_COUNT_MAX
            && let Some(story) = self.stories.pop_front()
        {
            self.keep_if_slow(story);
        }
        let capacity = self.open.len();
        self.stories.push_back(Story {
            requests: std::mem::replace(&mut self.open, Vec::with_capacity(capacity)),
            taken: self.opened.take().unwrap_or(now),
            left: now,
            place: None,
            is_slot: false,
            notes: Notes::default(),
            chosen: None,
            waits_for: None,
            component: Rc::default(),
            component_size: 1,
            answered: None,
        });
        self.first = number + 1 - self.stories.len() as u64;
    }

    /// Almost all are faster than those that are kept, and cost a comparison.
    fn keep_if_slow(&mut self, story: Story) {
        let is_full = self.slow.len() == SLOW_COUNT_MAX;
        if is_full && story.took() <= self.slow_from {
            return;
        }
        let fastest = self.slow.iter().enumerate().min_by_key(|(_, kept)| kept.took());
        match fastest.map(|(place, _)| place).filter(|_| is_full) {
            Some(place) => self.slow[place] = story,
            None => self.slow.push(story),
        }
        self.slow_from = self.slow.iter().map(Story::took).min().flatten();
    }

    /// Something happened in the node.
    pub(crate) fn hears(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Proposed { vertex, .. } => self.note(*vertex, |notes| notes.known = Some(now)),
            Event::Path { vertex, fast } => self.note(*vertex, |notes| notes.is_fast = Some(*fast)),
            Event::Answered { vertex, by } => self.note(*vertex, |notes| notes.by = *by),
            Event::Added { vertex, by, deps } => self.note(*vertex, |notes| {
                if notes.added.len() < LIST_MAX {
                    notes.added.push((*by, deps.clone()));
                }
            }),
            Event::RecoveryStarted { vertex, .. } => self.note(*vertex, |notes| notes.recovery_count += 1),
            _ => {}
        }
    }

    fn note(&mut self, vertex: Vertex, note: impl FnOnce(&mut Notes)) {
        if vertex.leader == self.own {
            note(self.notes.entry(vertex).or_default());
            if self.notes.len() > STORY_COUNT_MAX {
                self.notes.clear();
            }
        }
    }

    /// A batch is chosen at its place; none if it is not one that waits here.
    pub(crate) fn chosen(&mut self, number: Option<u64>, order: &Order, now: Instant) {
        let place = order.place();
        let notes = self.notes.remove(&place).unwrap_or_default();
        let Some(story) = number.and_then(|number| at(&mut self.stories, self.first, number)) else { return };
        story.place = Some(place);
        story.is_slot = matches!(order, Order::Slot { .. });
        story.notes = notes;
        story.chosen = Some(now);
        self.chosen.insert(place, number.unwrap_or(self.first));
        if self.chosen.len() > STORY_COUNT_MAX {
            self.chosen.clear();
        }
    }

    /// Whether a vertex is one whose execution is waited for here.
    pub(crate) fn follows(&self, vertex: Vertex) -> bool {
        self.chosen.contains_key(&vertex)
    }

    /// What is chosen there cannot be executed before this is chosen, too.
    pub(crate) fn waits(&mut self, vertex: Vertex, for_vertex: Option<Vertex>) {
        let Some(number) = self.chosen.get(&vertex) else { return };
        if let Some(story) = at(&mut self.stories, self.first, *number) {
            story.waits_for = for_vertex;
        }
    }

    /// A component of more than one vertex is executed.
    pub(crate) fn executes(&mut self, members: &[Vertex]) {
        let mut shown: Option<Rc<[Vertex]>> = None;
        for number in members.iter().filter_map(|vertex| self.chosen.get(vertex)) {
            if let Some(story) = at(&mut self.stories, self.first, *number) {
                let shown = shown.get_or_insert_with(|| members.iter().take(LIST_MAX).copied().collect());
                (story.component_size, story.component) = (members.len(), Rc::clone(shown));
            }
        }
    }

    /// A command of a batch is answered.
    pub(crate) fn answers(&mut self, number: u64, now: Instant) {
        let Some(story) = at(&mut self.stories, self.first, number) else { return };
        if story.answered.is_none()
            && let Some(place) = story.place
        {
            self.chosen.remove(&place);
        }
        story.answered.get_or_insert(now);
    }

    /// The story of a request, as JSON; `null` if it is not kept.
    pub(crate) fn explain(&self, request: RequestId) -> String {
        let mut kept = self.stories.iter().rev().chain(&self.slow);
        let story = kept.find(|story| story.requests.contains(&request));
        let told = story.map(|story| self.tell(request, story));
        serde_json::to_string(&told).unwrap_or_else(|_| "null".to_owned())
    }

    fn tell(&self, request: RequestId, story: &Story) -> Told {
        let us = |from: Instant, to: Instant| u64::try_from((to - from).as_micros()).unwrap_or(u64::MAX);
        let notes = &story.notes;
        let vertices = |list: &[Vertex]| list.iter().map(|vertex| self.name(*vertex)).collect();
        Told {
            command: request.to_string(),
            batch: story.requests.len(),
            place: story.place.map(|place| match story.is_slot {
                true => format!("slot {}", place.number),
                false => self.name(place),
            }),
            path: match (story.place, story.is_slot, notes.is_fast) {
                (None, ..) => "not decided",
                (_, true, _) => "leader",
                _ if notes.recovery_count > 0 => "recovered",
                (_, _, Some(true)) => "fast",
                (_, _, Some(false)) => "slow",
                _ if notes.known.is_none() => "decided by another node",
                (_, _, None) => "two round trips",
            },
            answered_by: notes.by.iter().map(|node| self.node(node)).collect(),
            added: notes
                .added
                .iter()
                .map(|(by, deps)| Added { by: self.node(*by), dependencies: vertices(deps) })
                .collect(),
            waited_for: story.waits_for.map(|vertex| self.name(vertex)),
            component: vertices(&story.component),
            component_size: story.component_size,
            us: Stages {
                waiting_for_batch: us(story.taken, story.left),
                learning_dependencies: notes.known.map(|known| us(story.left, known)),
                deciding: story.chosen.map(|chosen| us(notes.known.unwrap_or(story.left), chosen)),
                waiting_for_execution: story.answered.zip(story.chosen).map(|(end, chosen)| us(chosen, end)),
                all: story.answered.map(|answered| us(story.taken, answered)),
            },
        }
    }

    fn node(&self, node: NodeId) -> String {
        self.names.get(node.index()).cloned().unwrap_or_else(|| node.to_string())
    }

    /// A vertex by the name of its leader and its number.
    pub(crate) fn name(&self, vertex: Vertex) -> String {
        format!("{}.{}", self.node(vertex.leader), vertex.number)
    }
}

/// The story of a batch, if it is kept.
fn at(stories: &mut VecDeque<Story>, first: u64, number: u64) -> Option<&mut Story> {
    stories.get_mut(usize::try_from(number.checked_sub(first)?).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isegoria_types::{ClientId, DepSet};
    use serde_json::{Value, json};

    fn request(number: u64) -> RequestId {
        RequestId { client: ClientId(7), number }
    }

    fn told(stories: &Stories, number: u64) -> Value {
        serde_json::from_str(&stories.explain(request(number))).unwrap()
    }

    #[test]
    fn a_command_s_way_is_told_stage_by_stage() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let [own, other] = [0, 1].map(NodeId::new);
        let (vertex, blocker) = (Vertex::new(own, 3), Vertex::new(other, 9));
        let mut stories = Stories::new(own, vec!["paris".to_owned(), "tokyo".to_owned()]);
        stories.takes(request(0), start);
        stories.takes(request(1), after(1));
        stories.departs(5, after(2));
        stories.hears(&Event::Added { vertex, by: other, deps: vec![blocker] }, after(4));
        stories.hears(&Event::Answered { vertex, by: NodeSet::first(2) }, after(4));
        stories.hears(&Event::Proposed { vertex, conflicting: true }, after(4));
        stories.hears(&Event::Path { vertex, fast: false }, after(4));
        assert_eq!(told(&stories, 1)["path"], "not decided");
        stories.chosen(Some(5), &Order::Vertex(vertex, DepSet::default()), after(7));
        stories.waits(vertex, Some(blocker));
        stories.executes(&[vertex, blocker]);
        stories.answers(5, after(17));
        stories.answers(5, after(18));
        let expected = json!({
            "command": request(1).to_string(),
            "batch": 2,
            "place": "paris.3",
            "path": "slow",
            "answered_by": ["paris", "tokyo"],
            "added": [{ "by": "tokyo", "dependencies": ["tokyo.9"] }],
            "waited_for": "tokyo.9",
            "component": ["paris.3", "tokyo.9"],
            "component_size": 2,
            "us": {
                "waiting_for_batch": 2000,
                "learning_dependencies": 2000,
                "deciding": 3000,
                "waiting_for_execution": 10000,
                "all": 17000,
            },
        });
        assert_eq!(told(&stories, 1), expected);
        assert_eq!(told(&stories, 2), Value::Null);
        assert!(stories.chosen.is_empty() && stories.notes.is_empty());
    }

    #[test]
    fn slow_commands_are_kept_longer() {
        let mut stories = Stories::new(NodeId::new(0), Vec::new());
        let now = Instant::now();
        for number in 0..9_000 {
            stories.takes(request(number), now);
            stories.departs(number, now);
            stories.answers(number, now + Duration::from_millis(if number == 170 { 500 } else { 1 }));
        }
        assert_eq!(
            (told(&stories, 170)["us"]["all"].clone(), told(&stories, 171)),
            (json!(500_000), Value::Null)
        );
    }

    #[test]
    fn old_stories_go() {
        let mut stories = Stories::new(NodeId::new(0), Vec::new());
        let now = Instant::now();
        for number in 0..9_000 {
            stories.takes(request(number), now);
            stories.departs(number, now);
            let vertex = Vertex::new(NodeId::new(0), number);
            stories.hears(&Event::Proposed { vertex, conflicting: false }, now);
            stories.chosen(Some(number), &Order::Vertex(vertex, DepSet::default()), now);
        }
        assert_eq!(told(&stories, 100), Value::Null);
        assert_eq!(told(&stories, 8_999)["place"], json!("n1.8999"));
        assert_eq!((stories.stories.len(), stories.first), (STORY_COUNT_MAX, 9_000 - STORY_COUNT_MAX as u64));
        assert!(stories.chosen.len() <= STORY_COUNT_MAX && stories.slow.len() == SLOW_COUNT_MAX);
    }
}
