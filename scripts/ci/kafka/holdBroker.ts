// Starts the broker that all test files share and keeps it until this process is told to end, so that no file waits for a start of its own.
import { hasKafka, sharedBroker } from '../../../test/support/kafkaBroker.ts'
import { untilToldToEnd } from '../untilToldToEnd.ts'

if (!hasKafka) {
  process.stdout.write('SKIPPED: neither KAFKA_BROKERS nor what it takes to start a broker (Java, Maven).\n')
} else {
  const broker = await sharedBroker()
  process.stdout.write(`Kafka listens on ${broker.brokers.join(', ')}\n`)
  untilToldToEnd(() => broker.close())
}
