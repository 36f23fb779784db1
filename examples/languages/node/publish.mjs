// Publish one command: node publish.mjs ORGANIZATION ID TYPE DATA
import kafkajs from "kafkajs";

const servers = process.env.BILLING_KAFKA__BOOTSTRAP_SERVERS ?? "localhost:9092";
const topic = process.env.BILLING_TOPICS__COMMANDS ?? "billing.commands";
const [organization, id, type, data] = process.argv.slice(2);

const kafka = new kafkajs.Kafka({ brokers: servers.split(","), logLevel: kafkajs.logLevel.WARN });
const producer = kafka.producer({
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner, // murmur2 of the key, as Java's client does
  idempotent: true, // and with it acks: all
});
await producer.connect();
const headers = {
  "content-type": "application/json",
  ce_specversion: "1.0",
  ce_id: id, // when in doubt whether it was sent, send it again with the same id: nothing happens twice
  ce_source: "/examples/node",
  ce_type: type,
  ce_organization: organization,
  ce_actor: "service:example",
};
const [written] = await producer.send({ topic, messages: [{ key: organization, value: data, headers }] });
console.log(`${id} is in partition ${written.partition} at offset ${written.baseOffset}`);
await producer.disconnect();
