import { describe, expect, it } from 'vitest'
import { type LogOptions, logOutput } from '../../src/cli/logOutput.ts'

function logged(options: Partial<LogOptions>, say: (output: ReturnType<typeof logOutput>) => void): string[] {
  const lines: string[] = []
  const output = {
    out: async (text: string) => {
      lines.push(...text.trimEnd().split('\n'))
      return true
    },
    err: (line: string) => void lines.push(line),
    onClosed: () => undefined,
  }
  say(logOutput(output, { format: 'json', level: 'info', secrets: ['hunter22'], now: () => 0, ...options }))
  return lines
}

describe('a log', () => {
  it('has a time, a level, a message, and a code where there is one, a line each', () => {
    const lines = logged({}, (output) => {
      void output.out('one\n\ntwo\n')
      output.err('warning: slow: set MILLRACE_CHECKPOINT_MS')
      output.err('warning: MILLRACE_SPANS: two copies')
      output.err('error MILLRACE_RETRYABLE: the database is away\nNothing is lost')
    })
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { time: '1970-01-01T00:00:00.000Z', level: 'info', message: 'one' },
      { time: '1970-01-01T00:00:00.000Z', level: 'info', message: 'two' },
      { time: '1970-01-01T00:00:00.000Z', level: 'warn', message: 'slow: set MILLRACE_CHECKPOINT_MS' },
      { time: '1970-01-01T00:00:00.000Z', level: 'warn', code: 'MILLRACE_SPANS', message: 'two copies' },
      {
        time: '1970-01-01T00:00:00.000Z',
        level: 'error',
        code: 'MILLRACE_RETRYABLE',
        message: 'the database is away | Nothing is lost',
      },
    ])
  })

  it('has no secret, in either format', () => {
    const say = (output: ReturnType<typeof logOutput>) => output.err('error: postgres://me:hunter22@host is away')
    expect(logged({}, say).join()).not.toContain('hunter22')
    expect(logged({ format: 'text' }, say)).toEqual(['error: postgres://me:***@host is away'])
  })

  it('leaves out what is below its level', () => {
    const say = (output: ReturnType<typeof logOutput>) => {
      void output.out('one\n')
      output.err('note: two')
      output.err('warning: three')
      output.err('error: four')
    }
    expect(logged({ level: 'warn', format: 'text' }, say)).toEqual(['warning: three', 'error: four'])
    expect(logged({ level: 'error', format: 'text' }, say)).toEqual(['error: four'])
  })
})
