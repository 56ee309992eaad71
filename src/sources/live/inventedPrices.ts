/** With this header an exchange that invents its prices says so, on each answer and each handshake; a proxy in front of it passes it on. */
export const inventedHeader = 'x-millrace-prices'
export const inventedValue = 'invented'

/** The exchange's own test networks, which do not say so but by their names. */
const testNetworks = /(?:^|\.)(?:testnet\.binance\.vision|binancefuture\.com)$|^demo-[\w-]+\.binance\.com$/

/** Whether prices from there are invented: by its own word, or by its name. */
export function isInvented(url: string, header: string | readonly string[] | null | undefined): boolean {
  return header === inventedValue || testNetworks.test(new URL(url).hostname)
}

/** Why prices from there are not taken, or null where they are what was asked for. */
export function misfitText(url: string, isThereInvented: boolean, isAskedFor: boolean): string | null {
  if (isThereInvented === isAskedFor) return null
  const { host } = new URL(url)
  return isThereInvented
    ? `${host} says that its prices are invented, so they are not taken for real ones. Take them with --market simulated, which keeps them apart.`
    : `${host} does not say that its prices are invented, so they are not taken for such. --market simulated is for \`millrace exchange\` and the exchange's test networks: leave it out.`
}
