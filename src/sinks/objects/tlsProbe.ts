import { isIP } from 'node:net'
import { connect } from 'node:tls'

/** Whether the address answers a greeting in TLS; whose certificate it shows is not looked at, and nothing is sent. */
export function speaksTls(host: string, port: number, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      rejectUnauthorized: false,
      timeout: timeoutMs,
      ...(isIP(host) === 0 ? { servername: host } : {}),
    })
    const done = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('secureConnect', () => done(true))
    socket.once('timeout', () => done(false))
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
  })
}
