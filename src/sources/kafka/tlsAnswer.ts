import type { Socket } from 'node:net'

const ALERT = 21
const HANDSHAKE = 22
const TLS_MAJOR = 3

/** Whether these first bytes of an answer are TLS: to a client of Kafka they are the length of an answer of 352 MB. */
export function isTlsRecord([type, major]: Buffer): boolean {
  return (type === ALERT || type === HANDSHAKE) && major === TLS_MAJOR
}

/** Tells when the other side of a connection without TLS answers in TLS, as a listener for TLS does before it closes. Nobody else would. */
export function onTlsAnswer(socket: Socket, heard: (error: Error) => void): void {
  socket.once('data', (bytes: Buffer) => {
    if (isTlsRecord(bytes)) heard(new Error('The broker requires TLS'))
  })
}
