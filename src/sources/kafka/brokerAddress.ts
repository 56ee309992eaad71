import { isIPv6 } from 'node:net'

/** In words for people. */
export const brokerAddressAllowed =
  'host:port, with a port from 1 to 65535 and an address of IPv6 in brackets ([::1]:9092)'

const pattern = /^(?:\[([^\]]*)\]|([^\s:,/@[\]]+)):(\d{1,5})$/

/** Whether it is the address of a broker as Kafka writes them. */
export function isBrokerAddress(text: string): boolean {
  const [, ipv6, , port] = pattern.exec(text) ?? []
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535) return false
  return ipv6 === undefined || isIPv6(ipv6)
}
