import { expect, test } from 'vitest'
import { vwap } from '../../src/market/vwap.ts'

test('vwap is quote volume over volume in units of 1e-8', () => {
  expect(vwap(6183763000000n * 2000000n, 2000000n)).toBe(6183763000000)
  expect(vwap(160000000000000001n * 10n ** 17n, 10n ** 17n)).toBe(160000000000000001n)
  expect(vwap(5n, 2n)).toBe(2)
})
