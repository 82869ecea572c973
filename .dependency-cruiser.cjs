// The house's arrows (services → shared, never sideways) as rules, so that no one has to remember them.
const programs = ['gateway', 'worker', 'notifier', 'cli'];

// The worker's floors, the highest first: a room imports from its own floor's room and from lower ones. `environment.ts` is read on all.
const workerFloors = [
  ['main.ts', 'shutdown.ts', 'connect.ts'],
  ['intake/'],
  ['services/'],
  ['run/'],
  ['node/'],
  ['sandbox/'],
  ['images/', 'network/', 'disk/'],
  ['labels.ts'],
  ['engine/'],
];
const inWorker = (rooms) => `^services/worker/(${rooms.join('|').replaceAll('.', '\\.')})`;
const workerRules = [
  ...workerFloors.flatMap((floor, level) =>
    floor.map((room) => ({
      name: `worker-${room.replace(/\W.*/, '')}-imports-nothing-above`,
      comment:
        'main → intake → services → run → node → sandbox → images, network, disk → engine; types, too.',
      severity: 'error',
      from: { path: inWorker([room]) },
      to: {
        path: inWorker(workerFloors.slice(0, level + 1).flat()),
        pathNot: inWorker(level === 0 ? floor : [room]),
      },
    })),
  ),
  {
    name: 'worker-has-no-circles-of-types',
    severity: 'error',
    from: { path: '^services/worker/' },
    to: { circular: true },
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...programs.map((program) => ({
      name: `${program}-stands-alone`,
      comment: 'Programs agree through shared/, they never import one another.',
      severity: 'error',
      from: { path: `^services/${program}/` },
      to: { path: '^services/', pathNot: `^services/${program}/` },
    })),
    {
      name: 'shared-knows-no-program',
      severity: 'error',
      from: { path: '^shared/' },
      to: { path: '^(services|infra|test)/' },
    },
    {
      name: 'services-know-no-infra-or-test',
      severity: 'error',
      from: { path: '^services/' },
      to: { path: '^(infra|test)/', pathNot: '^infra/.*\\.json$' },
    },
    {
      name: 'only-engine-talks-to-docker',
      comment: 'The Docker client stays behind the Engine interface.',
      severity: 'error',
      from: { path: '^(services|shared)/', pathNot: '^services/worker/engine/' },
      to: { path: 'node_modules/(dockerode|docker-modem)' },
    },
    {
      name: 'worker-knows-no-http',
      severity: 'error',
      from: { path: '^services/worker/' },
      to: { path: 'node_modules/(hono|@hono)' },
    },
    {
      name: 'notifier-serves-nobody',
      comment: 'It calls others; nobody calls it, and it knows no engine.',
      severity: 'error',
      from: { path: '^services/notifier/' },
      to: { path: 'node_modules/(hono|@hono|dockerode)' },
    },
    {
      name: 'cli-is-a-client-only',
      comment: 'The CLI speaks the public HTTP API: no Redis, no queue, no engine.',
      severity: 'error',
      from: { path: '^services/cli/' },
      to: { path: '(node_modules/(ioredis|bullmq|hono|dockerode)|^shared/(stores|redis|config|queue))' },
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
    ...workerRules,
    { name: 'no-lost-imports', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
