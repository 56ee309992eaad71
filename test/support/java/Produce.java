import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes topics with Apache Kafka's own producer, in every codec and with transactions, and prints each record that a reader
 * of committed records should see: topic, partition, offset, timestamp, key and value as hex, "-" for null.
 *
 * Arguments: brokers, a prefix of topic names, how many records a codec.
 */
public class Produce {
  record Sent(ProducerRecord<byte[], byte[]> record, Future<RecordMetadata> answer) {}

  public static void main(String[] args) throws Exception {
    String brokers = args[0];
    String prefix = args[1];
    int count = Integer.parseInt(args[2]);
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      List<Sent> sent = new ArrayList<>();
      try (var producer = producer(brokers, codec, null)) {
        for (int i = 0; i < count; i++) sent.add(send(producer, prefix + codec, i));
      }
      print(sent);
    }
    transactions(brokers, prefix + "transactions");
    System.out.flush();
    // Closing the producers would abort the transaction that is meant to stay open.
    Runtime.getRuntime().halt(0);
  }

  static void transactions(String brokers, String topic) throws Exception {
    List<Sent> committed = new ArrayList<>();
    var a = producer(brokers, "lz4", topic + "-a");
    var b = producer(brokers, "zstd", topic + "-b");
    var plain = producer(brokers, "none", null);
    a.initTransactions();
    b.initTransactions();
    int i = 0;
    for (int round = 0; round < 6; round++) {
      List<Sent> ofA = new ArrayList<>();
      List<Sent> ofB = new ArrayList<>();
      b.beginTransaction();
      a.beginTransaction();
      for (int n = 0; n < 40; n++, i++) {
        ofA.add(send(a, topic, i));
        ofB.add(send(b, topic, ++i));
        if (n % 13 == 0) {
          a.flush();
          b.flush();
          committed.add(send(plain, topic, ++i));
          plain.flush();
        }
      }
      boolean keepsA = round % 2 == 0;
      boolean keepsB = round % 3 != 1;
      if (keepsA) a.commitTransaction(); else a.abortTransaction();
      if (keepsA) committed.addAll(ofA);
      committed.add(send(plain, topic, ++i));
      plain.flush();
      if (keepsB) b.commitTransaction(); else b.abortTransaction();
      if (keepsB) committed.addAll(ofB);
    }
    print(committed);
    b.beginTransaction();
    for (int n = 0; n < 5; n++) send(b, topic, ++i);
    b.flush();
  }

  static Sent send(Producer<byte[], byte[]> producer, String topic, int i) {
    byte[] key = i % 5 == 0 ? null : i % 5 == 1 ? new byte[0] : ("key-" + i).getBytes();
    byte[] value = i % 7 == 0 ? null : i % 7 == 1 ? new byte[0] : ("value-" + i + "-" + "x".repeat(i % 50)).getBytes();
    List<Header> headers = i % 3 != 0 ? List.of() : List.of(new RecordHeader("h", "1".getBytes()), new RecordHeader("n", (byte[]) null));
    var record = new ProducerRecord<>(topic, 0, 1_700_000_000_000L + (i % 11) * 7L + i, key, value, headers);
    return new Sent(record, producer.send(record));
  }

  static void print(List<Sent> sent) throws Exception {
    var out = new StringBuilder();
    for (Sent each : sent) {
      RecordMetadata where = each.answer.get();
      out.append(String.join("\t", where.topic(), "" + where.partition(), "" + where.offset(), "" + each.record.timestamp(),
        hex(each.record.key()), hex(each.record.value()))).append('\n');
    }
    System.out.print(out);
  }

  static String hex(byte[] bytes) {
    return bytes == null ? "-" : HexFormat.of().formatHex(bytes);
  }

  static KafkaProducer<byte[], byte[]> producer(String brokers, String codec, String transactionalId) {
    Map<String, Object> config = new HashMap<>();
    config.put("bootstrap.servers", brokers);
    config.put("compression.type", codec);
    config.put("linger.ms", 20);
    config.put("batch.size", 32768);
    config.put("acks", "all");
    if (transactionalId != null) config.put("transactional.id", transactionalId);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }
}
