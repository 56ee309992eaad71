/** Where Coinbase Exchange is reached; tests and mirrors put their own in place. Without a path. */
export interface CoinbaseEndpoints {
  readonly streamUrl: string
  readonly restUrl: string
}

export const coinbaseEndpoints: CoinbaseEndpoints = {
  streamUrl: 'wss://ws-feed.exchange.coinbase.com',
  restUrl: 'https://api.exchange.coinbase.com',
}
