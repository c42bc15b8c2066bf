"""Runs the same commands through the nodes of a cluster, in turn, and through a Redis, and compares
every answer. Usage: agree.py REDIS NODE [NODE ...], each HOST:PORT. Needs redis-py."""

import random
import sys

import redis
from redis.exceptions import RedisError

# Answers that name the server, or come in an order of its own.
UNORDERED = {"HKEYS", "HVALS", "SMEMBERS", "HGETALL"}
OWN = {"HELLO", "INFO", "COMMAND", "CONFIG", "CLIENT", "QUIT"}
KEYS = ["a", "b", "c"]
NAMES = ["x", "y", "z"]
VALUES = ["1", "-7", "9223372036854775807", "text", "", "007", "+5"]


def connect(address, protocol):
    host, port = address.rsplit(":", 1)
    return redis.Redis(host=host, port=int(port), protocol=protocol, single_connection_client=True)


def answer(client, words):
    try:
        return client.execute_command(*words)
    except RedisError as error:
        return f"{type(error).__name__}: {error}"


def comparable(name, value):
    if isinstance(value, (list, set)) and name in UNORDERED:
        return sorted(value)
    return value


def draw(dice):
    key, name, value = dice.choice(KEYS), dice.choice(NAMES), dice.choice(VALUES)
    other = dice.choice(KEYS)
    number = dice.choice(["0", "1", "-1", "2", "-3", "9223372036854775807", "-9223372036854775808", "x"])
    return dice.choice(
        [
            ["GET", key],
            ["SET", key, value],
            ["SET", key, value, dice.choice(["NX", "XX", "nx", "QQ"])],
            ["DEL", key],
            ["DEL", key, other],
            ["EXISTS", key, other, key],
            ["TYPE", key],
            ["DBSIZE"],
            ["INCR", key],
            ["INCRBY", key, number],
            ["DECR", key],
            ["DECRBY", key, number],
            ["APPEND", key, value],
            ["STRLEN", key],
            ["MGET", key, other, "none"],
            ["MSET", key, value, other, "2"],
            ["MSET", key],
            ["HSET", key, name, value],
            ["HSET", key, name, value, "w", "3"],
            ["HSET", key, name],
            ["HGET", key, name],
            ["HMGET", key, name, "none"],
            ["HDEL", key, name, "w"],
            ["HGETALL", key],
            ["HINCRBY", key, name, number],
            ["HEXISTS", key, name],
            ["HLEN", key],
            ["HKEYS", key],
            ["HVALS", key],
            ["SADD", key, name, value],
            ["SREM", key, name, value],
            ["SMEMBERS", key],
            ["SISMEMBER", key, name],
            ["SCARD", key],
            ["LPUSH", key, value, name],
            ["RPUSH", key, value],
            ["LPOP", key],
            ["RPOP", key],
            ["LPOP", key, number],
            ["RPOP", key, dice.choice(["0", "1", "5"])],
            ["LRANGE", key, number, dice.choice(["-1", "0", "2", "y"])],
            ["LLEN", key],
            ["PING"],
            ["PING", value],
            ["ECHO", value],
            ["SELECT", dice.choice(["0", "x"])],
            ["GET"],
            ["GET", key, name],
            ["FLY", key, "away"],
            ["EXEC"],
            ["DISCARD"],
            ["UNWATCH"],
        ]
    )


def transaction(client, commands, transactional):
    pipe = client.pipeline(transaction=transactional)
    for words in commands:
        pipe.execute_command(*words)
    try:
        answers = pipe.execute(raise_on_error=False)
    except RedisError as error:
        return [f"{type(error).__name__}: {error}"]
    return [
        f"{type(value).__name__}: {value}" if isinstance(value, RedisError) else comparable(words[0], value)
        for words, value in zip(commands, answers)
    ]


def run(real_address, addresses, protocol, seed):
    dice = random.Random(seed)
    real = connect(real_address, protocol)
    nodes = [connect(address, protocol) for address in addresses]
    used = set()
    real.flushall()
    for key in KEYS + ["none"]:
        nodes[0].delete(key)
    for step in range(3000):
        node = nodes[step % len(nodes)]
        if dice.random() < 0.1:
            commands = [words for words in (draw(dice) for _ in range(5)) if words[0] not in ("EXEC", "DISCARD", "SELECT", "UNWATCH")]
            transactional = dice.random() < 0.5
            used.update(["MULTI", "EXEC"])
            ours, theirs = (transaction(client, commands, transactional) for client in (node, real))
            assert ours == theirs, f"step {step}: {commands}: {ours} and not {theirs}"
            continue
        words = draw(dice)
        used.add(words[0])
        ours, theirs = (comparable(words[0], answer(client, words)) for client in (node, real))
        assert ours == theirs, f"step {step}: {words}: {ours!r} and not {theirs!r}"
    return nodes, used


def main():
    real, *nodes = sys.argv[1:]
    used = set()
    for protocol in (2, 3):
        for seed in range(2):
            clients, more = run(real, nodes, protocol, seed)
            used |= more
    node = clients[0]
    # What answers for the server itself only has to answer.
    for words in (["CLIENT", "ID"], ["CLIENT", "SETINFO", "LIB-NAME", "x"], ["INFO"], ["COMMAND COUNT"]):
        assert not isinstance(node.execute_command(*words), RedisError), words
    assert node.config_get("appendonly") == {"appendonly": "yes"}, node.config_get("appendonly")
    listed = {name.decode().upper() for name in node.execute_command("COMMAND LIST")}
    missed = listed - used - OWN - {"AUTH"}
    assert not missed, f"never tried: {missed}"
    print(f"{len(used)} commands agree")


main()
