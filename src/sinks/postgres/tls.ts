import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { ConfigurationError } from '../../runtime/errors.ts'

/** How much a connection is protected, in the words of libpq. */
export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

const modes: readonly string[] = ['disable', 'require', 'verify-ca', 'verify-full'] satisfies readonly TlsMode[]

/** Which mode, and the files that go with it. */
export interface TlsSettings {
  /** Undefined is no TLS. */
  readonly sslmode: TlsMode | undefined
  readonly sslrootcert: string | undefined
  readonly sslcert: string | undefined
  readonly sslkey: string | undefined
}

export function isTlsMode(text: string): text is TlsMode {
  return modes.includes(text)
}

/** Why a mode is not taken, and which to say instead. */
export function tlsModeRefusal(text: string, from: string): string {
  const why =
    text === 'prefer' || text === 'allow'
      ? `leaves it to the server whether anything is encrypted, which nobody would notice: say disable for no TLS or require for TLS`
      : `is no mode: say disable, require, verify-ca or verify-full`
  return `sslmode ${JSON.stringify(text)} (${from}) ${why}`
}

/**
 * What the modes mean in libpq: `require` encrypts and trusts any certificate, unless a root certificate is given, `verify-ca` wants one that is signed by a trusted
 * authority, and `verify-full` wants that for the very host.
 * @throws ConfigurationError where a file cannot be read
 */
export function tlsOptions({ sslmode, sslrootcert, sslcert, sslkey }: TlsSettings): ConnectionOptions | false {
  if (sslmode === undefined || sslmode === 'disable') return false
  const hasRoot = sslrootcert !== undefined && sslrootcert !== 'system'
  const verifiesChain = sslmode !== 'require' || sslrootcert !== undefined
  return {
    rejectUnauthorized: verifiesChain,
    ...(hasRoot ? { ca: readPem('sslrootcert', sslrootcert) } : {}),
    ...(sslcert === undefined ? {} : { cert: readPem('sslcert', sslcert) }),
    ...(sslkey === undefined ? {} : { key: readPem('sslkey', sslkey) }),
    ...(verifiesChain && sslmode !== 'verify-full' ? { checkServerIdentity: () => undefined } : {}),
  }
}

function readPem(parameter: string, path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigurationError(
      `cannot read ${path} (${code}), which ${parameter} of the address of PostgreSQL names: correct the path, or put the file there`,
      { cause: error },
    )
  }
  if (text.includes('-----BEGIN ')) return text
  throw new ConfigurationError(
    `${path}, which ${parameter} of the address of PostgreSQL names, is no PEM file: it has no -----BEGIN line`,
  )
}
