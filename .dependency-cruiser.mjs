/**
 * Imports point one way: cli -> host, queries -> console, embedded -> sources, sinks -> codecs -> runtime, exact; beside the host pipelines -> operators -> market.
 * The host runs what it is handed: it knows no market, no pipeline and no command line.
 * Exact decimals and codecs are everybody's; what knows trades is the market's.
 * `allowed` lists, for each folder of src, the folders that it may import; whatever is not listed is an error.
 */
const allowed = {
  exact: [],
  runtime: [],
  codecs: ['runtime', 'exact'],
  market: ['codecs', 'runtime', 'exact'],
  operators: ['market', 'codecs', 'runtime', 'exact'],
  sources: ['market', 'codecs', 'runtime', 'exact'],
  sinks: ['market', 'codecs', 'runtime', 'exact'],
  embedded: ['sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  lake: ['sinks', 'market', 'codecs', 'runtime', 'exact'],
  replay: ['sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  backup: ['lake', 'sinks', 'codecs', 'runtime', 'exact'],
  retention: ['sinks', 'market', 'runtime', 'exact'],
  quality: ['sinks', 'codecs', 'runtime', 'exact'],
  schedule: ['sinks', 'codecs', 'runtime', 'exact'],
  backfill: ['sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  reconcile: ['backfill', 'queries', 'sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  testing: ['embedded', 'operators', 'sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  pipelines: ['quality', 'embedded', 'operators', 'sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  batch: ['replay', 'lake', 'quality', 'pipelines', 'operators', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  console: ['runtime'],
  host: ['console', 'lake', 'embedded', 'sources', 'sinks', 'codecs', 'runtime', 'exact'],
  verify: ['replay', 'pipelines', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  queries: ['sources', 'sinks', 'market', 'codecs', 'runtime', 'exact'],
  web: [
    'host',
    'queries',
    'console',
    'operators',
    'embedded',
    'sources',
    'sinks',
    'market',
    'codecs',
    'runtime',
    'exact',
  ],
  cli: [
    'backup',
    'retention',
    'batch',
    'verify',
    'replay',
    'web',
    'backfill',
    'reconcile',
    'host',
    'lake',
    'quality',
    'schedule',
    'queries',
    'console',
    'pipelines',
    'testing',
    'embedded',
    'operators',
    'sources',
    'sinks',
    'market',
    'codecs',
    'runtime',
    'exact',
  ],
}

/** The same of the rooms of the runtime, whose ground is the files of src/runtime itself: those import no room. Types may refer to each other, as a task and its operators do. */
const rooms = {
  log: [],
  store: ['log'],
  graph: [],
  state: [],
  time: [],
  pipeline: ['state'],
  spans: ['log'],
  letters: ['graph', 'state', 'store', 'log'],
  operator: ['letters', 'spans', 'time', 'state', 'graph', 'store', 'log'],
  inputs: ['pipeline', 'store', 'log'],
  outlets: ['pipeline', 'store', 'log'],
  task: ['outlets', 'operator', 'letters', 'spans', 'pipeline', 'time', 'state', 'graph', 'store', 'log'],
  worker: ['task', 'outlets', 'inputs', 'letters', 'pipeline', 'state', 'store', 'log'],
}

const isValue = { dependencyTypesNot: ['type-only'] }
const roomDirections = [
  {
    name: 'the-ground-of-the-runtime-imports-no-room',
    severity: 'error',
    from: { path: '^src/runtime/[^/]+$' },
    to: { path: '^src/runtime/[^/]+/', ...isValue },
  },
  {
    name: 'every-room-of-the-runtime-has-its-rule',
    comment: 'A new folder of src/runtime needs a line in the table above.',
    severity: 'error',
    from: { path: '^src/runtime/[^/]+/', pathNot: `^src/runtime/(${Object.keys(rooms).join('|')})/` },
    to: {},
  },
  ...Object.entries(rooms).map(([room, below]) => ({
    name: `runtime-${room}-imports-only-what-is-below`,
    comment: `src/runtime/${room} may import ${['the files of src/runtime itself', ...below].join(', ')}.`,
    severity: 'error',
    from: { path: `^src/runtime/${room}/` },
    to: { path: '^src/runtime/[^/]+/', pathNot: `^src/runtime/(${[room, ...below].join('|')})/`, ...isValue },
  })),
]

const directions = Object.entries(allowed).map(([folder, below]) => ({
  name: `${folder}-imports-only-what-is-below`,
  comment: `src/${folder} may import ${below.length === 0 ? 'nothing else of ours' : below.join(', ')}.`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: `^src/(${[folder, ...below].join('|')})/` },
}))

export default {
  forbidden: [
    ...directions,
    ...roomDirections,
    {
      name: 'every-folder-has-its-rule',
      comment: 'A new folder of src needs a line in the table above.',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: `^src/(${Object.keys(allowed).join('|')})/` },
      to: {},
    },
    {
      name: 'the-live-reader-knows-no-exchange',
      comment: 'What one exchange does otherwise stands in its dialect; and no exchange leans on another.',
      severity: 'error',
      from: { path: '^src/sources/(live|binance|coinbase)/' },
      to: { path: '^src/sources/(binance|coinbase)/', pathNot: '^src/sources/$1/' },
    },
    {
      name: 'no-circular',
      comment:
        'A circle means that two files are one thing, or that a third is hidden in them. Types may refer to each other: ' +
        'the compiler erases those imports, and a task and its operators cannot be described apart.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-test-code-in-src',
      severity: 'error',
      from: { path: '^(src|examples)/' },
      to: { path: '^(test|bench|scripts)/' },
    },
    {
      name: 'no-dev-dependencies-in-src',
      comment: 'What src imports must be installed with the package.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only', 'triple-slash-type-reference'],
      },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      comment: 'A module of src that nothing reaches from an entry point is dead.',
      severity: 'error',
      from: {
        orphan: true,
        path: '^src/',
        pathNot: '^src/(index|postgres|archive|kafka|quality|schedule|testing/index|cli/main)\\.ts$',
      },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.mjs', '.js', '.json', '.d.ts'],
    },
    skipAnalysisNotInRules: true,
  },
}
