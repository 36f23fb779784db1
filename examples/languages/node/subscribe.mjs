// Print every event and result once, as a line of JSON: node subscribe.mjs TOPIC...
import { randomUUID } from "node:crypto";
import kafkajs from "kafkajs";

const servers = process.env.BILLING_KAFKA__BOOTSTRAP_SERVERS ?? "localhost:9092";

// What was taken already. Keep it, and the offsets, with whatever you make of the events.
const last = new Map();
const results = new Set();

// Events of a subject are numbered 1, 2, 3 …; a result has no number, but an id.
function isNew({ id, subject, sequence }) {
  if (sequence === undefined) {
    const known = results.has(id);
    results.add(id);
    return !known;
  }
  const before = last.get(subject) ?? 0;
  if (sequence <= before) return false;
  if (sequence > before + 1) console.error(`${subject}: a gap behind ${before}, load the compacted topic`);
  last.set(subject, sequence);
  return true;
}

const kafka = new kafkajs.Kafka({ brokers: servers.split(","), logLevel: kafkajs.logLevel.WARN });
const consumer = kafka.consumer({
  groupId: `example-${randomUUID()}`, // KafkaJS cannot do without; a new one each time reads from the first record on
  readUncommitted: false, // the default; otherwise records of aborted transactions show
});
await consumer.connect();
await consumer.subscribe({ topics: process.argv.slice(2), fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachMessage: async ({ message }) => {
    if (isNew(JSON.parse(message.value))) console.log(message.value.toString());
  },
});
