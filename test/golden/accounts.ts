import { plainState, stateful } from '../../src/index.ts'

export interface Order {
  readonly account: string
  readonly at: number
  readonly does: 'pay' | 'close' | 'audit'
  readonly cents?: bigint
}

export interface Entry {
  readonly account: string
  readonly balance: bigint
  readonly text: string
}

interface Account {
  balance: bigint
  readonly payments: { readonly at: number; readonly cents: bigint }[]
}

interface Totals {
  opened: number
  closed: readonly string[]
  turnover: string
}

/** Keeps an account a key, which is gone once it is closed, and totals in a snapshot. A closing of nothing is set aside. */
export function accounts(name: string) {
  return stateful<Order, Entry>({ name, version: 3, shape: { currency: 'EUR', digits: 2 } }, (restored, out) => {
    const open = restored.keyed(plainState<Account>())
    const totals: Totals = {
      opened: 0,
      closed: [],
      turnover: '0',
      ...(restored.snapshot as Partial<Totals> | undefined),
    }

    function pay(key: string, cents: bigint): void {
      let account = open.update(key)
      if (account === undefined) {
        account = { balance: 0n, payments: [] }
        open.set(key, account)
        totals.opened += 1
      }
      account.balance += cents
      account.payments.push({ at: out.valueTime(), cents })
      totals.turnover = String(BigInt(totals.turnover) + (cents < 0n ? -cents : cents))
      out.emit({ account: key, balance: account.balance, text: `${account.payments.length} payments` })
    }

    function close(key: string): void {
      const account = open.get(key)
      if (account === undefined) {
        out.reject('not-open', `${key} is not open`)
        return
      }
      open.delete(key)
      totals.closed = [...totals.closed, key].slice(-3)
      out.emit({
        account: key,
        balance: account.balance,
        text: `closed: ${account.payments.map(({ at }) => at).join()}`,
      })
    }

    function audit(): void {
      for (const [key, { balance }] of [...open.entries()].sort(([a], [b]) => (a < b ? -1 : 1))) {
        out.emit({ account: key, balance, text: 'open' })
      }
      out.emit({ account: '', balance: BigInt(open.size), text: JSON.stringify(totals) })
    }

    return {
      onValue({ does, account, cents = 0n }) {
        if (does === 'pay') pay(account, cents)
        else if (does === 'close') close(account)
        else audit()
      },
      snapshot: () => ({ ...totals }),
    }
  })
}

/** Numbers what passes, from 1; a snapshot is all that it keeps. */
export function numbered(name: string) {
  return stateful<Entry, { readonly number: number; readonly entry: Entry }>({ name }, (restored, out) => {
    let number = (restored.snapshot as number | undefined) ?? 0
    return {
      onValue(entry) {
        number += 1
        out.emit({ number, entry })
      },
      snapshot: () => number,
    }
  })
}
