// Publish one command: java -cp 'libs/*' Publish.java ORGANIZATION ID TYPE DATA
import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

public class Publish {
    static final String SERVERS = System.getenv().getOrDefault("BILLING_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092");
    static final String TOPIC = System.getenv().getOrDefault("BILLING_TOPICS__COMMANDS", "billing.commands");

    public static void main(String[] args) throws Exception {
        String organization = args[0], id = args[1], type = args[2], data = args[3];
        Map<String, Object> settings = Map.of("bootstrap.servers", SERVERS, "acks", "all", "enable.idempotence", true);
        Map<String, String> attributes = Map.of(
                "content-type", "application/json",
                "ce_specversion", "1.0",
                "ce_id", id, // when in doubt whether it was sent, send it again with the same id: nothing happens twice
                "ce_source", "/examples/java",
                "ce_type", type,
                "ce_organization", organization,
                "ce_actor", "service:example");
        var command = new ProducerRecord<>(TOPIC, organization, data);
        attributes.forEach((name, value) -> command.headers().add(name, value.getBytes(UTF_8)));
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            var written = producer.send(command).get();
            System.out.printf("%s is in partition %d at offset %d%n", id, written.partition(), written.offset());
        }
    }
}
