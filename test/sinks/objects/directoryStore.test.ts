import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import { directoryStore } from '../../../src/sinks/objects/directoryStore.ts'
import { fileError } from '../../../src/sinks/objects/fileErrors.ts'
import { objectStoreContract, sha256Of } from '../../contract/objectStore.ts'

objectStoreContract('directoryStore', async () => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-objects-'))
  return {
    store: directoryStore(join(root, 'archive')),
    dispose: () => rm(root, { recursive: true, force: true }),
  }
})

describe('a directory store', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'millrace-objects-'))
  })
  afterEach(() => rm(root, { recursive: true, force: true }))

  const body = Buffer.from('body')
  const put = (key: string) => directoryStore(root).put(key, body, sha256Of(body))

  test('leaves no temporary file behind a put', async () => {
    await put('a/b')
    expect(await readdir(join(root, '.unfinished'))).toEqual([])
  })

  test('does not list what a crash left unfinished, and sweeps it once it is old', async () => {
    const folder = join(root, '.unfinished')
    await mkdir(folder)
    await writeFile(join(folder, 'old'), 'torn')
    await writeFile(join(folder, 'young'), 'torn')
    await utimes(join(folder, 'old'), 1_000, 1_000)
    await put('a')
    const keys: string[] = []
    for await (const object of directoryStore(root).list('')) keys.push(object.key)
    expect(keys).toEqual(['a'])
    expect(await readdir(folder)).toEqual(['young'])
  })

  test('goes on after its folders were removed under it', async () => {
    const store = directoryStore(root)
    await store.put('a/b', body, sha256Of(body))
    await rm(root, { recursive: true })
    await expect(store.put('a/c', body, sha256Of(body))).rejects.toThrow(RetryableError)
    await store.put('a/c', body, sha256Of(body))
    expect(String(await store.get('a/c'))).toBe('body')
  })

  test('says that a file is in the way of a folder, and a folder in the way of a file', async () => {
    await put('a')
    await expect(put('a/b')).rejects.toThrow(ConfigurationError)
    await put('folder/b')
    await expect(put('folder')).rejects.toThrow(ConfigurationError)
  })

  test('says where a root that is a file stands', async () => {
    await writeFile(join(root, 'file'), '')
    const wrong = directoryStore(join(root, 'file')).put('a', body, sha256Of(body))
    await expect(wrong).rejects.toThrow(ConfigurationError)
    await expect(wrong).rejects.toThrow('file')
  })
})

test('a full disk, a quota and a missing permission are waited for, with words that say what to do', () => {
  const systemError = (code: string) => Object.assign(new Error(`${code}: something`), { code })
  for (const [code, words] of [
    ['ENOSPC', 'disk is full'],
    ['EDQUOT', 'quota'],
    ['EACCES', 'permission denied'],
    ['EROFS', 'read-only'],
    ['EBUSY', 'EBUSY'],
  ] as const) {
    const error = fileError('file:///archive: cannot write a', systemError(code))
    expect(error).toBeInstanceOf(RetryableError)
    expect(error.message).toContain(words)
    expect(error.message).toContain('file:///archive: cannot write a')
  }
  const bug = new TypeError('not a system error')
  expect(fileError('x', bug)).toBe(bug)
})
