import type { Socket } from 'node:net'
import type { KafkaSettings } from '../kafkaSettings.ts'
import { onTlsAnswer } from '../tlsAnswer.ts'
import { Cluster, createSocket, type KafkajsCluster, silentLogger } from './internals.ts'

export const READ_COMMITTED = 1

/** A cluster of kafkajs that is not connected yet, and the sockets that it has open. */
export interface OpenedCluster {
  readonly cluster: KafkajsCluster
  readonly sockets: ReadonlySet<Socket>
}

/** @param retries after the first attempt; what is more is for whoever asks */
export function openCluster(settings: KafkaSettings, clientId: string, retries: number): OpenedCluster {
  const { brokers, ssl, sasl, connectTimeoutMs, requestTimeoutMs, metadataMaxAgeMs } = settings
  const sockets = new Set<Socket>()
  const cluster = new Cluster({
    brokers: brokers.map(withoutColons),
    clientId,
    ssl: ssl === true ? {} : ssl,
    ...(sasl === undefined ? {} : { sasl: sasl as { mechanism: 'plain'; username: string; password: string } }),
    connectionTimeout: connectTimeoutMs,
    authenticationTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: { retries, initialRetryTime: 50, maxRetryTime: 200 },
    logger: silentLogger,
    metadataMaxAge: metadataMaxAgeMs,
    allowAutoTopicCreation: false,
    isolationLevel: READ_COMMITTED,
    socketFactory: (args) => {
      const socket = createSocket({ ...args, host: withColons(args.host) })
      if (ssl === false) onTlsAnswer(socket, (error) => socket.destroy(error))
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
  })
  return { cluster, sockets }
}

/** kafkajs cuts an address at its first colon, of which one of IPv6 (`[::1]:9092`) has several. */
function withoutColons(address: string): string {
  return address.replace(/^\[.*\]/, (host) => host.replaceAll(':', '_'))
}

function withColons(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1).replaceAll('_', ':') : host
}
