import { createPrivateKey, X509Certificate } from 'node:crypto'

const BLOCK = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----/g

/** Whether `text` holds certificates and each of them can be read. TLS itself passes over those that cannot, and over a text without any. */
export function holdsCertificates(text: string): boolean {
  const blocks = text.match(BLOCK) ?? []
  return blocks.length > 0 && blocks.every((block) => certificateIn(block) !== null)
}

/** Whether `text` is a private key that needs no passphrase. */
export function isPrivateKey(text: string): boolean {
  try {
    return createPrivateKey(text).type === 'private'
  } catch {
    return false
  }
}

/** Whether `key` belongs to the first certificate of `cert`; true as well when one of them cannot be read. */
export function isPair(cert: string, key: string): boolean {
  return !isPrivateKey(key) || certificateIn(cert)?.checkPrivateKey(createPrivateKey(key)) !== false
}

function certificateIn(text: string): X509Certificate | null {
  try {
    return new X509Certificate(text)
  } catch {
    return null
  }
}
