import { execFile } from 'node:child_process'
import { describe, expect, test } from 'vitest'

const runBench = new URL('../../bench/kafka/runBench.ts', import.meta.url).href

/** A benchmark whose body is `main`, as a process of its own. */
function ran(main: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const program = `import { runBench } from ${JSON.stringify(runBench)}
await runBench(async ({ cleanup, fail }) => {
  cleanup.add(() => console.log('closed'))
  ${main}
})`
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', program], (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    )
  })
}

describe('runBench', () => {
  test('a benchmark that comes to its end has exit code 0, and closes what it opened', async () => {
    expect(await ran(`console.log('result')`)).toEqual({ code: 0, stdout: 'result\nclosed\n', stderr: '' })
  })

  test('one that waits for what does not keep Node running goes on until it is there', async () => {
    const ended = await ran(`await new Promise((resolve) => setTimeout(resolve, 300).unref())
  cleanup.add(() => new Promise((resolve) => setTimeout(resolve, 300).unref()))
  console.log('result')`)
    expect(ended).toEqual({ code: 0, stdout: 'result\nclosed\n', stderr: '' })
  })

  test('what it throws is told before anything is closed, also where that fails', async () => {
    const ended = await ran(`cleanup.add(() => Promise.reject(new Error('stuck')))
  throw new Error('no rows came')`)
    expect(ended).toMatchObject({ code: 1, stdout: 'closed\n' })
    expect(ended.stderr).toMatch(/no rows came[\s\S]*stuck/)
  })

  test('a signal, and a failure that nobody awaits, end it; what is opened afterwards is closed too', async () => {
    for (const end of [`process.kill(process.pid, 'SIGTERM')`, `fail(new Error('ended by a worker'))`]) {
      const ended = await ran(`${end}
  await new Promise((resolve) => setTimeout(resolve, 200))
  cleanup.add(() => console.log('closed late'))`)
      expect(ended).toMatchObject({ code: 1, stdout: 'closed\nclosed late\n' })
      expect(ended.stderr).toMatch(/ended by (SIGTERM|a worker)/)
    }
  })
})
