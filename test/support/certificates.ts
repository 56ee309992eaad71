import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'

/** A certificate and its key, as PEM text. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Authority extends Certificate {
  /** Signs a certificate for `name` that is good for `hosts`: names and IPv4 addresses. */
  issue(name: string, hosts?: readonly string[]): Certificate
}

/**
 * Makes a certificate authority of its own that nobody else trusts, so that tests need no tool to make certificates with.
 *
 * Encoding: RFC 5280 in DER, with P-256 keys. Good for a day.
 */
export function makeAuthority(name: string): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signed = (subject: string, publicKey: KeyObject, extensions: readonly Buffer[]) =>
    certificate({ issuer: name, subject, publicKey, signingKey: keys.privateKey, extensions })
  return {
    cert: signed(name, keys.publicKey, [isAuthority]),
    key: pemOf(keys.privateKey),
    issue(subject, hosts = []) {
      const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      return {
        cert: signed(subject, own.publicKey, hosts.length === 0 ? [] : [alternativeNames(hosts)]),
        key: pemOf(own.privateKey),
      }
    },
  }
}

interface CertificateParts {
  readonly issuer: string
  readonly subject: string
  readonly publicKey: KeyObject
  readonly signingKey: KeyObject
  readonly extensions: readonly Buffer[]
}

const SEQUENCE = 0x30
const SET = 0x31
const OCTETS = 0x04
const BITS = 0x03
const UTF8 = 0x0c
const UTC_TIME = 0x17
const DAY_MS = 86_400_000

const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'))
const ecdsaWithSha256 = der(SEQUENCE, oid('2a8648ce3d040302'))
const commonName = oid('550403')
const isAuthority = extension('551d13', der(SEQUENCE, der(0x01, Buffer.from([0xff]))))

function certificate({ issuer, subject, publicKey, signingKey, extensions }: CertificateParts): string {
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)])
  const validity = der(SEQUENCE, utcTime(Date.now() - DAY_MS / 24), utcTime(Date.now() + DAY_MS))
  const content = der(
    SEQUENCE,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    nameOf(issuer),
    validity,
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(0xa3, der(SEQUENCE, ...extensions))]),
  )
  const signature = der(BITS, Buffer.from([0]), sign('sha256', content, signingKey))
  const text = der(SEQUENCE, content, ecdsaWithSha256, signature).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${text.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`
}

function nameOf(text: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, commonName, der(UTF8, Buffer.from(text)))))
}

function alternativeNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIPv4(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
  )
  return extension('551d11', der(SEQUENCE, ...names))
}

function extension(id: string, value: Buffer): Buffer {
  return der(SEQUENCE, oid(id), der(OCTETS, value))
}

function utcTime(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14)
  return der(UTC_TIME, Buffer.from(`${digits}Z`))
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
