use isegoria_replica::ReplicaMessage;
use isegoria_types::NodeId;
use std::collections::VecDeque;

/// What travels between nodes.
#[derive(Clone, Debug)]
pub(super) enum Wire<M> {
    Node(M),
    Replica(ReplicaMessage),
}

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Letter<M> {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    /// How it reads in the trace.
    pub(super) text: String,
    pub(super) wire: Wire<M>,
}

/// Everything in flight, oldest first; it stays there until the script says otherwise.
pub(super) struct Network<M> {
    letters: VecDeque<Letter<M>>,
}

/// Whether every word of `words` is a word of `text`.
fn says(text: &str, words: &str) -> bool {
    words.split_whitespace().all(|word| text.split_whitespace().any(|other| other == word))
}

impl<M: Clone> Network<M> {
    pub(super) fn new() -> Network<M> {
        Network { letters: VecDeque::new() }
    }

    pub(super) fn send(&mut self, letter: Letter<M>) {
        self.letters.push_back(letter);
    }

    fn find(&self, wanted: impl Fn(&Letter<M>) -> bool) -> Option<usize> {
        self.letters.iter().position(wanted)
    }

    /// Takes the oldest message between two nodes that has these words.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn take(&mut self, from: NodeId, to: NodeId, words: &str) -> Letter<M> {
        let place = self.place(from, to, words);
        self.letters.remove(place).expect("just found")
    }

    /// A copy of the oldest message between two nodes that has these words.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn copy(&self, from: NodeId, to: NodeId, words: &str) -> Letter<M> {
        self.letters[self.place(from, to, words)].clone()
    }

    fn place(&self, from: NodeId, to: NodeId, words: &str) -> usize {
        let found = self.find(|letter| letter.from == from && letter.to == to && says(&letter.text, words));
        found.unwrap_or_else(|| {
            panic!("no message from {from} to {to} has the words `{words}`; in flight:\n{}", self.list())
        })
    }

    /// Takes the oldest message among `nodes` that has these words.
    pub(super) fn take_among(&mut self, nodes: &[NodeId], words: &str) -> Option<Letter<M>> {
        let among = |letter: &Letter<M>| nodes.contains(&letter.from) && nodes.contains(&letter.to);
        let place = self.find(|letter| among(letter) && says(&letter.text, words))?;
        self.letters.remove(place)
    }

    /// Takes all that have these words.
    pub(super) fn take_all(&mut self, words: &str) -> Vec<Letter<M>> {
        let (taken, kept) = self.letters.drain(..).partition(|letter| says(&letter.text, words));
        self.letters = kept;
        Vec::from_iter::<VecDeque<_>>(taken)
    }

    fn list(&self) -> String {
        let lines = self.letters.iter().map(|letter| {
            let Letter { from, to, text, .. } = letter;
            format!("  {from} -> {to}: {text}\n")
        });
        lines.collect()
    }
}
