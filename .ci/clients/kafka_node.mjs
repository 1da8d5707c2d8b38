// kafkajs and @platformatic/kafka on the embedded broker: each reads what the stream wrote, and writes in transactions.
import { check, endpoints as e, equal, finish, require, topic } from './checks.mjs';

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs');
const { Consumer, Producer, Admin, stringDeserializers, stringSerializers, MessagesStreamModes } = require('@platformatic/kafka');
const avro = require('avsc');
const snappy = require('snappyjs');

// kafkajs wants to be given what decompresses; the stream writes Snappy.
CompressionCodecs[CompressionTypes.Snappy] = () => ({ compress: async (e) => snappy.compress(e.buffer), decompress: async (b) => snappy.uncompress(b) });

const kafka = new Kafka({
  clientId: 'kafkajs', brokers: [e.kafka_bootstrap], logLevel: logLevel.NOTHING, ssl: false,
  sasl: { mechanism: 'plain', username: e.user, password: e.password },
});
const plt = { clientId: 'platformatic', bootstrapBrokers: [e.kafka_bootstrap], sasl: { mechanism: 'PLAIN', username: e.user, password: e.password } };

const auth = { Authorization: 'Basic ' + Buffer.from(`${e.user}:${e.password}`).toString('base64') };
const registered = await (await fetch(`${e.registry_url}/subjects/${topic}-value/versions/latest`, { headers: auth })).json();
const type = avro.Type.forSchema(JSON.parse(registered.schema), { noAnonymousTypes: true, wrapUnions: false });

// decode takes Confluent's framing off: a zero, the schema's id, Avro.
function decode(value) {
  equal([value[0], value.readInt32BE(1)], [0, registered.id]);
  return type.fromBuffer(value.subarray(5));
}

function encode(row) {
  const head = Buffer.alloc(5);
  head.writeInt32BE(registered.id, 1);
  return Buffer.concat([head, type.toBuffer(row)]);
}

const row = (Index, i) => ({ Index, Date: 19723 + i, Open: 1, High: 2, Low: 0.5, Close: 1.5, Adj_Close: 1.5, Volume: 10, CloseUSD: null });
const source = Number(process.env.MKT_CLIENTS_ROWS); // that the stream read

async function fails(promise) {
  try {
    await promise;
  } catch (err) {
    return err;
  }
  throw new Error('it did not fail');
}

await check('kafkajs: refuses a wrong password', async () => {
  const bad = new Kafka({ brokers: [e.kafka_bootstrap], logLevel: logLevel.NOTHING, sasl: { mechanism: 'plain', username: e.user, password: 'no' }, retry: { retries: 0 } }).admin();
  const err = await fails(bad.connect());
  equal(err.name, 'KafkaJSSASLAuthenticationError');
});

await check('kafkajs: the topic, its configuration and offsets', async () => {
  const admin = kafka.admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  equal(topics[0].partitions.length, 6);
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic, configNames: ['retention.ms'] }] });
  equal(resources[0].configEntries.map((c) => [c.configName, c.configValue]), [['retention.ms', '604800000']]);
  equal((await admin.fetchTopicOffsets(topic)).length, 6);
  await admin.disconnect();
});

await check('kafkajs: reads every row that the stream wrote', async () => {
  const consumer = kafka.consumer({ groupId: 'kafkajs-read', readUncommitted: false });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const seen = new Set();
  await new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error(`${seen.size} of ${source} rows after 30 s`)), 30000);
    consumer.run({
      eachMessage: async ({ message }) => {
        if (message.key.toString().startsWith('CLIENT')) return;
        const r = decode(message.value);
        seen.add(`${r.Index} ${r.Date}`);
        if (seen.size === source) {
          clearTimeout(timer);
          done();
        }
      },
    }).catch(fail);
  });
  await consumer.disconnect();
});

await check('kafkajs: writes in a transaction after an aborted one', async () => {
  const producer = kafka.producer({ transactionalId: 'kafkajs-clients', maxInFlightRequests: 1, idempotent: true });
  await producer.connect();
  for (const [index, days] of [['CLIENT_ABORTED', 5], ['CLIENT_KAFKAJS', 10]]) {
    const tx = await producer.transaction();
    await tx.send({ topic, messages: Array.from({ length: days }, (_, i) => ({ key: index, value: encode(row(index, i)) })) });
    await (index === 'CLIENT_ABORTED' ? tx.abort() : tx.commit());
  }
  await producer.disconnect();
});

await check('platformatic: refuses a wrong password', async () => {
  const bad = new Admin({ ...plt, sasl: { ...plt.sasl, password: 'no' }, retries: 0 });
  await fails(bad.metadata({ topics: [topic] }));
  await bad.close();
});

await check('platformatic: reads every row that the stream wrote', async () => {
  const consumer = new Consumer({ ...plt, groupId: 'platformatic-read', deserializers: { key: stringDeserializers.key } });
  const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false, isolationLevel: 1, maxWaitTime: 200 });
  const seen = new Set();
  const timer = setTimeout(() => stream.destroy(new Error(`${seen.size} of ${source} rows after 30 s`)), 30000);
  for await (const m of stream) {
    if (m.key.startsWith('CLIENT')) continue;
    const r = decode(m.value);
    seen.add(`${r.Index} ${r.Date}`);
    if (seen.size === source) break;
  }
  clearTimeout(timer);
  await consumer.close(true);
});

await check('platformatic: writes for the stream', async () => {
  const producer = new Producer({ ...plt, serializers: { key: stringSerializers.key }, idempotent: true });
  const { offsets } = await producer.send({ messages: Array.from({ length: 10 }, (_, i) => ({ topic, key: 'CLIENT_PLATFORMATIC', value: encode(row('CLIENT_PLATFORMATIC', i)) })), acks: -1 });
  equal(offsets.length > 0, true);
  await producer.close();
});

finish();
