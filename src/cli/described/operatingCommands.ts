import type { Described } from './commandDescription.ts'

export const operatingCommands: Described<'operating'> = {
  health: {
    description:
      'Say whether the pipeline or ingest of the data folder is alive: exit code 0 or 1, for container health checks. With --ready also whether its data are well.',
    examples: ['millrace health', 'millrace health --ready --max-watermark-lag 60'],
    load: async () => (await import('../commands/health.ts')).health,
  },
  monitor: {
    description:
      'Serve /metrics for Prometheus, /healthz and /readyz, on loopback; with --alerts-file decide alerts over lag, gaps, dead letters and the like. Ctrl-C stops it.',
    examples: ['millrace monitor', 'millrace monitor --metrics-port 9464 --alerts-file alerts.yaml'],
    load: async () => (await import('../commands/monitor.ts')).monitor,
  },
  doctor: {
    description: 'Check this machine and say what to do about what is wrong.',
    examples: ['millrace doctor', 'millrace doctor --json'],
    load: async () => (await import('../commands/doctor.ts')).doctor,
  },
  migrate: {
    description: 'Bring the database up to date; `run` does so by itself.',
    examples: ['millrace migrate', 'DATABASE_URL=postgres://user:password@host/database millrace migrate'],
    load: async () => (await import('../commands/migrate.ts')).migrate,
  },
  backup: {
    description:
      'Back up all schemas of the database, with the embedded log and the files that they name, as they are at one moment, beside whatever runs; all of it is read back. A backup that is ended in the middle is none, and harms no other.',
    examples: ['millrace backup --place /mnt/backups', 'millrace backup --place s3://backups/millrace --keep 14'],
    load: async () => (await import('../commands/backup.ts')).backup,
  },
  'backup list': {
    description: 'List the backups of a place: of which moment they are, and how much is in them.',
    examples: ['millrace backup list --place /mnt/backups', 'millrace backup list --place /mnt/backups --json'],
    load: async () => (await import('../commands/backup.ts')).listOfBackups,
  },
  'backup verify': {
    description: 'Read all of a backup: exit code 1 where anything of it is gone or damaged.',
    args: [{ name: '[backup]', description: 'as `backup list` prints it; default: the newest' }],
    examples: ['millrace backup verify --place /mnt/backups'],
    load: async () => (await import('../commands/backup.ts')).verifyOneBackup,
  },
  restore: {
    description:
      'Restore a backup into a database that has none of its tables, in one transaction: all of it or nothing. Anything that is there already is refused.',
    args: [{ name: '[backup]', description: 'as `backup list` prints it; default: the newest' }],
    examples: [
      'millrace restore --place /mnt/backups',
      'millrace restore 20260115T101500123Z --place s3://backups/millrace --data-dir ./restored',
    ],
    load: async () => (await import('../commands/restore.ts')).restore,
  },
  stop: {
    description:
      'Stop everything that runs on the data folder on this machine, in order: what is read is committed. Says what has stopped; exit code 1 where something has not.',
    examples: ['millrace stop', 'millrace stop --wait 120'],
    load: async () => (await import('../commands/stop.ts')).stop,
  },
  cleanup: {
    description:
      'Delete what Millrace keeps in the data folder: the embedded database with its log, archive, lake. Says what that is, and asks first. Refused while something runs on it.',
    examples: ['millrace cleanup', 'millrace cleanup --yes'],
    load: async () => (await import('../commands/cleanup.ts')).cleanup,
  },
  retention: {
    description:
      'Say what is older than MILLRACE_KEEP keeps it, by table; with --yes delete it now. What runs a pipeline deletes it by itself.',
    examples: ['millrace retention --keep candles-1m=90d,dead-letters=30d', 'millrace retention --yes'],
    load: async () => (await import('../commands/retention.ts')).retention,
  },
}
