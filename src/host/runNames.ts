/** Names of workers and producers, which become parts of paths: never one that leads elsewhere (`..`) or is hidden. */
export const runNamePattern = /^(?!\.)[a-zA-Z0-9._-]{1,100}$/

export const runNameAllowed = 'letters, digits, dots, - and _, at most 100, not beginning with a dot'

/** What Kafka takes for a topic, which is the name of a folder of the archive, too. */
export const topicNamePattern = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,200}$/

export const topicNameAllowed = 'letters, digits, dots, - and _, at most 200; not . or ..'

export const groupNamePattern = /^[a-zA-Z0-9._-]{1,200}$/

export const groupNameAllowed = 'letters, digits, dots, - and _, at most 200'
