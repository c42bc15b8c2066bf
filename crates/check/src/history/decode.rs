//! JSON as calls and answers: whatever does not fit is one sentence.

use crate::history::encode::NOT_A_NUMBER;
use crate::history::text::from_text;
use crate::history::{Answer, Call, List, Model, Part};
use bytes::Bytes;
use isegoria_kv::{Op, Output};
use serde_json::Value;

type Decoded<T> = Result<T, String>;

pub(super) fn call(model: Model, op: &Value) -> Decoded<Call> {
    let words = list_of(op, "`op` is a list that begins with the operation's name")?;
    let Some((Value::String(name), arguments)) = words.split_first() else {
        return Err(format!("`op` begins with the operation's name, such as {}", example(model)));
    };
    let decoded = match model {
        Model::Kv => kv(name, arguments).map(|op| op.map(Call::Kv)),
        Model::ListAppend => list_call(name, arguments).map(|parts| parts.map(Call::List)),
    };
    let sentence = |what: String| format!("operation `{name}`: {what}");
    decoded.map_err(sentence)?.ok_or_else(|| {
        let (names, other) = match model {
            Model::Kv => ("get, put, del, incr, add, append, cas, mget, mput", Model::ListAppend),
            Model::ListAppend => ("append, read, txn", Model::Kv),
        };
        format!("the model {model} has no operation `{name}`; it has {names} (the other model is {other})")
    })
}

fn example(model: Model) -> &'static str {
    match model {
        Model::Kv => r#"["get","k1"]"#,
        Model::ListAppend => r#"["append","k1","v17"]"#,
    }
}

fn kv(name: &str, arguments: &[Value]) -> Decoded<Option<Op>> {
    let op = match name {
        "get" => Op::Get(text(one(arguments, "a key")?)?),
        "del" => Op::Delete(text(one(arguments, "a key")?)?),
        "put" => {
            let [key, value] = exactly(arguments, "a key and a value")?;
            Op::Put(text(key)?, text(value)?)
        }
        "append" => {
            let [key, tail] = exactly(arguments, "a key and a text")?;
            Op::Append(text(key)?, text(tail)?)
        }
        "incr" => {
            let [key, by] = exactly(arguments, "a key and a number")?;
            Op::Incr(text(key)?, number(by)?)
        }
        "add" => {
            let [key, by] = exactly(arguments, "a key and a number")?;
            Op::Add(text(key)?, number(by)?)
        }
        "cas" => {
            let [key, expected, value] =
                exactly(arguments, "a key, the expected value or null, and the new value")?;
            Op::CompareAndSet { key: text(key)?, expected: text_or_null(expected)?, value: text(value)? }
        }
        "mget" => Op::MultiGet(texts(one(arguments, "a list of keys")?)?),
        "mput" => {
            let pairs = list_of(one(arguments, "a list of pairs")?, "its pairs are a list")?;
            let pair = |pair: &Value| {
                let [key, value] = exactly(list_of(pair, "a pair is a list")?, "a key and a value")?;
                Ok((text(key)?, text(value)?))
            };
            Op::MultiPut(pairs.iter().map(pair).collect::<Decoded<_>>()?)
        }
        _ => return Ok(None),
    };
    Ok(Some(op))
}

fn list_call(name: &str, arguments: &[Value]) -> Decoded<Option<Vec<Part>>> {
    let parts = match name {
        "append" => vec![append(arguments)?],
        "read" => texts(one(arguments, "a list of keys")?)?.into_iter().map(Part::Read).collect(),
        "txn" => {
            let parts = list_of(one(arguments, "a list of parts")?, "its parts are a list")?;
            parts.iter().map(part).collect::<Decoded<_>>()?
        }
        _ => return Ok(None),
    };
    Ok(Some(parts))
}

fn part(part: &Value) -> Decoded<Part> {
    match list_of(part, "a part is a list")?.split_first() {
        Some((Value::String(name), arguments)) if name == "append" => append(arguments),
        Some((Value::String(name), arguments)) if name == "read" => {
            Ok(Part::Read(text(one(arguments, "a key")?)?))
        }
        _ => Err(r#"a part is ["append",key,element] or ["read",key]"#.to_owned()),
    }
}

fn append(arguments: &[Value]) -> Decoded<Part> {
    let [key, element] = exactly(arguments, "a key and an element")?;
    Ok(Part::Append(text(key)?, text(element)?))
}

/// The answer to `call`, which decides what may stand there.
pub(super) fn answer(call: &Call, result: &Value) -> Decoded<Answer> {
    match call {
        Call::Kv(op) => output(op, result).map(Answer::Kv),
        Call::List(parts) => reads(parts, result).map(Answer::List),
    }
    .map_err(|what| format!("`result`: {what}"))
}

fn output(op: &Op, result: &Value) -> Decoded<Output> {
    Ok(match op {
        Op::Get(_) => Output::Value(text_or_null(result)?),
        Op::Put(..) | Op::Add(..) | Op::MultiPut(_) => null(result).map(|()| Output::Ok)?,
        Op::Delete(_) => Output::Deleted(boolean(result)?),
        Op::CompareAndSet { .. } => Output::Swapped(boolean(result)?),
        Op::Incr(..) if result.as_str() == Some(NOT_A_NUMBER) => Output::NotANumber,
        Op::Incr(..) | Op::Append(..) => Output::Number(number(result)?),
        Op::MultiGet(keys) => {
            let values = as_many(result, keys.len(), "one value a key")?;
            Output::Values(values.iter().map(text_or_null).collect::<Decoded<_>>()?)
        }
        Op::Pipeline(_) | Op::Transaction(_) => return Err("histories have no commands of Redis".to_owned()),
    })
}

fn reads(parts: &[Part], result: &Value) -> Decoded<Vec<Option<List>>> {
    if matches!(parts, [Part::Append(..)]) && (result.is_null() || result.is_number()) {
        return Ok(vec![None]);
    }
    let results = as_many(result, parts.len(), "one result a part")?;
    parts.iter().zip(results).map(|(part, result)| read(part, result)).collect()
}

fn read(part: &Part, result: &Value) -> Decoded<Option<List>> {
    match part {
        Part::Append(..) => match result {
            Value::Null | Value::Number(_) => Ok(None),
            _ => Err(format!("{result} stands where null belongs, at an append")),
        },
        Part::Read(_) => {
            let mut list = List::new();
            for element in list_of(result, "a read returns a list")? {
                list.push(&text(element)?);
            }
            Ok(Some(list.shrink()))
        }
    }
}

fn as_many<'a>(value: &'a Value, count: usize, what: &str) -> Decoded<&'a [Value]> {
    let list = list_of(value, what)?;
    match list.len() == count {
        true => Ok(list),
        false => Err(format!("{what}: {count} are expected, {} are there", list.len())),
    }
}

fn list_of<'a>(value: &'a Value, what: &str) -> Decoded<&'a [Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("{what}, not {}", kind(value)))
}

fn exactly<'a, const N: usize>(arguments: &'a [Value], what: &str) -> Decoded<&'a [Value; N]> {
    arguments.try_into().map_err(|_| format!("it takes {what}; {} are there", arguments.len()))
}

fn one<'a>(arguments: &'a [Value], what: &str) -> Decoded<&'a Value> {
    exactly::<1>(arguments, what).map(|[value]| value)
}

fn texts(value: &Value) -> Decoded<Vec<Bytes>> {
    list_of(value, "keys are a list")?.iter().map(text).collect()
}

fn text(value: &Value) -> Decoded<Bytes> {
    match value {
        Value::String(text) => from_text(text),
        _ => Err(format!("a text in quotes belongs where {} stands", kind(value))),
    }
}

fn text_or_null(value: &Value) -> Decoded<Option<Bytes>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => from_text(text).map(Some),
        _ => Err(format!("a text in quotes or null belongs where {} stands", kind(value))),
    }
}

fn number(value: &Value) -> Decoded<i64> {
    value.as_i64().ok_or_else(|| format!("a whole number of 64 bits belongs where {} stands", kind(value)))
}

fn boolean(value: &Value) -> Decoded<bool> {
    value.as_bool().ok_or_else(|| format!("true or false belongs where {} stands", kind(value)))
}

fn null(value: &Value) -> Decoded<()> {
    value.as_null().ok_or_else(|| format!("null belongs where {} stands", kind(value)))
}

/// A value in an error: named by its kind, for it may be long.
fn kind(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(_) => "a text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
