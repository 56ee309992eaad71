/** Why a connection to a broker is of no use: the network, a request without an answer in time, or a login that was not taken. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure'
  readonly kind: 'network' | 'timeout' | 'login'

  constructor(kind: ConnectionFailure['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
