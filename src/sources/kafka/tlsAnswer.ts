import type { Socket } from 'node:net'

const ALERT = 21
const HANDSHAKE = 22
const TLS_MAJOR = 3

/**
 * Tells when the other side of a connection without TLS answers in TLS, as a listener for TLS does before it closes.
 *
 * Nobody else would: to a client the first bytes are the length of an answer of 352 MB.
 */
export function onTlsAnswer(socket: Socket, heard: (error: Error) => void): void {
  socket.once('data', ([type, major]: Buffer) => {
    if ((type === ALERT || type === HANDSHAKE) && major === TLS_MAJOR) heard(new Error('The broker requires TLS'))
  })
}
