import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { MessageFromReceiver } from './receiver.ts'

const program = fileURLToPath(new URL('receiver.ts', import.meta.url))

/** What a receiver has seen. */
export type Received = Extract<MessageFromReceiver, { kind: 'seen' }>

/** A receiver of webhooks in a process of its own, which outlives whoever sends. */
export class ReceiverProcess {
  readonly #child: ChildProcess
  readonly url: string

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}/`
  }

  static async start(seed: number): Promise<ReceiverProcess> {
    const child = fork(program, [String(seed)])
    const message = await next(child)
    if (message.kind !== 'listening') throw new Error(`the receiver began with ${message.kind}`)
    return new ReceiverProcess(child, message.port)
  }

  async received(): Promise<Received> {
    this.#child.send('tell')
    const message = await next(this.#child)
    if (message.kind !== 'seen') throw new Error(`the receiver answered with ${message.kind}`)
    return message
  }

  stop(): void {
    this.#child.kill('SIGKILL')
  }
}

function next(child: ChildProcess): Promise<MessageFromReceiver> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the receiver ended with ${code}`))
    child.once('exit', ended)
    child.once('message', (message) => {
      child.off('exit', ended)
      resolve(message as MessageFromReceiver)
    })
  })
}
