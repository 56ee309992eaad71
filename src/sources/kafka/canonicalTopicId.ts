/** One spelling of a topic's id for both clients, because a pipeline may change the client between two starts. */
export function canonicalTopicId(id: string): string {
  return id.replaceAll('-', '').toLowerCase()
}
