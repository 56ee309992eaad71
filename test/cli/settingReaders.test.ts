import { describe, expect, test } from 'vitest'
import {
  atCommas,
  distinct,
  integer,
  listOf,
  matching,
  NotAllowed,
  newOwner,
  oneOf,
  startFrom,
  symbolList,
  text,
  time,
  trimmed,
  url,
  yesOrNo,
} from '../../src/cli/settingReaders.ts'

const none = expect.any(NotAllowed)

describe('the text of a setting', () => {
  test.each([
    ['yes or no', yesOrNo, { TRUE: true, yes: true, '1': true, no: false, False: false, '': none, '2': none }],
    ['an integer', integer(1, 64), { '1': 1, '007': 7, '64': 64, '65': none, '0': none, '1.0': none, '1e1': none }],
    ['text', text(2, 3), { ab: 'ab', abc: 'abc', a: none, abcd: none, '  ': '  ' }],
    ['text without blanks around it', trimmed(1, 3), { ' a ': 'a', '   ': none, abcd: none }],
    ['a pattern', matching(/^[a-z]+$/), { abc: 'abc', Abc: none, '': none }],
    ['a word', oneOf(['spot', 'usdm']), { spot: 'spot', Spot: none, '': none, constructor: none }],
    ['symbols', symbolList, { ' btcusdt,ETHUSDT,BTCUSDT': ['BTCUSDT', 'ETHUSDT'], 'a,,b': none, '': none }],
    [
      'a list',
      distinct(listOf(atCommas, integer(1, 9), { most: 3 })),
      { '1,2,1': [1, 2], '1,2,3,4': none, '1,x': none },
    ],
    ['an owner', newOwner, { nobody: 'nobody', 'a/t/3': { pipeline: 'a', topic: 't', partition: 3 }, 'a/t/x': none }],
    ['a time', time, { '2024-08-08': 1_723_075_200_000, '1723161255342': 1_723_161_255_342, '2024-13-01': none }],
    [
      'a place to start from',
      startFrom,
      { latest: 'latest', '15': { offset: 15 }, '2024-08-08': { time: 1_723_075_200_000 }, '-1': none },
    ],
    ['an address', url(['https:']), { 'https://a//': 'https://a', 'http://a': none, 'https//a': none, '': none }],
  ])('is read as %s, or not at all', (_, read, cases) => {
    for (const [given, value] of Object.entries(cases)) expect(read(given), JSON.stringify(given)).toEqual(value)
  })
})
