import { mkdirSync, writeFileSync } from 'node:fs'
import { type Broker, freePorts, startBroker } from './brokerProcess.ts'
import { type Authority, type Certificate, makeAuthority } from './certificates.ts'

/** A broker whose certificate, for 127.0.0.1 and kafka.test, is signed by an authority that only its owner knows. */
export interface TlsBroker {
  readonly broker: Broker
  /** PEM of the authority; `caFile` holds the same. */
  readonly ca: string
  readonly caFile: string
  /** Listeners by what they want of a client: TLS; TLS and SASL as `saslUser`; TLS and a certificate that the authority has signed. */
  readonly ssl: string
  readonly saslSsl: string
  readonly mutual: string
  /** What the third listener takes. */
  readonly client: Certificate
  /** Starts it again with a certificate that another authority has signed. */
  changeAuthority(): Promise<void>
}

/** Starts a broker of one's own with TLS listeners beside those without. */
export async function startTlsBroker(dataDir: string): Promise<TlsBroker> {
  const authority = makeAuthority('millrace test authority')
  const storeCertificate = (signer: Authority) => {
    const { cert, key } = signer.issue('broker', ['127.0.0.1', 'kafka.test'])
    writeFileSync(keyStore, key + cert, { mode: 0o600 })
  }
  mkdirSync(dataDir, { recursive: true })
  const caFile = `${dataDir}/ca.pem`
  const keyStore = `${dataDir}/broker.pem`
  writeFileSync(caFile, authority.cert)
  storeCertificate(authority)
  const [plain, sasl, controller, ssl, saslSsl, mutual] = (await freePorts(6)) as [number, ...number[]] & number[]
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const listeners = { PLAIN: plain, SASL: sasl, CONTROLLER: controller, SSL: ssl, SASLSSL: saslSsl, MUTUAL: mutual }
  const broker = await startBroker({
    dataDir,
    ports: { plain, sasl: sasl!, controller: controller! },
    properties: {
      listeners: Object.entries(listeners)
        .map(([name, port]) => `${name}://127.0.0.1:${port}`)
        .join(','),
      'listener.security.protocol.map':
        'PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASLSSL:SASL_SSL,MUTUAL:SSL',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keyStore,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': caFile,
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.saslssl.sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.saslssl.scram-sha-256.sasl.jaas.config': scram,
      'listener.name.saslssl.scram-sha-512.sasl.jaas.config': scram,
    },
  })
  const at = (port: number | undefined) => `127.0.0.1:${port}`
  return {
    broker,
    ca: authority.cert,
    caFile,
    ssl: at(ssl),
    saslSsl: at(saslSsl),
    mutual: at(mutual),
    client: authority.issue('client'),
    async changeAuthority() {
      await broker.kill()
      storeCertificate(makeAuthority('another authority'))
      await broker.start()
    },
  }
}
