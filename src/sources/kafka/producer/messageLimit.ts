import { ConfigResourceTypes, describeConfigsV4 } from '@platformatic/kafka'
import type { Cluster } from '../wire/cluster.ts'
import { protocolErrorIn } from '../wire/trouble.ts'

const NAME = 'max.message.bytes'

/** The most bytes that the topic takes in one batch, or null where this user may not ask. Throws one of ours where nobody answers. */
export async function messageLimitOf(cluster: Cluster): Promise<number | null> {
  const resource = {
    resourceType: ConfigResourceTypes.TOPIC,
    resourceName: cluster.topic,
    configurationKeys: [NAME],
  }
  try {
    const { results } = await describeConfigsV4.api.async(await cluster.control(), [resource], false, false)
    const limit = Number(results[0]?.configs.find(({ name }) => name === NAME)?.value)
    return Number.isSafeInteger(limit) && limit > 0 ? limit : null
  } catch (error) {
    if (protocolErrorIn(error)?.endsWith('_AUTHORIZATION_FAILED') === true) return null
    throw cluster.trouble(error, `read ${NAME} of topic ${cluster.topic}`)
  }
}
