import { topicSettings } from '../protocol/topicExchanges.ts'
import type { Cluster } from '../wire/cluster.ts'
import { protocolErrorIn } from '../wire/trouble.ts'

const NAME = 'max.message.bytes'

/** The most bytes that the topic takes in one batch, or null where this user may not ask. Throws one of ours where nobody answers. */
export async function messageLimitOf(cluster: Cluster): Promise<number | null> {
  try {
    const connection = await cluster.control()
    const found = await connection.ask(topicSettings, { topic: cluster.topic, names: [NAME] })
    const limit = Number(found.get(NAME))
    return Number.isSafeInteger(limit) && limit > 0 ? limit : null
  } catch (error) {
    if (protocolErrorIn(error)?.endsWith('_AUTHORIZATION_FAILED') === true) return null
    throw cluster.trouble(error, `read ${NAME} of topic ${cluster.topic}`)
  }
}
