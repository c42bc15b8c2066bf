//! The wire encoding: a vote request with one command and with 128 of them, puts of
//! 100 bytes, as Simple BPaxos sends it.

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use isegoria_bench::PutEncoder;
use isegoria_bpaxos::Value;
use isegoria_bpaxos::simple::Message;
use isegoria_types::{
    Action, Ballot, Batch, ClientId, Command, DepSet, Footprint, NodeId, Prefix, RequestId, Vertex,
};
use std::hint::black_box;

fn phase2a(batch: u64) -> Message {
    let mut puts = PutEncoder::new(100, 1);
    let command = |number: u64, payload: Bytes| {
        let mut footprint = Footprint::default();
        footprint.write(&number.to_be_bytes());
        Command {
            request: RequestId { client: ClientId(0x1234_5678_9abc_def0 + number), number: 1000 + number },
            acked_below: 1000 + number,
            generation: 1,
            footprint,
            action: Action::Apply(payload),
        }
    };
    let commands: Vec<Command> = (0..batch).map(|number| command(number, puts.put(number))).collect();
    Message::Phase2a {
        vertex: Vertex::new(NodeId::new(1), 123_456),
        ballot: Ballot::initial(NodeId::new(1)),
        value: Value {
            batch: Batch::of(&commands),
            deps: DepSet::from_prefix(Prefix::new(&[123_400, 123_456, 123_500])),
        },
    }
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for batch in [1, 128] {
        let message = phase2a(batch);
        let encoded = postcard::to_stdvec(&message).expect("encoding into memory");
        group.throughput(Throughput::Bytes(encoded.len() as u64));
        let mut buffer = Vec::new();
        group.bench_function(format!("encode/phase2a-{batch}"), |bencher| {
            bencher.iter(|| {
                buffer.clear();
                let taken = std::mem::take(&mut buffer);
                buffer = postcard::to_extend(black_box(&message), taken).expect("encoding into memory");
                buffer.len()
            });
        });
        group.bench_function(format!("decode/phase2a-{batch}"), |bencher| {
            bencher.iter(|| postcard::from_bytes::<Message>(black_box(&encoded)).expect("what was encoded"));
        });
    }
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
