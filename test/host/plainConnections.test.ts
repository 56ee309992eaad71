import { describe, expect, it } from 'vitest'
import { plainArchive, plainKafka } from '../../src/host/plainConnections.ts'

describe('connections without TLS', () => {
  it('to this machine are nobody else’s matter', () => {
    for (const address of ['127.0.0.1:1', '127.3.2.1:1', 'localhost:1', 'a.localhost:1', '[::1]:1'])
      expect(plainKafka({ brokers: [address], ssl: false, sasl: undefined }), address).toBeNull()
    for (const endpoint of ['http://127.0.0.1:7070', 'http://[::1]:7070', 'http://localhost'])
      expect(plainArchive({ place: 's3://bucket', s3: { endpoint } }), endpoint).toBeNull()
  })

  it('to another one are warned about, with the password where it is sent as it is', () => {
    const sasl = { username: 'me', password: 'hunter2' }
    const brokers = ['127.0.0.1:1', 'kafka:9092']
    const plain = plainKafka({ brokers, ssl: false, sasl: { mechanism: 'plain', ...sasl } })
    expect(plain).toMatch(/kafka:9092 without TLS, and so does the password.*KAFKA_SSL/)
    expect(plain).not.toContain('hunter2')
    expect(plainKafka({ brokers, ssl: false, sasl: { mechanism: 'scram-sha-512', ...sasl } })).toMatch(/without TLS:/)
    expect(plainKafka({ brokers, ssl: true, sasl: { mechanism: 'plain', ...sasl } })).toBeNull()
    const s3 = { endpoint: 'http://objects:7070', credentials: { accessKeyId: 'id', secretAccessKey: 'hunter2' } }
    expect(plainArchive({ place: 's3://bucket', s3 })).toMatch(/objects:7070 without TLS.*https:/)
    expect(plainArchive({ place: 'directory', s3 })).toBeNull()
    expect(plainArchive({ place: 's3://bucket', s3: { endpoint: 'https://objects:7070' } })).toBeNull()
    expect(plainArchive({ place: 's3://bucket', s3: {} })).toBeNull()
  })
})
