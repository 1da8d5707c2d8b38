"""confluent-kafka for Python with its Avro serdes on the embedded broker and registry: reads what the stream wrote, and writes for its consumer."""

import datetime as dt
import time

from confluent_kafka import Consumer, DeserializingConsumer, KafkaError, KafkaException, Producer, SerializingProducer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from confluent_kafka.error import ConsumeError
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext, StringDeserializer, StringSerializer

from checks import E, STACK, TOPIC, check, equal, fails, finish

KAFKA = {"bootstrap.servers": E["kafka_bootstrap"], "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
         "sasl.username": E["user"], "sasl.password": E["password"], "log_level": 4}
registry = SchemaRegistryClient({"url": E["registry_url"], "basic.auth.user.info": f'{E["user"]}:{E["password"]}'})
admin = AdminClient(KAFKA)


def source_rows():
    return sum(len(f.read_text().splitlines()) - 1 for f in (STACK / "data").glob("*.csv"))


def drain(consumer, seconds=30):
    """Returns all messages up to the end of every partition."""
    got, ended, until = [], 0, time.monotonic() + seconds
    partitions = len(consumer.list_topics(TOPIC).topics[TOPIC].partitions)
    while ended < partitions and time.monotonic() < until:
        try:
            m = consumer.poll(1)
        except ConsumeError as e:  # so the deserializing consumer says what the other one returns
            m = e.kafka_message
        if m is None:
            continue
        if m.error() and m.error().code() == KafkaError._PARTITION_EOF:
            ended += 1
        elif m.error():
            raise KafkaException(m.error())
        else:
            got.append(m)
    equal(ended, partitions)
    return got


@check("refuses a wrong password")
def _():
    errors = []
    bad = AdminClient(KAFKA | {"sasl.password": "no", "error_cb": errors.append, "reconnect.backoff.ms": 1000, "log_level": 0})
    fails(lambda: bad.list_topics(timeout=3), KafkaException)
    bad.poll(1)
    assert KafkaError._AUTHENTICATION in [e.code() for e in errors], errors


@check("the topic and its configuration as the stack describes them")
def _():
    t = admin.list_topics(TOPIC, timeout=10).topics[TOPIC]
    equal(len(t.partitions), 6)
    resource = ConfigResource("topic", TOPIC)
    config = admin.describe_configs([resource])[resource].result(10)
    equal((config["retention.ms"].value, config["cleanup.policy"].value), ("604800000", "delete"))


@check("registry: subjects, versions, compatibility")
def _():
    assert f"{TOPIC}-value" in registry.get_subjects()
    latest = registry.get_latest_version(f"{TOPIC}-value")
    equal(registry.get_schema(latest.schema_id).schema_type, "AVRO")
    equal(registry.get_compatibility(f"{TOPIC}-value"), "BACKWARD")
    broken = Schema('{"type":"record","name":"MarketData","namespace":"mkt.example","fields":[{"name":"New","type":"string"}]}', "AVRO")
    equal(registry.test_compatibility(f"{TOPIC}-value", broken), False)
    e = fails(lambda: registry.register_schema(f"{TOPIC}-value", broken), SchemaRegistryError)
    equal((e.http_status_code, e.error_code), (409, 409))
    e = fails(lambda: registry.get_latest_version("none"), SchemaRegistryError)
    equal((e.http_status_code, e.error_code), (404, 40401))


@check("reads by Avro, read_committed, every row that the stream wrote, once")
def _():
    c = DeserializingConsumer(KAFKA | {"group.id": "py-read", "auto.offset.reset": "earliest", "enable.auto.commit": False, "enable.partition.eof": True,
        "isolation.level": "read_committed", "key.deserializer": StringDeserializer(), "value.deserializer": AvroDeserializer(registry)})
    c.subscribe([TOPIC])
    got = [m for m in drain(c) if not m.key().startswith("CLIENT")]
    c.commit(asynchronous=False)
    committed = sum(p.offset for p in c.committed([TopicPartition(TOPIC, p) for p in range(6)], timeout=10) if p.offset > 0)
    c.close()
    equal(len(got), source_rows())
    equal(len({(m.key(), m.value()["Date"]) for m in got}), len(got))
    v = got[0].value()
    assert isinstance(v["Date"], dt.date) and isinstance(v["Close"], float) and v["Index"] == got[0].key(), v
    assert committed >= len(got), committed


@check("a group's offsets are kept, and seeking by time works")
def _():
    c = Consumer(KAFKA | {"group.id": "py-read", "auto.offset.reset": "earliest", "enable.partition.eof": True})
    c.subscribe([TOPIC])
    equal(drain(c), [])
    equal([p.offset for p in c.offsets_for_times([TopicPartition(TOPIC, p, 0) for p in range(6)], timeout=10) if p.offset > 0], [])
    c.close()


@check("writes by Avro serdes for the stream's consumer, in a transaction after an aborted one")
def _():
    schema = registry.get_latest_version(f"{TOPIC}-value").schema.schema_str
    p = Producer(KAFKA | {"transactional.id": "py-clients", "enable.idempotence": True})
    serialize, ctx = AvroSerializer(registry, schema, conf={"auto.register.schemas": False}), SerializationContext(TOPIC, MessageField.VALUE)
    p.init_transactions(20)

    def send(index, days):
        p.begin_transaction()
        for i in range(days):
            row = dict(Index=index, Date=dt.date(2024, 1, 1) + dt.timedelta(i), Open=1.0, High=2.0, Low=0.5, Close=1.5, Adj_Close=1.5, Volume=10.0, CloseUSD=None)
            p.produce(TOPIC, key=index, value=serialize(row, ctx), on_delivery=lambda e, m: None)
        equal(p.flush(20), 0)

    send("CLIENT_ABORTED", 5)
    p.abort_transaction(20)
    send("CLIENT_PY", 10)
    p.commit_transaction(20)


@check("an aborted transaction is not read, and what it wrote is there for read_uncommitted")
def _():
    def count(isolation):
        c = Consumer(KAFKA | {"group.id": f"py-{isolation}", "auto.offset.reset": "earliest", "enable.partition.eof": True, "isolation.level": isolation})
        c.subscribe([TOPIC])
        keys = [m.key().decode() for m in drain(c)]
        c.close()
        return keys.count("CLIENT_ABORTED"), keys.count("CLIENT_PY")

    equal((count("read_committed"), count("read_uncommitted")), ((0, 10), (5, 10)))


@check("a producer that a newer one of its name has replaced is fenced")
def _():
    old, new = (Producer(KAFKA | {"transactional.id": "py-fenced"}) for _ in range(2))
    old.init_transactions(20)
    new.init_transactions(20)
    old.begin_transaction()
    old.produce(TOPIC, key="CLIENT_FENCED", value=b"")
    e = fails(lambda: old.commit_transaction(20), KafkaException)
    assert e.args[0].code() == KafkaError._FENCED and e.args[0].fatal(), e


@check("every compression, headers and timestamps; serializers that register by themselves")
def _():
    topic = "py-compressed"
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        p = SerializingProducer(KAFKA | {"compression.type": codec, "key.serializer": StringSerializer(),
            "value.serializer": AvroSerializer(registry, '{"type":"record","name":"R","fields":[{"name":"codec","type":"string"}]}')})
        p.produce(topic, key=codec, value={"codec": codec}, headers={"h": codec.encode()}, timestamp=1700000000000)
        equal(p.flush(20), 0)
    c = DeserializingConsumer(KAFKA | {"group.id": "py-compressed", "auto.offset.reset": "earliest", "key.deserializer": StringDeserializer(), "value.deserializer": AvroDeserializer(registry)})
    c.subscribe([topic])
    got, until = [], time.monotonic() + 20
    while len(got) < 5 and time.monotonic() < until:
        m = c.poll(1)
        if m is not None:
            got.append((m.key(), m.value()["codec"], m.headers(), m.timestamp()[1]))
    c.close()
    equal(got, [(k, k, [("h", k.encode())], 1700000000000) for k in ["none", "gzip", "snappy", "lz4", "zstd"]])
    equal(registry.get_versions(f"{topic}-value"), [1])


@check("admin: groups, partitions, records, topics")
def _():
    assert "py-read" in [g.group_id for g in admin.list_consumer_groups().result(10).valid]
    equal(admin.describe_consumer_groups(["py-read"])["py-read"].result(10).state.name, "EMPTY")
    admin.delete_consumer_groups(["py-read"])["py-read"].result(10)
    e = fails(lambda: admin.create_topics([NewTopic(TOPIC, 1, 1)])[TOPIC].result(10), KafkaException)
    equal(e.args[0].code(), KafkaError.TOPIC_ALREADY_EXISTS)
    admin.delete_topics(["py-compressed"])["py-compressed"].result(10)


finish()
