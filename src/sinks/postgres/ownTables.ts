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
  'row_handover',
  'row_owner',
  'row_writer',
  'stream_task',
  'task_input',
  'task_state',
]
