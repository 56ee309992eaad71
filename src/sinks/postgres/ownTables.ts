/** The tables that sql/ makes for checkpoints and the embedded log: no pipeline may write rows into them. */
export const ownTables: readonly string[] = [
  'archive_object',
  'dead_letter',
  'idle_advance',
  'log_batch',
  'log_partition',
  'log_producer',
  'log_topic',
  'merge_note',
  'migration',
  'outbox',
  'skipped_range',
  'stream_task',
  'task_input',
  'task_state',
]
