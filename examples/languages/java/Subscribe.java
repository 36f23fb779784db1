// Print every event and result once, as a line of JSON: java -cp 'libs/*' Subscribe.java TOPIC...
import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.time.Duration;
import java.util.*;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Subscribe {
    static final String SERVERS = System.getenv().getOrDefault("BILLING_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092");

    // What was taken already. Keep it, and the offsets, with whatever you make of the events.
    static final Map<String, Long> last = new HashMap<>();
    static final Set<String> results = new HashSet<>();

    // Events of a subject are numbered 1, 2, 3 …; a result has no number, but an id.
    static boolean isNew(JsonNode event) {
        if (!event.has("sequence")) return results.add(event.get("id").asText());
        String subject = event.get("subject").asText();
        long sequence = event.get("sequence").asLong(), before = last.getOrDefault(subject, 0L);
        if (sequence <= before) return false;
        if (sequence > before + 1) System.err.printf("%s: a gap behind %d, load the compacted topic%n", subject, before);
        last.put(subject, sequence);
        return true;
    }

    public static void main(String[] topics) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", SERVERS, "isolation.level", "read_committed");
        var json = new ObjectMapper();
        var out = new PrintStream(System.out, true, UTF_8);
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            var partitions = Stream.of(topics).flatMap(topic -> consumer.partitionsFor(topic).stream())
                    .map(each -> new TopicPartition(each.topic(), each.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (true) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    if (isNew(json.readTree(record.value()))) out.println(record.value());
                }
            }
        }
    }
}
